"""/roles_pbac over HTTP: who is let in, what the wire looks like, and when a change is in force."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import httpx2
import pytest

from db.tenants import insert_tenant, set_root
from gateway.app import create_app
from gateway.serve import tenants_opener
from gateway.settings import Settings
from tests.databases import Databases
from tests.doors import MASTER_KEY, PASSWORD, Doors, a_client, a_role, bearer

pytestmark = pytest.mark.postgres

UPDATE = "mutation ($i: roleInput, $r: ID!) { update_role(input: $i, roleid: $r) { roleid name } }"


async def ask(doors: Doors, token: str, query: str, **variables: object) -> httpx2.Response:
    return await doors.client.post("/roles_pbac", json={"query": query, "variables": variables}, headers=bearer(token))


async def token_of(doors: Doors, login: str) -> str:
    return (await doors.log_in(login))["access_token"]


async def test_without_a_token_the_answer_is_a_401_for_both_kinds_of_client(doors: Doors) -> None:
    reply = await doors.client.post("/roles_pbac", json={"query": "{ role { login } }"})

    assert reply.status_code == 401
    assert reply.json()["error"] == "Unauthorized access: Missing Authorization Header"
    assert reply.json()["status"] == 401
    assert reply.json()["errors"][0]["message"] == "Unauthorized access: Missing Authorization Header"


async def test_a_refresh_token_is_no_access_token(doors: Doors) -> None:
    tokens = await doors.log_in()

    assert (await ask(doors, tokens["refresh_token"], "{ role { login } }")).status_code == 422


async def test_each_role_reads_what_it_may(doors: Doors) -> None:
    query = '{ role(ordering: ["login"]) { login } }'
    seen = {
        login: [row["login"] for row in (await ask(doors, await token_of(doors, login), query)).json()["data"]["role"]]
        for login in ("root", "admin", "ann@example.org")
    }
    anonymous = await doors.client.post("/anonauth?schema=none", json={"tenantid": doors.world.todo})
    nobody = (await ask(doors, anonymous.json()["access_token"], query)).json()["data"]["role"]

    everybody = ["admin", "ann@example.org", "machine", f"nobody{doors.world.todo}", "root"]
    assert seen == {"root": everybody, "admin": everybody, "ann@example.org": ["ann@example.org"]}
    assert nobody == [{"login": f"nobody{doors.world.todo}"}]


async def test_forms_and_gets_ask_as_json_does(doors: Doors) -> None:
    token = await token_of(doors, "root")
    query = "query ($f: String) { role(filter: $f) { login } }"
    fields = {"query": query, "variables": json.dumps({"f": "login = 'root'"})}

    form = await doors.client.post("/roles_pbac", data=fields, headers=bearer(token))
    got = await doors.client.get("/roles_pbac", params=fields, headers=bearer(token))
    probe = await doors.client.get("/roles_pbac", headers=bearer(token))

    rows = [{"login": "root"}]
    assert form.json() == {"role": rows, "data": {"role": rows}}
    assert got.json() == {"data": {"role": rows}}
    assert probe.json() == {"data": {"__typename": "Query"}}


async def test_by_get_nothing_changes(doors: Doors) -> None:
    token = await token_of(doors, "root")
    delete = "mutation { delete_role(roleid: 2) { login } }"
    enable = "{ Utility { anonymous_logins(enable: false) } }"

    refused = await doors.client.get("/roles_pbac", params={"query": delete}, headers=bearer(token))
    disabled = await doors.client.get("/roles_pbac", params={"query": enable}, headers=bearer(token))

    assert refused.status_code == 405
    assert disabled.json()["errors"][0]["extensions"]["code"] == "NOTHING_CHANGES_BY_GET"
    anonymous = await doors.client.post("/anonauth?schema=none", json={"tenantid": doors.world.todo})
    assert anonymous.status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ role {", "GRAPHQL_PARSE_FAILED"),
        ("{ rolee { login } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query a { role { login } } query b { role { login } }", "OPERATION_RESOLUTION_FAILURE"),
        ("query ($l: Int!) { role(limit: $l) { login } }", "BAD_USER_INPUT"),
        ("{ " + "role { parent { " * 15 + "login" + " } }" * 15 + " }", "LIMIT_EXCEEDED"),
    ],
)
async def test_bad_requests_are_400_without_data_and_without_suggestions(doors: Doors, query: str, code: str) -> None:
    reply = await ask(doors, await token_of(doors, "root"), query)

    assert reply.status_code == 400
    assert "data" not in reply.json()
    assert reply.json()["errors"][0]["extensions"]["code"] == code
    assert "Did you mean" not in reply.text


async def test_refusals_of_policy_are_200_with_path_and_code(doors: Doors) -> None:
    reply = await ask(doors, await token_of(doors, "ann@example.org"), "{ rules: policy_rule { name } role { login } }")

    assert reply.status_code == 200
    assert reply.json() == {
        "errors": [
            {
                "message": "No policy rule allows view_rule on roles_pbac.policy_rules.",
                "locations": [{"line": 1, "column": 3}],
                "path": ["rules"],
                "extensions": {"code": "ACCESS_DENIED"},
            }
        ],
        "data": {"rules": None, "role": [{"login": "ann@example.org"}]},
    }


async def test_variables_are_taken_as_widely_as_clients_send_them(doors: Doors) -> None:
    given = {"tenantid": str(doors.world.todo), "login": "new", "name": "New", "capabilities": "select"}

    reply = await ask(
        doors,
        await token_of(doors, "root"),
        "mutation ($i: roleInput!) { create_role(input: $i, onconflict: fail) { login capabilities } }",
        i=given,
        onconflict="ignored",
    )

    assert reply.json() == {"data": {"create_role": {"login": "new", "capabilities": ["select"]}}}


async def test_after_a_change_of_password_the_old_tokens_are_worth_nothing(doors: Doors) -> None:
    tokens = await doors.log_in()
    given = {
        "tenantid": doors.world.todo,
        "login": "ann@example.org",
        "name": "Ann",
        "password": "another one entirely",
    }

    changed = await ask(doors, tokens["access_token"], UPDATE, i=given, r=doors.world.ann)

    assert changed.json() == {"data": {"update_role": {"roleid": str(doors.world.ann), "name": "Ann"}}}
    assert (await doors.whoami(tokens["access_token"])).status_code == 401
    assert (await doors.refresh(tokens["refresh_token"])).status_code == 401
    again = await doors.client.post(
        "/auth?schema=none",
        json={"login": "ann@example.org", "password": "another one entirely", "tenantid": doors.world.todo},
    )
    assert again.status_code == 200


async def test_a_deleted_role_is_out_with_the_reply(doors: Doors) -> None:
    token = await token_of(doors, "ann@example.org")
    assert (await doors.whoami(token)).status_code == 200

    await ask(
        doors,
        await token_of(doors, "root"),
        "mutation ($r: ID!) { delete_role(roleid: $r) { login } }",
        r=doors.world.ann,
    )

    assert (await doors.whoami(token)).status_code == 401


async def test_a_capability_given_is_there_with_the_reply(doors: Doors) -> None:
    token = await token_of(doors, "ann@example.org")
    assert "errors" in (await ask(doors, token, "{ tenant { name } }")).json()
    given = {
        "tenantid": doors.world.todo,
        "login": "ann@example.org",
        "name": "Ann",
        "capabilities": ["login", "admin"],
    }

    await ask(doors, await token_of(doors, "root"), UPDATE, i=given, r=doors.world.ann)

    assert (await ask(doors, token, "{ tenant { name } }")).json() == {"data": {"tenant": [{"name": "todo"}]}}


async def test_role_tokens_work_and_the_seeds_refusals_hold(doors: Doors) -> None:
    query = "query ($r: Int!) { Utility { role_token(roleid: $r) } }"
    admin = await token_of(doors, "admin")

    given = await ask(doors, admin, query, r=doors.world.ann)
    foreign = await ask(doors, admin, query, r=doors.world.stranger)
    root = await ask(doors, admin, query, r=doors.world.root)
    ordinary = await ask(doors, await token_of(doors, "ann@example.org"), query, r=doors.world.admin)

    assert (await doors.whoami(given.json()["data"]["Utility"]["role_token"])).json()["roleid"] == doors.world.ann
    assert foreign.json()["errors"][0]["message"] == "Role is not in this tenant."
    assert "errors" in root.json()
    assert ordinary.json()["errors"][0]["message"] == "Non-administrators may not access other roles."


async def test_introspect_gives_the_query_schema_unparsed(doors: Doors) -> None:
    reply = await ask(doors, await token_of(doors, "root"), "{ Utility { introspect } }")

    assert reply.json()["data"]["Utility"]["introspect"]["json"] == {
        "__schema": {"of": f"query of role {doors.world.root}"}
    }


async def test_the_schema_introspects_itself(doors: Doors) -> None:
    reply = await ask(doors, await token_of(doors, "root"), '{ __type(name: "role") { fields { name } } }')

    names = {field["name"] for field in reply.json()["data"]["__type"]["fields"]}
    assert {"roleid", "login", "classes", "contactinfo"} <= names


async def test_a_fault_of_the_control_database_tells_nothing_of_it(doors: Doors) -> None:
    await doors.execute("drop view roles_pbac.tenant_contactinfo cascade")
    await doors.execute("create view roles_pbac.tenant_contactinfo as select 1 as tenantid")

    reply = await ask(doors, await token_of(doors, "root"), "{ tenant_contactinfo { city } role { tenant { name } } }")

    assert reply.status_code == 200
    [error] = reply.json()["errors"]
    assert error["extensions"]["code"] == "CATALOG_OUTDATED"
    for inside in ("select", "roles_pbac.", "asyncpg", "sqlalchemy"):
        assert inside not in error["message"]
    assert reply.json()["data"]["tenant_contactinfo"] is None


class Live:
    """A gateway whose one tenant has a database of its own."""

    def __init__(self, client: httpx2.AsyncClient, tenant_id: int, dsn: str) -> None:
        self.client = client
        self.tenant_id = tenant_id
        self.dsn = dsn

    async def execute(self, statement: str) -> None:
        """Runs a statement on the tenant's own database."""
        connection = await asyncpg.connect(self.dsn)
        await connection.execute(statement)
        await connection.close()

    async def log_in(self, login: str, password: str = PASSWORD) -> str:
        reply = await self.client.post(
            "/auth?schema=none", json={"login": login, "password": password, "tenantid": self.tenant_id}
        )
        return reply.json()["access_token"]

    async def anonymous(self) -> str:
        reply = await self.client.post("/anonauth?schema=none", json={"tenantid": self.tenant_id})
        return reply.json()["access_token"]

    async def ask(self, path: str, token: str, query: str, **variables: object) -> dict[str, Any]:
        reply = await self.client.post(path, json={"query": query, "variables": variables}, headers=bearer(token))
        return reply.json()


@pytest.fixture
async def live(databases: Databases, control_dsn: str) -> AsyncGenerator[Live]:
    tenant_dsn = databases.create()
    connection = await asyncpg.connect(tenant_dsn)
    await connection.execute(
        "create table note (noteid int generated always as identity primary key, owner int, body text)"
    )
    await connection.close()
    settings = Settings(database_url=control_dsn, master_key=MASTER_KEY.secret.hex(), _env_file=None)  # pyright: ignore[reportCallIssue]
    app = create_app(settings, open_tenants=tenants_opener(lambda dsn: dsn))
    async with app.router.lifespan_context(app), a_client(app) as client:
        async with app.state.ostiary.engine.begin() as control:
            tenant = await insert_tenant(control, name="notes", dsn=tenant_dsn, master_key=MASTER_KEY)
            await set_root(control, tenant.tenant_id, await a_role(control, tenant.tenant_id, "root"))
        yield Live(client, tenant.tenant_id, tenant_dsn)
    databases.drop(tenant_dsn)


async def test_visitors_sign_up_and_reach_their_own_rows_alone(live: Live) -> None:
    root = await live.log_in("root")
    control = "/roles_pbac"
    enabled = await live.ask(control, root, "{ Utility { anonymous_logins(enable: true) } }")
    nobody = enabled["data"]["Utility"]["anonymous_logins"]
    made = await live.ask(
        control,
        root,
        'mutation ($t: Int!) { create_role_class(input: {name: "users", tenantid: $t, inherit: "none"}) { classid } }',
        t=live.tenant_id,
    )
    users = made["data"]["create_role_class"]["classid"]
    rules: list[dict[str, object]] = [
        {"name": "sign up", "capabilities": ["create_role"], "targets": ["roles_pbac.roles"], "roles": [nobody]},
        {
            "name": "sign up into users",
            "capabilities": ["create_role"],
            "targets": ["roles_pbac.role_classes"],
            "filter": "name = 'users'",
            "roles": [nobody],
        },
        {
            "name": "own notes",
            "capabilities": ["select", "insert"],
            "targets": ["note"],
            "filter": "owner = $_PRINCIPAL.roleid",
            "classes": [users],
        },
    ]
    for rule in rules:
        create = "mutation ($i: policy_ruleInput) { create_policy_rule(input: $i) { ruleid } }"
        assert "errors" not in await live.ask(control, root, create, i=rule)

    visitor = await live.anonymous()
    ids: dict[str, int] = {}
    for login in ("ann", "bob"):
        created = await live.ask(
            control,
            visitor,
            "mutation ($i: roleInput) { create_role(input: $i) { roleid } }",
            i={"tenantid": live.tenant_id, "login": login, "name": login, "password": PASSWORD, "classes": int(users)},
        )
        ids[login] = int(created["data"]["create_role"]["roleid"])
    for login, role_id in ids.items():
        token = await live.log_in(login)
        insert = "mutation ($i: noteInput) { create_note(input: $i) { body } }"
        stored = await live.ask("/query", token, insert, i={"owner": role_id, "body": f"note of {login}"})
        assert stored == {"data": {"create_note": {"body": f"note of {login}"}}}
        other = ids["bob" if login == "ann" else "ann"]
        assert "errors" in await live.ask("/query", token, insert, i={"owner": other, "body": "forged"})

    assert await live.ask("/query", await live.log_in("bob"), "{ note { body } }") == {
        "data": {"note": [{"body": "note of bob"}]}
    }


async def test_roles_made_and_passwords_set_are_limited_but_for_administrators(live: Live) -> None:
    root = await live.log_in("root")
    control, create = "/roles_pbac", "mutation ($i: roleInput) { create_role(input: $i) { roleid } }"
    enabled = await live.ask(control, root, "{ Utility { anonymous_logins(enable: true) } }")
    rule = {
        "name": "sign up",
        "capabilities": ["create_role"],
        "targets": ["roles_pbac.roles"],
        "roles": [enabled["data"]["Utility"]["anonymous_logins"]],
    }
    await live.ask(
        control, root, "mutation ($i: policy_ruleInput) { create_policy_rule(input: $i) { ruleid } }", i=rule
    )
    visitor = await live.anonymous()

    def person(login: str) -> dict[str, object]:
        return {"tenantid": live.tenant_id, "login": login, "name": login}

    many = [f"r{n}: create_role(input: {{tenantid: {live.tenant_id}, login: {{}}, name: {{}}}})" for n in range(31)]
    flood = " ".join(text.replace("{}", f'"flood{n}"') + " { roleid }" for n, text in enumerate(many))
    flooded = await live.ask(control, visitor, f"mutation {{ {flood} }}")
    late = await live.ask(control, visitor, create, i=person("late"))
    ann = await live.ask(control, root, create, i=person("ann") | {"password": PASSWORD})
    change = "mutation ($i: roleInput, $r: ID!) { update_role(input: $i, roleid: $r) { roleid } }"
    token, ann_id = await live.log_in("ann"), ann["data"]["create_role"]["roleid"]
    renamed = await live.ask(control, token, change, i=person("ann") | {"name": "Ann"}, r=ann_id)
    changed = await live.ask(control, token, change, i=person("ann") | {"password": "another one entirely"}, r=ann_id)

    assert flooded["data"] is None
    for refused in (flooded, late, changed):
        assert refused["errors"][0]["extensions"]["code"] == "TOO_MANY_ATTEMPTS"
    assert "errors" not in renamed
    assert len((await live.ask(control, root, "{ role { roleid } }"))["data"]["role"]) == 3


async def test_a_rule_is_in_force_with_the_reply_and_gone_with_the_next(live: Live) -> None:
    root = await live.log_in("root")
    create_role = "mutation ($i: roleInput) { create_role(input: $i) { roleid } }"
    person = {"tenantid": live.tenant_id, "login": "ann", "name": "Ann", "password": PASSWORD}
    await live.ask("/roles_pbac", root, create_role, i=person)
    ann = await live.log_in("ann")
    assert "errors" in await live.ask("/query", ann, "{ note { body } }")

    rule = {"name": "all", "capabilities": ["select"], "targets": ["note"]}
    create = "mutation ($i: policy_ruleInput) { create_policy_rule(input: $i) { ruleid } }"
    created = await live.ask("/roles_pbac", root, create, i=rule)
    assert await live.ask("/query", ann, "{ note { body } }") == {"data": {"note": []}}

    delete = "mutation ($r: ID!) { delete_policy_rule(ruleid: $r) { name } }"
    await live.ask("/roles_pbac", root, delete, r=created["data"]["create_policy_rule"]["ruleid"])
    assert "errors" in await live.ask("/query", ann, "{ note { body } }")


async def test_a_rule_is_checked_against_the_tenants_own_tables(live: Live) -> None:
    root = await live.log_in("root")
    create = "mutation ($i: policy_ruleInput) { create_policy_rule(input: $i) { ruleid } }"

    for fields in ({"filter": "colour = 'red'"}, {"targets": ["notes"]}, {"filter": "owner = 'me'"}):
        rule = {"name": "r", "capabilities": ["select"], "targets": ["note"]} | fields
        reply = await live.ask("/roles_pbac", root, create, i=rule)
        assert reply["data"] is None
        assert reply["errors"][0]["extensions"]["code"] == "RULE_REFUSED"


async def test_introspect_reads_the_database_again(live: Live) -> None:
    root = await live.log_in("root")
    await live.ask("/query", root, "{ note { body } }")
    await live.execute("create table tag (tagid int primary key)")
    assert "errors" in await live.ask("/query", root, "{ tag { tagid } }")

    shown = await live.ask("/roles_pbac", root, "{ Utility { introspect } }")

    schema = shown["data"]["Utility"]["introspect"]
    assert "type tag {" in schema["gql"]
    assert await live.ask("/query", root, "{ tag { tagid } }") == {"data": {"tag": []}}
    assert schema["json"]["__schema"]["queryType"]["name"] == "Query"
