"""How the control database came to be as it is, step by step; `db/migrate.py` walks them."""
