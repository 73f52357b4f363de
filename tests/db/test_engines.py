"""Connection strings, and the control database's engine."""

from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from db.engines import InvalidDsn, asyncpg_dsn, control_engine, locate


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://u:p@h:5433/d", "postgresql://u:p@h:5433/d"),
        ("postgres://h/d", "postgresql://h/d"),
        ("postgresql+asyncpg://h/d", "postgresql://h/d"),
        ("postgresql:///d?host=/run/pg&user=u", "postgresql:///d?host=/run/pg&user=u"),
        ("postgresql://h/d?sslmode=require&channel_binding=require", "postgresql://h/d?sslmode=require"),
        (" postgresql://h/d?connect_timeout=10\n", "postgresql://h/d"),
        ("postgresql://u:p%40%2F@h1:1,h2:2/d", "postgresql://u:p%40%2F@h1:1,h2:2/d"),
        ("postgresql://u@[::1]:5432/d", "postgresql://u@[::1]:5432/d"),
        ("postgresql://u@%2Frun%2Fpg/d", "postgresql://u@%2Frun%2Fpg/d"),
    ],
)
def test_a_dsn_of_any_usual_form_becomes_one_for_asyncpg(dsn: str, expected: str) -> None:
    assert asyncpg_dsn(dsn) == expected


@pytest.mark.parametrize(
    "dsn",
    ["", "mysql://u:hidden@h/d", "host=h password=hidden", "postgresql://[hidden/d", "postgresql://u:p@h:hidden/d"],
)
def test_a_wrong_dsn_is_refused_without_being_shown(dsn: str) -> None:
    with pytest.raises(InvalidDsn) as refusal:
        asyncpg_dsn(dsn)

    assert "hidden" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    ("dsn", "host", "database"),
    [
        ("postgresql://u:p@h:5433/d", "h:5433", "d"),
        ("postgresql:///d?host=/run/pg&user=u", "/run/pg", "d"),
        ("postgresql://u:p@/?host=/run/pg", "/run/pg", "u"),
        ("postgresql://u:p@h1:1,h2:2/d%20e", "h1:1,h2:2", "d e"),
        ("postgresql:///?database=d", "localhost", "d"),
    ],
)
def test_a_location_says_where_without_the_secrets(dsn: str, host: str, database: str) -> None:
    location = locate(dsn)

    assert (location.host, location.database) == (host, database)


@pytest.mark.postgres
async def test_the_engine_connects_by_unix_socket_and_by_each_spelling_of_the_scheme(database: str) -> None:
    for scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        engine = control_engine(urlsplit(database)._replace(scheme=scheme).geturl().replace(":/", ":///", 1))
        async with engine.connect() as connection:
            assert await connection.scalar(text("select 1")) == 1
        await engine.dispose()


@pytest.mark.postgres
async def test_the_engine_survives_that_its_connections_are_cut(database: str) -> None:
    engine = control_engine(database)
    async with engine.connect() as connection:
        first = await connection.scalar(text("select pg_backend_pid()"))
    other = control_engine(database)
    async with other.connect() as connection:
        await connection.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": first})

    async with engine.connect() as connection:
        assert await connection.scalar(text("select pg_backend_pid()")) != first

    await engine.dispose()
    await other.dispose()
