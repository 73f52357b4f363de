"""What the two GraphQL schemas mean. Imports `db`; within: expression ← policy ← query, roles_pbac."""
