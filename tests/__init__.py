"""The tests of the whole product; `conftest` starts the PostgreSQL that they share."""
