"""The control schema of /roles_pbac, code-first with Strawberry. In the order in which a request meets them:

root.py           control_schema: the schema, put together; control_schema_text for login replies
context.py        ControlContext, what the gateway lends, and OneTransaction around each operation
queries.py        the root lists, `Aggregates` (aggregates.py) and `Utility` (utility.py)
mutations.py      the mutations; what each does stands in roles.py, classes.py, rules.py, contactinfo.py, anonymous.py
policy.py         `Policy`: what the policy says and why, by explained/; its object types are in policy_types.py
types.py          the object types, of fields.py; inputs.py the input types, keys.py their ids
access.py         ControlPolicy: who sees and may do what, as grants; rights.py what may be given to a role, and by whom
targets.py        whether a rule would grant what it says; passwords.py what a password must be
rows.py           a selection below a root field → one statement, by the compiler of /query over control_model.py
errors.py         the refusals
"""
