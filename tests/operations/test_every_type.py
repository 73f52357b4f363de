"""Every type that PostgreSQL brings along, through a mutation and back: nothing is lost on the way in or out."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.asking import Asker, open_asker

#: Values of each type in PostgreSQL's text form.
SAMPLES: dict[str, list[str]] = {
    "aclitem": ["=r/pg_monitor", "pg_monitor=arwd/pg_monitor"],
    "bit": ["101", "0"],
    "varbit": ["101", "", "1111111100000000"],
    "bool": ["true", "false"],
    "box": ["(3,4),(1,2.5)"],
    "bpchar": ["ab  c", "x"],
    "bytea": ["\\xdeadbeef00ff", "\\x"],
    "char": ["x", "Z"],
    "cid": ["0", "4294967295"],
    "cidr": ["10.0.0.0/8", "2001:db8::/32"],
    "circle": ["<(1,2),3.5>"],
    "date": ["2024-02-29", "infinity", "-infinity", "0044-03-15 BC", "5874897-12-31"],
    "float4": ["1.5", "NaN", "Infinity", "-Infinity", "3.4028235e+38", "1e-45"],
    "float8": ["0.1", "-0", "NaN", "Infinity", "-Infinity", "1.7976931348623157e+308", "5e-324"],
    "inet": ["192.168.0.1", "192.168.0.1/24", "::1"],
    "int2": ["-32768", "32767"],
    "int4": ["-2147483648", "2147483647"],
    "int8": ["-9223372036854775808", "9223372036854775807", "9007199254740993", "9007199254740991", "7"],
    "interval": ["1 year 2 mons -3 days 04:05:06.789012", "00:00:00", "-178000000 years"],
    "json": ['{"b": 1, "a": [1.50, null]}', '"text"', "12345678901234567890.12345", "null", "[]"],
    "jsonb": ['{"a": [1.50, null], "b": 1}', '"text"', "12345678901234567890.12345", "null"],
    "jsonpath": ['$."a"[*]?(@ > 1)'],
    "line": ["{1,-1,0.5}"],
    "lseg": ["[(1,2),(3,4)]"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "money": ["$1,234.56", "-$0.01", "$92,233,720,368,547,758.07"],
    "name": ["a name", "x" * 63],
    "numeric": [
        "0.10",
        "12345678901234567890123456789012345678901234567890.123456789",
        "NaN",
        "Infinity",
        "-Infinity",
        "9007199254740993",
        "-0.000000000000000000000000000001",
    ],
    "oid": ["0", "4294967295"],
    "oidvector": ["1 2 3", ""],
    "int2vector": ["1 -2 3", ""],
    "path": ["((1,2),(3,4))", "[(1,2),(3,4)]"],
    "pg_lsn": ["16/B374D848"],
    "pg_snapshot": ["10:20:10,14,15"],
    "txid_snapshot": ["10:20:10,14,15"],
    "point": ["(1.5,-2)", "(NaN,Infinity)"],
    "polygon": ["((1,2),(3,4),(5,6))"],
    "refcursor": ["a cursor"],
    "regclass": ["pg_class", "pg_type"],
    "regcollation": ['"C"'],
    "regconfig": ["english"],
    "regdictionary": ["simple"],
    "regnamespace": ["pg_catalog"],
    "regoper": ["|/"],
    "regoperator": ["+(integer,integer)"],
    "regproc": ["now"],
    "regprocedure": ["abs(integer)"],
    "regrole": ["pg_monitor"],
    "regtype": ["integer", "text[]"],
    "text": ["", 'It\'s "quoted" \\ and\nåäö 🦉', "null"],
    "tid": ["(0,1)"],
    "time": ["00:00:00", "24:00:00", "12:34:56.789012"],
    "timestamp": ["2024-02-29T12:00:00.123456", "infinity", "-infinity", "294276-12-31T23:59:59.999999"],
    "timestamptz": ["2024-02-29T12:00:00.123456+00:00", "infinity", "-infinity", "0044-03-15T00:00:00+00:00 BC"],
    "timetz": ["12:34:56.789012+02", "24:00:00-15:59:59"],
    "tsquery": ["'fat' & ( 'rat' | !'cat':AB )", "'a' <-> 'b'"],
    "tsvector": ["'a':1A 'fat':2B,4C 'it''s'"],
    "uuid": ["00000000-0000-4000-8000-000000000001"],
    "varchar": ["", "a 'text'"],
    "xid": ["0", "4294967295"],
    "xid8": ["18446744073709551615"],
    "xml": ["<a>1 &lt; 2</a>", "plain"],
    "int4range": ["[1,5)", "empty", "(,)", "[3,)"],
    "int8range": ["[1,9223372036854775807)"],
    "numrange": ["(0.10,12345678901234567890.5]", "empty"],
    "daterange": ["[2024-01-01,2024-02-01)", "(,2024-01-01)"],
    "tsrange": ['["2024-01-01 00:00:00","2024-02-01 12:00:00.5")'],
    "tstzrange": ['["2024-01-01 00:00:00+00",infinity)'],
    "int4multirange": ["{[1,3),[5,7)}", "{}"],
    "int8multirange": ["{[1,9007199254740993)}"],
    "nummultirange": ["{[1.10,2.20]}"],
    "datemultirange": ["{[2024-01-01,2024-02-01)}"],
    "tsmultirange": ['{["2024-01-01 00:00:00","2024-02-01 00:00:00")}'],
    "tstzmultirange": ['{["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")}'],
}
#: Types whose input function refuses everything: PostgreSQL alone writes them.
UNWRITABLE = {
    "gtsvector",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
}
#: Types that cannot be elements of an array, or whose arrays are tested by none of these.
CASES = [(name, value) for name, values in SAMPLES.items() for value in values]
NUMBERS = {"int2", "int4", "int8", "oid"}


class Everything:
    """A table with a column `v_<type>` and a column `a_<type>` of arrays for each type, and the gateway before it."""

    def __init__(self, asker: Asker, *, knows_xml: bool) -> None:
        self._asker = asker
        self.plain = asker.plain
        # PostgreSQL can be built without libxml, and then takes no value of type xml.
        self.kinds = SAMPLES.keys() if knows_xml else SAMPLES.keys() - {"xml"}

    async def ask(self, document: str, variables: dict[str, object]) -> dict[str, Any]:
        return await self._asker.ask(document, variables)

    async def store(self, column: str, value: object) -> Any:
        """What the column holds in the answer to a mutation that has stored the value."""
        document = f"mutation ($i: everythingInput) {{ update_everything(id: 1, input: $i) {{ {column} }} }}"
        answer = await self.ask(document, {"i": {column: value}})
        return answer["update_everything"][column]

    async def read(self, column: str) -> Any:
        answer = await self.ask(f"{{ everything {{ {column} }} }}", {})
        return answer["everything"][0][column]

    async def text_of(self, column: str) -> str:
        return await self.plain.fetchval(f'select "{column}"::text from everything')

    async def spelled(self, kind: str, value: str) -> str:
        """The value as PostgreSQL spells it."""
        return await self.plain.fetchval(f"select $1::text::pg_catalog.{quoted(kind)}::text", value)


def quoted(kind: str) -> str:
    return f'"{kind}"'


def sent_as(kind: str, value: str | None) -> object:
    """The value as a client would put it into variables."""
    if value is None:
        return None
    return value == "true" if kind == "bool" else int(value) if kind in NUMBERS else value


async def knows_xml(plain: "asyncpg.Connection[Any]") -> bool:
    try:
        await plain.fetchval("select '<a/>'::xml")
    except asyncpg.FeatureNotSupportedError:
        return False
    return True


@pytest.fixture
async def everything(database: str) -> AsyncIterator[Everything]:
    columns = ", ".join(f'v_{kind} pg_catalog."{kind}", a_{kind} pg_catalog."{kind}"[]' for kind in SAMPLES)
    ddl = f"create table everything (id int primary key, {columns}); insert into everything values (1)"
    async with open_asker(database, ddl) as asker:
        yield Everything(asker, knows_xml=await knows_xml(asker.plain))


@pytest.mark.postgres
async def test_no_type_of_postgresql_is_forgotten(everything: Everything) -> None:
    rows = await everything.plain.fetch(
        "select typname::text from pg_type where typnamespace = 'pg_catalog'::regnamespace"
        " and typtype in ('b', 'r', 'm') and not exists (select from pg_type e where e.typarray = pg_type.oid)"
    )

    assert {row[0] for row in rows} == SAMPLES.keys() | UNWRITABLE


@pytest.mark.postgres
async def test_a_value_of_every_type_comes_back_as_it_went_in(everything: Everything) -> None:
    for kind, value in [case for case in CASES if case[0] in everything.kinds]:
        column = f"v_{kind}"

        answer = await everything.store(column, sent_as(kind, value))

        assert await everything.text_of(column) == await everything.spelled(kind, value), (kind, value)
        assert await everything.read(column) == answer, (kind, value)
        if kind not in {"json", "jsonb"}:
            await everything.plain.execute(f"update everything set {column} = null")
            assert await everything.store(column, answer) == answer
            assert await everything.text_of(column) == await everything.spelled(kind, value), (kind, value)


@pytest.mark.postgres
async def test_an_array_of_every_type_comes_back_with_its_nulls(everything: Everything) -> None:
    for kind, values in [each for each in SAMPLES.items() if each[0] in everything.kinds]:
        column = f"a_{kind}"
        sent = [*values, None]

        answer = await everything.store(column, [sent_as(kind, value) for value in sent])

        expected = await everything.plain.fetchval(f"select $1::text[]::pg_catalog.{quoted(kind)}[]::text", sent)
        assert await everything.text_of(column) == expected, kind
        assert answer[-1] is None
        assert len(answer) == len(sent)


@pytest.mark.postgres
async def test_arrays_have_as_many_dimensions_as_they_are_given(everything: Everything) -> None:
    assert await everything.store("a_int4", [[1, None], [3, 4]]) == [[1, None], [3, 4]]
    assert await everything.text_of("a_int4") == "{{1,NULL},{3,4}}"
    assert await everything.store("a_timestamptz", [[["2024-01-01"]], [["infinity"]]]) == [
        [["2024-01-01T00:00:00+00:00"]],
        [["infinity"]],
    ]
    assert await everything.store("a_int4range", [["[1,2)"], ["empty"]]) == [["[1,2)"], ["empty"]]
    assert await everything.store("a_text", []) == []
