"""The GraphQL types that a role sees: `schema` puts them together, from the `scalars` of columns and the `arguments` of
fields; `schema_text` is how login replies carry them."""
