"""The demo tenants: *flights*, the departures from New York City in 2013, and *todo*, lists and items with owners.

- `policy.py`: their classes, roles and rules, as plain values
- `load.py`: their tables and rows, put into a database: `load_flights`, `load_flights_full`, `load_todo`
- `csv_files.py`: the files that a load reads, found and checked
- `flights.sql`, `todo.sql`: their tables; `data/`: the flights of 14 days
"""
