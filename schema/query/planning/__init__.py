"""From an operation that passed validation to the nodes of `plan`, each guarded by the grant of its table.

`operation` goes through the root fields; `reads`, `aggregates` (with its `subquery`) and `writes` plan one each.
`filters` (with `guard`) and `orders` are what they share; `given` is the value of an argument, be it written or sent in
a variable; `context` is what the planning of one operation knows.
"""
