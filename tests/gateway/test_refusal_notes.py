"""Refusals in the audit: each once a minute, with how many there were, and never too many of one tenant."""

import pytest
from sqlalchemy import select

from db import tables
from db.engines import control_engine
from db.migrate import migrate
from gateway.refusal_notes import MAX_NOTES, NOTE_SECONDS, RefusalNotes
from schema.errors import AccessDenied
from tests.builders import a_principal

pytestmark = pytest.mark.postgres


async def test_a_refusal_is_noted_once_a_minute_with_how_many_there_were(database: str) -> None:
    await migrate(database)
    now = 1_000.0
    engine = control_engine(database)
    try:
        notes = RefusalNotes(engine, lambda: now)
        for _ in range(50):
            await notes.note(a_principal(7), "query", "note", AccessDenied("select", "note"))
        now += NOTE_SECONDS
        await notes.note(a_principal(7), "query", "note", AccessDenied("select", "note"))

        query = select(tables.audit.c.role_id, tables.audit.c.after).order_by(tables.audit.c.entry_id)
        async with engine.connect() as connection:
            found = [tuple(row) for row in await connection.execute(query)]
        told = {"field": "note", "code": "ACCESS_DENIED", "refusal": "No policy rule allows select on note."}
        assert found == [(7, told), (7, told | {"times": "50"})]
    finally:
        await engine.dispose()


async def test_of_one_tenant_there_are_no_more_notes_a_minute_than_some(database: str) -> None:
    await migrate(database)
    now = 1_000.0
    engine = control_engine(database)
    try:
        notes = RefusalNotes(engine, lambda: now)
        for number in range(MAX_NOTES + 20):
            await notes.note(a_principal(7), "query", "note", AccessDenied("select", f"table {number}"))
        await notes.note(a_principal(7, tenant_id=2), "query", "note", AccessDenied("select", "note"))

        async with engine.connect() as connection:
            found = (await connection.execute(select(tables.audit.c.tenant_id))).scalars().all()
        assert (found.count(1), found.count(2)) == (MAX_NOTES, 1)
    finally:
        await engine.dispose()
