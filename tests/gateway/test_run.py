"""The gateway as a process, from the first start to the last signal."""

import signal
import sys
from pathlib import Path

import pytest

from tests.gateways import Gateway, GatewayNotStarted

FLIGHTS = """{
  flights(filter: "origin = 'JFK' and dep_delay > 60", ordering: ["dep_delay desc"], limit: 20) {
    flight dep_delay airline { name } plane { model seats }
  }
}"""


@pytest.mark.server
def test_a_signed_in_query_on_real_data_is_answered(gateway: Gateway) -> None:
    body = gateway.ask(gateway.access("flights"), FLIGHTS)

    flights = body["data"]["flights"]
    assert len(flights) == 20
    assert flights[0] == {
        "flight": 51,
        "dep_delay": 1301,
        "airline": {"name": "Hawaiian Airlines Inc."},
        "plane": {"model": "A330-243", "seats": 377},
    }
    delays = [flight["dep_delay"] for flight in flights]
    assert delays == sorted(delays, reverse=True)


@pytest.mark.server
def test_an_anonymous_visitor_reads_what_is_public_and_nothing_else(gateway: Gateway) -> None:
    token = gateway.anonymous("flights")

    allowed = gateway.ask(token, "{ airlines(limit: 1) { name } }")
    refused = gateway.ask(token, "{ flights(limit: 1) { flight } }")
    beside = gateway.ask(token, "{ airlines(limit: 1) { flights_collection { flight } } }")

    assert len(allowed["data"]["airlines"]) == 1
    assert "data" not in refused
    assert "data" not in beside


@pytest.mark.server
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_gateway_and_database_and_the_next_start_goes_on(tmp_path: Path, number: int) -> None:
    first = Gateway.start(tmp_path / "data")
    assert first.stop(number) == 0
    assert not (tmp_path / "data" / "postgres" / "cluster" / "postmaster.pid").exists()

    with Gateway.start(tmp_path / "data") as second:
        assert second.logins == {}
        second_login = first.logins["flights", "root"]
        with second.client() as client:
            assert client.post("/auth?schema=none", json=second_login.body()).status_code == 200


@pytest.mark.server
def test_a_port_in_use_is_told_in_one_sentence(gateway: Gateway, tmp_path: Path) -> None:
    port = gateway.address.rpartition(":")[2]

    with pytest.raises(GatewayNotStarted) as told:
        Gateway.start(tmp_path / "other", port=port)

    assert str(told.value).strip() == f"Cannot listen on 127.0.0.1:{port}: address already in use."


@pytest.mark.server
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has loaded")
def test_it_serves_on_the_loop_made_of_libuv(gateway: Gateway) -> None:
    loaded = Path(f"/proc/{gateway.process.pid}/maps").read_text(encoding="utf-8")

    assert "/uvloop/loop." in loaded
