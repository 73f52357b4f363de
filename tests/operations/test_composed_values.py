"""Values that a document puts together from variables are those of the request, whoever asked first."""

import pytest

from tests.asking import open_asker


@pytest.mark.postgres
async def test_a_list_with_variables_in_it_is_made_anew_for_each_request(database: str) -> None:
    ddl = "create table note (id int primary key, tags text[], facts jsonb); insert into note values (1)"
    document = """mutation ($t: String) {
        update_note(id: 1, input: { tags: ["x", $t], facts: { deep: [{ er: $t }] } }) { tags facts }
    }"""
    async with open_asker(database, ddl) as asker:
        first = await asker.ask(document, {"t": "first"})
        second = await asker.ask(document, {"t": "second"})

    assert first == {"update_note": {"tags": ["x", "first"], "facts": {"deep": [{"er": "first"}]}}}
    assert second == {"update_note": {"tags": ["x", "second"], "facts": {"deep": [{"er": "second"}]}}}
