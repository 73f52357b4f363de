"""The expression language of rules and of `filter:`, in the order in which a text meets it.

`tokens` reads the pieces of a text, `lift` parts its literals from its shape, `parse` gives the tree of `syntax`, and
`check` turns that, against a table, into the tree of `predicate`. `names` finds columns and relations, `types`
says what can be compared with what, `coerce` brings values to a PostgreSQL type, and `ordering` reads `ordering:`.
"""
