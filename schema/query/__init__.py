"""The generated schema of /query: catalog and document in, statement out.

In the order in which an operation meets them: `document` (parse, limit, validate, coerce), `planning` (to the nodes of
`plan`, each guarded by a grant), `rendering` (to SQL), `compiler` (these in a row, and what a plan needs at each
request). `building` makes the GraphQL types that a role sees.
"""
