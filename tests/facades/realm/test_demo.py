"""The demo tenants, as a first start makes them, for clients of Realm."""

import pytest

from tests.gateways import Gateway
from tests.wire import PASSWORD

pytestmark = pytest.mark.server


@pytest.mark.parametrize("tenant", ["flights", "todo"])
def test_a_guest_of_the_demo_becomes_an_account(gateway: Gateway, tenant: str) -> None:
    app = f"/api/client/v2.0/app/{tenant}"
    providers = f"{app}/auth/providers"
    email = f"{tenant}@example.org"
    with gateway.client() as client:
        assert client.get(f"{app}/location").json()["hostname"] == gateway.address.rstrip("/")
        guest = client.post(f"{providers}/anon-user/login", json={}).json()
        client.post(f"{providers}/local-userpass/register", json={"email": email, "password": PASSWORD})
        linked = client.post(
            f"{providers}/local-userpass/login?link=true",
            json={"username": email, "password": PASSWORD},
            headers={"Authorization": f"Bearer {guest['access_token']}"},
        )

    assert linked.status_code == 200, linked.text
    assert linked.json()["user_id"] == guest["user_id"]
