"""`ostiary guests`: what an operator chooses for the guests of a tenant, beside a running gateway."""

import re
from collections.abc import Iterator

import pytest

from tests.commands import ostiary
from tests.gateways import Gateway

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that nobody else asks: what is chosen here makes classes, which others count."""
    with Gateway.start(tmp_path_factory.mktemp("guests")) as running:
        yield running


def guests(gateway: Gateway, *words: str) -> str:
    done = ostiary("guests", *words, data_folder=gateway.data_folder)
    assert done.code == 0, done.error
    return done.out


def test_what_is_chosen_is_kept_and_holds_at_once(gateway: Gateway) -> None:
    tenant = str(gateway.logins["todo", "root"].tenant_id)

    guests(gateway, "policy", tenant, "--mode", "identity", "--idle-seconds", "600", "--retention-days", "0.5")
    shown = guests(gateway, "policy", tenant, "--owner-column", "a.b", "--owner-column", "c.d")

    values = dict(re.findall(r"│ (\w+)\s+│ (\S.*?)\s+│", shown))
    assert values["mode"] == "identity"
    assert values["registration"] == "True"
    assert (values["idle_seconds"], values["retention_seconds"]) == ("600", "43200")
    assert values["owner_columns"] == "a.b, c.d"
    with gateway.client() as client:
        visits = [
            client.post("/anonauth?schema=none", json={"tenantid": int(tenant)}).json()["roleid"] for _ in range(2)
        ]
    assert visits[0] != visits[1]
    assert str(visits[1]) in guests(gateway, "list", tenant)

    guests(gateway, "policy", tenant, "--mode", "shared", "--idle-seconds", "0", "--owner-column", "auto")
    assert re.search(r"owner_columns\s+│ -", guests(gateway, "policy", tenant))


def test_a_sweep_tells_how_many_went(gateway: Gateway) -> None:
    tenant = str(gateway.logins["flights", "root"].tenant_id)

    assert "0 guests went." in guests(gateway, "sweep", tenant)
    assert "guests went." in guests(gateway, "sweep")


def test_a_hook_is_set_with_a_secret_that_is_shown_once_and_removed(gateway: Gateway) -> None:
    tenant = str(gateway.logins["flights", "root"].tenant_id)

    first = guests(gateway, "hook", tenant, "before_guest_login", "--url", "http://127.0.0.1:1/hook")
    second = guests(gateway, "hook", tenant, "challenge", "--function", "public.is_human")
    gone = [guests(gateway, "hook", tenant, event, "--remove") for event in ("before_guest_login", "challenge")]

    assert "whsec_" in first
    assert "whsec_" not in second
    assert all("is gone." in text for text in gone)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("policy", "999"), "No such tenant 999."),
        (("hook", "1", "before_breakfast", "--url", "http://a.org"), "A hook can be on one of these"),
        (("hook", "1", "challenge"), "Give one of --url, --function and --remove."),
        (("hook", "1", "challenge", "--url", "ftp://a.org"), "must begin with http:// or https://"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_a_sentence(
    gateway: Gateway, words: tuple[str, ...], sentence: str
) -> None:
    done = ostiary("guests", *words, data_folder=gateway.data_folder)

    assert done.code == 1
    assert sentence in done.sentence
