"""The verdicts of our reading of documents and variables, and of graphql-js 16, on the same random documents."""

import json
import random
import re
from collections import Counter
from typing import Any

import pytest
from graphql import (
    GraphQLSchema,
    build_client_schema,
    build_schema,
    execute_sync,
    get_introspection_query,
    parse,
    print_schema,
)

from db.catalog import TableName
from schema.expression.predicate import Predicate
from schema.query.building.schema import build_query_schema
from schema.query.compiler import RoleView
from schema.query.document import Limits, choose_operation, read_document, validate_document
from schema.query.errors import (
    DocumentInvalid,
    DocumentSyntax,
    OperationNotChosen,
    VariablesInvalid,
)
from schema.query.tenant_schema import tenant_schema
from schema.query.variables import coerce_variables
from schema.roles_pbac.root import control_schema
from tests.builders import a_model
from tests.javascript import run_script
from tests.random_documents import Case, DocumentMaker

SEED = 20_261_125
DOCUMENTS = 2_000

# What the schemas of the product do not have, so that every validation rule has something to judge.
RICH = build_schema("""
interface Named { name: String! }
interface Placed implements Named { name: String! place: Point }
type Point { x: Float! y: Float! }
type Person implements Named { name: String! age: Int friends(first: Int! = 3, mood: Mood): [Person!]! pet: Pet id: ID }
type Cat implements Named & Placed { name: String! place: Point lives: Int meows(loud: Boolean!): Boolean owner: Person}
type Dog implements Named & Placed { name: String! place: Point barks(at: At!): [Int!] owner: Person! tag: ID }
union Pet = Cat | Dog
union Any = Cat | Dog | Person
enum Mood { CALM CROSS @deprecated }
input At { where: Where! mood: Mood = CALM times: [Int!] notes: [[String]] next: At }
input Where { x: Float! y: Float = 0.5 label: String }
input One @oneOf { id: ID name: String where: Where }
type Query {
  person(id: ID!, one: One): Person
  people(named: [String!]!, at: At, ids: [ID]): [Person]
  any(kinds: [Mood!] = [CALM]): Any!
  named: [Named]
  placed(near: Where = {x: 1}): Placed
  pets(limit: Int, one: One!): [[Pet!]]
  count: Int!
}
type Mutation {
  move(at: At!, by: [Float] = [0.5, 1]): Placed
  tell(one: One, text: String!, flag: Boolean = true): Boolean
}
""")


def our_verdict(schema: GraphQLSchema, case: Case) -> tuple[str, str]:
    """The step that refuses the case, or `taken`."""
    try:
        document = read_document(case.query, Limits())
        validate_document(schema, document)
        operation = choose_operation(document, case.operation_name)
        coerce_variables(schema, operation, case.variables)
    except DocumentSyntax as error:
        return "parse", error.message
    except DocumentInvalid as error:
        return "validate", error.message
    except OperationNotChosen as error:
        return "choose", error.message
    except VariablesInvalid as error:
        return "coerce", error.message
    return "taken", ""


@pytest.fixture(scope="module")
def schemas() -> dict[str, GraphQLSchema]:
    return {
        "query": build_query_schema(a_model(), lambda entity, operation: True).graphql,
        "roles_pbac": control_schema().core,
        "rich": RICH,
    }


def judge(schemas: dict[str, GraphQLSchema], cases: list[tuple[str, Case]]) -> list[Any]:
    """What graphql-js says."""
    given = {
        "schemas": {name: print_schema(schema) for name, schema in schemas.items()},
        "cases": [
            {
                "schema": name,
                "query": case.query,
                "operationName": case.operation_name,
                "variables": case.variables,
            }
            for name, case in cases
        ],
    }
    said = run_script("verdicts.mjs", given=given)
    assert said["version"].startswith("16.")
    return list(said["verdicts"])


def test_documents_and_variables_get_the_verdict_that_graphql_js_gives_them(schemas: dict[str, GraphQLSchema]) -> None:
    numbers = random.Random(SEED)
    makers = {name: DocumentMaker(schema, numbers) for name, schema in schemas.items()}
    cases: list[tuple[str, Case]] = []
    for number in range(DOCUMENTS):
        name = list(schemas)[number % len(schemas)]
        cases.append((name, makers[name].valid() if number // len(schemas) % 2 else makers[name].broken()))

    theirs = judge(schemas, cases)
    ours = [our_verdict(schemas[name], case) for name, case in cases]

    steps = Counter(step for step, _ in ours)
    different = [
        {"schema": name, "query": case.query, "name": case.operation_name, "variables": case.variables, "we": us,
         "graphql-js": them}
        for (name, case), us, them in zip(cases, ours, theirs, strict=True)
        if us[0] != them[0] and not is_leniency(us, them)
    ]  # fmt: skip
    assert different == [], f"seed {SEED}: {len(different)} of {DOCUMENTS}: {json.dumps(different[:5], indent=1)}"
    assert DOCUMENTS * 0.4 < steps["taken"] < DOCUMENTS * 0.7, steps
    assert min(steps[step] for step in ("parse", "validate", "choose", "coerce")) > 20, steps


def is_leniency(us: tuple[str, str], them: tuple[str, str]) -> bool:
    """Whether we take what graphql-js refuses for a reason that the pages give: digits for a number and a number for a
    text (docs/wire.md), and a list within a list, since an array may have several dimensions (docs/schema.md)."""
    reasons = (NUMBER_FOR_TEXT, LIST_IN_LIST)
    return us[0] == "taken" and them[0] == "coerce" and any(reason.search(them[1]) for reason in reasons)


NUMBER_FOR_TEXT = re.compile(
    r'(String|ID) cannot represent (a non string )?value: -?[0-9.e+]+$|(Int|Float) cannot represent .*: "-?[0-9.e+-]+"$'
)

LIST_IN_LIST = re.compile(r'at "\w+(\.\w+|\[\d+\])*\[\d+\]"; \w+ cannot represent .*value: \[')


def test_what_graphql_js_does_not_take_for_a_number_or_text_and_we_do_is_exactly_that(
    schemas: dict[str, GraphQLSchema],
) -> None:
    numbers = random.Random(SEED + 1)
    cases = [(name, DocumentMaker(schema, numbers).lenient()) for name, schema in schemas.items() for _ in range(150)]

    verdicts = zip(cases, [our_verdict(schemas[n], case) for n, case in cases], judge(schemas, cases), strict=True)
    lenient = [(us, them) for _, us, them in verdicts if us[0] != them[0]]

    assert [pair for pair in lenient if not is_leniency(*pair)] == []
    assert len(lenient) > 50


def test_an_operation_whose_type_the_schema_lacks_is_refused_although_another_is_asked_for(
    schemas: dict[str, GraphQLSchema],
) -> None:
    # Section 5.2.1 of the specification of September 2025, which graphql-js 16 is older than: it takes this.
    case = Case("query A { __typename } subscription B { __typename }", "A", {})

    assert {our_verdict(schema, case)[0] for schema in schemas.values()} == {"validate"}
    assert [step for step, _ in judge(schemas, [(name, case) for name in schemas])] == ["taken"] * len(schemas)


def test_clients_build_the_schema_that_is_served_from_its_introspection(schemas: dict[str, GraphQLSchema]) -> None:
    asked = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True,
        one_of=True,
    )  # fmt: skip
    built = build_query_schema(a_model(), lambda entity, operation: True)
    view = RoleView(built, NoGrants(), Limits(), tenant_schema(built.graphql).answer)
    prepared = view.prepare(asked, None)
    served = {
        "query": json.loads(view.compile(prepared, {}).fixed or b"")["data"],
        "roles_pbac": execute_sync(schemas["roles_pbac"], parse(asked)).data,
    }

    for name, introspection in served.items():
        by_core = print_schema(build_client_schema(introspection))

        assert by_core == print_schema(schemas[name]), name
        assert run_script("client_schema.mjs", given=introspection) == by_core + "\n", name


class NoGrants:
    """What a principal is given that may do nothing: introspection asks for none."""

    def grant(self, table: TableName, capability: str, /) -> Predicate:
        raise AssertionError(f"{capability} on {table}")
