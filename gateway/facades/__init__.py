"""The wires of other systems, for clients that were written for those. They only translate: onto what `auth/guests.py`
does for guests and accounts, and onto the engine of /query. A tenant says which it opens.

    apps.py              which tenant is meant by the id that clients know it by
    realm.py             Realm's client API
    realm_replies.py     what it answers
    realm_errors.py      what refusals are called there
    realm_functions.py   a call of a function → the operation that makes it
    realm_files.py       the files of an app's configuration
    extended_json.py     its JSON of more types than JSON has
    tables.py            a table as a view shows it, and the documents that ask for its rows
    shown_tables.py      the tables that were asked for, by the views that show them
    asking.py            a document for a caller, and who calls without a token
    own_role.py          a role changes its own name and password
    backendless.py       Backendless' REST API: requests and their answers
    backendless_users.py   its users
    backendless_data.py    its tables
    backendless_rows.py    its form of rows
    backendless_where.py   its where clauses → expressions
    backendless_errors.py  its numbers for refusals
    mudbase.py           Mudbase's REST API: requests and their answers
    mudbase_users.py       its users and sessions
    mudbase_data.py        its collections
    mudbase_filter.py      its filters → conditions
    mudbase_errors.py      its codes for refusals
"""
