"""Enums, domains, composite types and comments: what they are in GraphQL, and how their values travel."""

import pytest

from tests.asking import open_asker

DDL = r"""
create type mood as enum ('calm', 'so so', 'so_so', '2nd', 'true', 'it''s \ odd');
create type address as (street text, "post code" int, moods mood[], since date);
create type trip as ("from" address, stops address[], cost numeric);
create domain short as varchar(5) check (value <> 'never');
create domain feeling as mood;
comment on type mood is 'How somebody feels.';
create table persons_of_types (
    id int generated always as identity primary key,
    mood mood not null default 'calm',
    feeling feeling,
    moods mood[],
    home address,
    homes address[],
    trip trip,
    code short,
    days daterange,
    doubled int generated always as (id * 2) stored,
    old_code text
);
comment on table persons_of_types is E'Somebody of every type.';
comment on column persons_of_types.old_code is E'What it was called.\n@deprecated Use code.';
"""
ADDRESS = {"street": 'Main "St", 1\\', "post_code": 12345, "moods": ["so so", "calm", None], "since": "2024-02-29"}
SHOWN = {"street": 'Main "St", 1\\', "post_code": 12345, "moods": ["so_so_2", "calm", None], "since": "2024-02-29"}
HOME = "home { street post_code moods since }"


@pytest.mark.postgres
async def test_the_schema_names_enums_and_composite_types(database: str) -> None:
    async with open_asker(database, DDL) as asker:
        sdl = asker.sdl()

    assert '"""How somebody feels."""\nenum mood {\n  calm\n  so_so_2\n  so_so\n  _2nd\n  _true\n  it_s___odd\n}' in sdl
    assert "type address {\n  street: String\n  post_code: Int\n  moods: [mood]\n  since: Date\n}" in sdl
    assert "input tripInput {\n  from: addressInput\n  stops: [addressInput]\n  cost: Float\n}" in sdl
    assert '  """What it was called."""\n  old_code: String @deprecated(reason: "Use code.")' in sdl
    fields = sdl.split("input persons_of_typesInput {")[1].split("}")[0]
    assert "doubled" not in fields
    assert "  id" not in fields
    assert "  mood: mood\n  feeling: mood\n  moods: [mood]\n  home: addressInput" in fields
    assert "  code: String\n  days: String\n" in fields


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("sent", "label", "shown"),
    [
        ("calm", "calm", "calm"),
        ("so so", "so so", "so_so_2"),
        ("so_so_2", "so so", "so_so_2"),
        ("so_so", "so_so", "so_so"),
        ("true", "true", "_true"),
        ("it's \\ odd", "it's \\ odd", "it_s___odd"),
    ],
)
async def test_a_label_is_sent_as_it_is_or_by_its_name(database: str, sent: str, label: str, shown: str) -> None:
    document = """mutation ($m: mood) {
        create_persons_of_types(input: { mood: $m, feeling: $m, moods: [$m, null] }) { mood feeling moods }
    }"""
    async with open_asker(database, DDL) as asker:
        answer = await asker.ask(document, {"m": sent})
        stored = await asker.plain.fetchrow("select mood::text, feeling::text, moods::text[] from persons_of_types")

    assert answer["create_persons_of_types"] == {"mood": shown, "feeling": shown, "moods": [shown, None]}
    assert stored is not None
    assert tuple(stored) == (label, label, [label, None])


@pytest.mark.postgres
async def test_a_label_in_a_document_is_bare_or_in_quotes_and_filters_know_labels(database: str) -> None:
    async with open_asker(database, DDL) as asker:
        bare = await asker.ask("mutation { create_persons_of_types(input: { mood: _2nd }) { mood } }")
        quoted = await asker.ask('mutation { create_persons_of_types(input: { mood: "so so" }) { mood } }')
        found = await asker.ask("{ persons_of_types(filter: \"mood = 'so so'\") { mood } }")
        ordered = await asker.ask('{ persons_of_types(ordering: ["mood desc"]) { mood } }')
        wrong = await asker.refused("mutation { create_persons_of_types(input: { mood: nope }) { mood } }")
        wrong_text = await asker.refused('mutation { create_persons_of_types(input: { mood: "nope" }) { mood } }')
        wrong_variable = await asker.refused(
            "mutation ($m: mood!) { create_persons_of_types(input: { mood: $m }) { mood } }", {"m": "nope"}
        )

    assert bare == {"create_persons_of_types": {"mood": "_2nd"}}
    assert quoted == {"create_persons_of_types": {"mood": "so_so_2"}}
    assert found == {"persons_of_types": [{"mood": "so_so_2"}]}
    assert ordered == {"persons_of_types": [{"mood": "_2nd"}, {"mood": "so_so_2"}]}
    assert wrong["extensions"]["code"] == wrong_text["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert wrong_variable["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.postgres
async def test_a_composite_value_goes_in_and_comes_back(database: str) -> None:
    trip = {"from": ADDRESS, "stops": [ADDRESS, None, {"street": None}], "cost": "12.3456789012345678901"}
    document = """mutation ($a: addressInput, $t: tripInput, $s: String) {
        create_persons_of_types(input: { home: $a, homes: [$a, { street: $s, moods: [calm] }], trip: $t }) {
            HOME homes { street moods } trip { cost from { city: street __typename } stops { post_code } __typename }
        }
    }""".replace("HOME", HOME)
    async with open_asker(database, DDL) as asker:
        answer = await asker.ask(document, {"a": ADDRESS, "t": trip, "s": ""})
        cost = await asker.plain.fetchval("select (trip).cost::text from persons_of_types")

    made = answer["create_persons_of_types"]
    assert made["home"] == SHOWN
    assert made["homes"] == [{"street": SHOWN["street"], "moods": SHOWN["moods"]}, {"street": "", "moods": ["calm"]}]
    assert made["trip"]["from"] == {"city": SHOWN["street"], "__typename": "address"}
    assert made["trip"]["stops"] == [{"post_code": 12345}, None, {"post_code": None}]
    assert made["trip"]["__typename"] == "trip"
    assert cost == "12.3456789012345678901"


@pytest.mark.postgres
async def test_a_composite_value_may_still_be_sent_in_its_text_form(database: str) -> None:
    document = f"mutation ($i: persons_of_typesInput) {{ create_persons_of_types(input: $i) {{ {HOME} days }} }}"
    async with open_asker(database, DDL) as asker:
        answer = await asker.ask(document, {"i": {"home": '("A, b",,{calm},)', "days": "[2024-01-01,2024-02-01)"}})
        null = await asker.ask(document, {"i": {"home": None}})
        empty = await asker.ask(document, {"i": {"home": {}}})
        wrong = await asker.refused(document, {"i": {"home": {"nope": 1}}})

    made = answer["create_persons_of_types"]
    assert made["home"] == {"street": "A, b", "post_code": None, "moods": ["calm"], "since": None}
    assert made["days"] == "[2024-01-01,2024-02-01)"
    assert null["create_persons_of_types"]["home"] is None
    assert empty["create_persons_of_types"]["home"] == dict.fromkeys(SHOWN)
    assert wrong["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.postgres
async def test_a_domain_holds_what_its_base_type_does_and_checks_it(database: str) -> None:
    document = "mutation ($c: String) { create_persons_of_types(input: { code: $c }) { code } }"
    async with open_asker(database, DDL) as asker:
        assert await asker.ask(document, {"c": "abc"}) == {"create_persons_of_types": {"code": "abc"}}
        refused = await asker.refused(document, {"c": "never"})

    assert refused["extensions"]["code"] == "CHECK_VIOLATED"


@pytest.mark.postgres
async def test_a_type_takes_a_longer_name_where_a_table_has_its_own(database: str) -> None:
    ddl = """
    create table stop (id int primary key, at int);
    create schema other;
    create type other.stop as enum ('a', 'b');
    create table trip (id int primary key, kind other.stop, last stop);
    """
    async with open_asker(database, ddl) as asker:
        sdl = asker.sdl()
        notes = [f"{note.subject} {note.reason}" for note in asker.loaded.model.notes]

    assert "enum other_stop {" in sdl
    assert "type stop_row {\n  id: Int\n  at: Int\n}" in sdl
    assert "type other.stop is called other_stop" in notes
