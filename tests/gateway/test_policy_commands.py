"""The commands below `ostiary policy`, beside a running gateway: they print what /roles_pbac answers."""

import json
from pathlib import Path

import pytest

from tests.commands import Finished, ostiary
from tests.gateways import Gateway
from tests.wire import Json

pytestmark = pytest.mark.server


def flights(gateway: Gateway, verb: str, *arguments: str, text: str = "") -> Finished:
    tenant_id = gateway.logins["flights", "root"].tenant_id
    return ostiary("policy", verb, str(tenant_id), *arguments, data_folder=gateway.data_folder, text=text)


def at_the_wire(gateway: Gateway, document: str, **variables: object) -> Json:
    answer = gateway.ask(gateway.access("flights"), document, variables, path="/roles_pbac")
    return dict(answer["data"]["Policy"])


def analyst_id(gateway: Gateway) -> int:
    document = "{ role(filter: \"login = 'analyst'\") { roleid } }"
    return int(gateway.ask(gateway.access("flights"), document, path="/roles_pbac")["data"]["role"][0]["roleid"])


def test_an_explanation_is_printed_rule_by_rule_with_what_would_turn_it(gateway: Gateway) -> None:
    shown = flights(gateway, "explain", "analyst", "planes", "select")

    assert shown.code == 0
    assert shown.out.startswith("allowed: Granted by rule ")
    assert "Analysts read everything" in shown.out
    assert "Everybody reads airlines and airports" in shown.out
    assert "It is only about airlines, airports." in shown.out
    assert "(Analysts read everything) no longer grant select." in shown.out


def test_an_explanation_of_a_row_says_what_becomes_of_the_row(gateway: Gateway) -> None:
    allowed = flights(gateway, "explain", "analyst", "airlines", "select", "--key", "AA")
    denied = flights(gateway, "explain", "analyst", "airlines", "delete", "--key", '{"carrier": "AA"}')
    absent = flights(gateway, "explain", "analyst", "airlines", "select", "--key", "??")

    assert "This row: allowed." in allowed.out
    assert "This row: denied." in denied.out
    assert "Give the role the capability delete." in denied.out
    assert absent.sentence == "There is no such row in airlines."


def test_json_is_what_the_endpoint_answers(gateway: Gateway) -> None:
    document = """query ($r: ID!, $k: GenericScalar) { Policy {
      explain(roleid: $r, target: "airlines", operation: "select", key: $k) {
        roleid target operation complete verdict why
        rules { ruleid name counts checks { check holds why } parts { depth kind text holds fails withheld }
          read_columns write_columns forced defaults masks
          aggregates min_group_size group_columns max_rows max_seconds missing_claims }
        columns { name access mask } max_rows max_seconds row { allowed fails }
        change { kind sentence ruleid capability classid target tests claims } } } }"""

    shown = flights(gateway, "explain", "analyst", "airlines", "select", "--key", "AA", "--json")

    assert json.loads(shown.out) == at_the_wire(gateway, document, r=analyst_id(gateway), k="AA")["explain"]


def test_all_that_a_role_may_is_printed_as_tables(gateway: Gateway) -> None:
    shown = flights(gateway, "may", "analyst")
    lines = {line.split("│")[1].strip(): line for line in shown.out.splitlines() if line.startswith("│")}

    assert shown.code == 0
    # Rows that are read can be aggregated.
    assert lines["flights"].count("all rows") == 2
    assert lines["roles_pbac.roles"].count("-") == 4
    document = """query ($r: ID!) { Policy { may(roleid: $r) { targets {
      target kind operations { operation verdict columns masked rules max_rows max_seconds } } } } }"""
    told = at_the_wire(gateway, document, r=analyst_id(gateway))["may"]["targets"]
    assert json.loads(flights(gateway, "may", "analyst", "--json").out) == told


def test_what_other_rules_would_change_is_printed_and_nothing_is_changed(gateway: Gateway, tmp_path: Path) -> None:
    rule = {"name": "x", "capabilities": ["select"], "targets": ["planes"], "filter": "tailnum < 'N105'"}
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([{"input": rule}]))

    by_file = flights(gateway, "diff", str(file))
    by_input = json.loads(flights(gateway, "diff", "-", "--json", text=file.read_text()).out)

    # Analysts read all planes already.
    [told] = by_input["differences"]
    assert (told["before"], told["after"], told["rows_lost"]) == ("denied", "conditioned", 0)
    line = next(line for line in by_file.out.splitlines() if "denied → conditioned" in line)
    cells = [cell.strip() for cell in line.split("│")]
    assert cells[1] == f"{told['roleid']} {told['login']}"
    assert cells[5].startswith(f"{told['rows_gained']} ({told['sample_gained'][0]['tailnum']}; ")
    assert "Nothing was changed." in by_file.out
    assert json.loads(flights(gateway, "diff", "-", "--json", text=file.read_text()).out) == by_input


@pytest.mark.parametrize(
    ("arguments", "text", "told"),
    [
        (("explain", "nobody-at-all", "airlines", "select"), "", "No such role nobody-at-all for tenant"),
        (("explain", "analyst", "nothing", "select"), "", "There is no target 'nothing'."),
        (("explain", "analyst", "airlines", "fly"), "", "There is no capability 'fly'."),
        (("explain", "analyst", "airlines", "select", "--key", "{"), "", "The key is no JSON object."),
        (("diff", "-"), "{", "The proposed rules cannot be read: they are no JSON."),
        (("diff", "-"), "{}", "The proposed rules cannot be read: they are no list."),
        (("diff", "-"), "[1]", "The proposed rules cannot be read: a change is an object with"),
        (("diff", "-"), '[{"input": {"filter": ""}}]', "The proposed rules cannot be read: a member is missing"),
        (("diff", "-"), '[{"remove": true}]', "A rule that is to be removed needs its 'ruleid'."),
        (("diff", "/nowhere/rules.json"), "", "The database or a file could not be reached"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_sentence(
    gateway: Gateway, arguments: tuple[str, ...], text: str, told: str
) -> None:
    verb, *rest = arguments

    assert flights(gateway, verb, *rest, text=text).sentence.startswith(told)
