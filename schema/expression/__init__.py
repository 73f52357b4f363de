"""The expression language of rules and of `filter:`, in the order in which a text meets it.

`tokens` reads the pieces of a text, `lift` parts its literals from its shape, `parse` gives the tree of `syntax`, and
`check` turns that, against a table, into the tree of `predicate`. On the way `names` finds columns and relations, each
operand becomes one of `terms`, `calculate`, `functions` and `aggregate` say what becomes of several, `types` says what
can be compared with what, and `coerce` brings values to a PostgreSQL type. `totality` tells which predicate can fail on
a row. `ordering` reads `ordering:`.
"""
