"""Who is calling, and over which wire. Imports `schema` and `db`; within: auth ← endpoints ← app ← cli."""
