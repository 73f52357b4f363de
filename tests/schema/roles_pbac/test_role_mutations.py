"""Who creates, changes and deletes which roles, and what comes of it."""

import asyncio

import pytest

from db.passwords import verify_password
from schema.principal import NORMAL_CAPABILITIES
from tests.control import Control, add_tenant

pytestmark = pytest.mark.postgres

CREATE = "mutation ($i: roleInput!) { create_role(input: $i, onconflict: fail) { roleid login capabilities } }"
UPDATE = "mutation ($i: roleInput, $r: ID!) { update_role(input: $i, roleid: $r) { roleid login name deleted } }"
DELETE = "mutation ($r: ID!) { delete_role(roleid: $r) { login deleted } }"
PASSWORD = "correct horse battery"


def an_input(control: Control, login: str = "ann", **fields: object) -> dict[str, object]:
    return {"tenantid": control.tenant_id, "login": login, "name": login.title(), **fields}


async def may(control: Control, role_id: int, capability: str, only: str = "", target: str = "roles") -> None:
    await control.add_rule(capability, f"roles_pbac.{target}", to=role_id, only=only)


async def test_a_new_role_has_the_normal_capabilities_and_its_password(control: Control) -> None:
    data = await control.good(control.root_id, CREATE, i=an_input(control, password=PASSWORD))

    created = data["create_role"]
    assert created["login"] == "ann"
    assert frozenset(created["capabilities"]) == NORMAL_CAPABILITIES
    role = await control.role(int(created["roleid"]))
    assert role.creator_id == role.password_set_by == control.root_id
    assert role.password_hash is not None
    assert verify_password(role.password_hash, PASSWORD)


async def test_after_a_change_this_process_has_taken_it_in(control: Control) -> None:
    await control.good(control.root_id, CREATE, i=an_input(control))

    assert control.refreshed == [control.tenant_id]


async def test_reading_refreshes_nothing(control: Control) -> None:
    await control.good(control.root_id, "{ role { login } }")

    assert control.refreshed == []


async def test_all_mutations_of_an_operation_are_stored_or_none(control: Control) -> None:
    answer = await control.ask(
        control.root_id,
        """mutation ($a: roleInput, $b: roleInput) {
             one: create_role(input: $a) { roleid }
             two: create_role(input: $b) { roleid }
             three: create_role(input: $a) { roleid } }""",
        a=an_input(control, "ann"),
        b=an_input(control, "root"),
    )

    assert answer.data is None
    assert answer.codes == ["LOGIN_TAKEN", "EARLIER_FIELD_FAILED"]
    assert await control.scalar("select count(*) from ostiary.role") == 1
    assert control.refreshed == []


async def test_a_later_field_sees_what_an_earlier_one_stored(control: Control) -> None:
    data = await control.good(
        control.root_id,
        """mutation ($a: roleInput, $t: Int!) {
             create_role(input: $a) { login }
             create_role_class(input: {name: "users", tenantid: $t, inherit: "NONE", members: [2]}) {
               inherit members { login } } }""",
        a=an_input(control),
        t=control.tenant_id,
    )

    assert data["create_role_class"] == {"inherit": "none", "members": [{"login": "ann"}]}


async def test_without_input_a_mutation_is_refused(control: Control) -> None:
    assert await control.refused(control.root_id, "mutation { create_role { login } }") == "BAD_INPUT"
    assert await control.refused(control.root_id, "mutation { create_role(input: null) { login } }") == "BAD_INPUT"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"login": "root"}, "LOGIN_TAKEN"),
        ({"login": " "}, "BAD_INPUT"),
        ({"login": "nobody1"}, "BAD_INPUT"),
        ({"capabilities": ["fly"]}, "BAD_INPUT"),
        ({"classes": [99]}, "NO_SUCH_ROW"),
        ({"parentid": 99}, "NO_SUCH_ROW"),
        ({"tenantid": 99}, "WRONG_TENANT"),
        ({"password": "short"}, "PASSWORD_REFUSED"),
        ({"password": "Password1"}, "PASSWORD_REFUSED"),
        ({"password": "x" * 1_001}, "PASSWORD_REFUSED"),
        ({"name": "a\0b"}, "INVALID_VALUE"),
    ],
)
async def test_input_that_makes_no_sense_is_refused(control: Control, fields: dict[str, object], code: str) -> None:
    assert await control.refused(control.root_id, CREATE, i=an_input(control) | fields) == code
    assert await control.scalar("select count(*) from ostiary.role") == 1


async def test_creating_takes_the_capability_and_a_rule(control: Control) -> None:
    able = await control.add_role("able", "create_role")
    unable = await control.add_role("unable", "login")

    assert await control.refused(able, CREATE, i=an_input(control)) == "ACCESS_DENIED"
    await control.add_rule("create_role", "roles_pbac.roles")
    assert await control.refused(unable, CREATE, i=an_input(control)) == "ACCESS_DENIED"
    created = (await control.good(able, CREATE, i=an_input(control)))["create_role"]
    assert created["login"] == "ann"


async def test_a_creator_gives_normal_capabilities_and_its_own_but_no_others(control: Control) -> None:
    able = await control.add_role("able", "create_role", "view_role")
    await may(control, able, "create_role")

    good = ["login", "select", "view_role"]
    assert (await control.good(able, CREATE, i=an_input(control, capabilities=good)))["create_role"]["login"] == "ann"
    for capability in ("admin", "update_role", "create_rule"):
        wanted = an_input(control, "bob", capabilities=["login", capability])
        assert await control.refused(able, CREATE, i=wanted) == "CAPABILITY_NOT_HELD"


async def test_a_rules_filter_binds_the_new_role(control: Control) -> None:
    able = await control.add_role("able", "create_role")
    await may(control, able, "create_role", only="parentid = $_PRINCIPAL.roleid")

    assert await control.refused(able, CREATE, i=an_input(control)) == "POLICY_VIOLATED"
    assert await control.good(able, CREATE, i=an_input(control, parentid=able))


async def test_a_creator_puts_a_role_into_its_own_classes_and_others_by_rule(control: Control) -> None:
    able = await control.add_role("able", "create_role")
    own = await control.add_class("own", able)
    staff = await control.add_class("staff")
    users = await control.add_class("users")
    await may(control, able, "create_role")

    assert await control.good(able, CREATE, i=an_input(control, classes=[own]))
    assert await control.refused(able, CREATE, i=an_input(control, "bob", classes=[staff])) == "ACCESS_DENIED"
    await may(control, able, "create_role", only="name = 'users'", target="role_classes")
    assert await control.good(able, CREATE, i=an_input(control, "bob", classes=[users]))
    assert await control.refused(able, CREATE, i=an_input(control, "cid", classes=[staff])) == "NO_SUCH_ROW"


async def test_a_creator_puts_a_role_below_itself_or_nobody(control: Control) -> None:
    able = await control.add_role("able", "create_role")
    below = await control.add_role("below", parent_id=able)
    other = await control.add_role("other")
    await may(control, able, "create_role")

    assert await control.good(able, CREATE, i=an_input(control, parentid=below))
    assert await control.refused(able, CREATE, i=an_input(control, "bob", parentid=other)) == "ROLE_PROTECTED"


async def test_a_role_changes_its_name_and_password_and_its_sessions_are_over(control: Control) -> None:
    ann = await control.add_role("ann", "login", password="an old password")
    await open_session(control, ann)
    given = an_input(control, "ann", password=PASSWORD) | {"name": "Ann B."}

    data = await control.good(ann, UPDATE, i=given, r=ann)

    assert data["update_role"]["name"] == "Ann B."
    role = await control.role(ann)
    assert role.password_hash is not None
    assert verify_password(role.password_hash, PASSWORD)
    assert role.password_set_by == ann
    assert await open_sessions(control, ann) == 0


async def test_a_change_of_name_alone_leaves_sessions_open(control: Control) -> None:
    ann = await control.add_role("ann", "login")
    await open_session(control, ann)

    await control.good(ann, UPDATE, i=an_input(control, "ann") | {"name": "Ann B."}, r=ann)

    assert await open_sessions(control, ann) == 1


async def test_the_same_password_again_is_refused(control: Control) -> None:
    ann = await control.add_role("ann", "login", password=PASSWORD)

    answer = await control.ask(ann, UPDATE, i=an_input(control, "ann", password=PASSWORD), r=ann)

    assert answer.messages == ["New password must be different from old password."]
    assert answer.data is None


@pytest.mark.parametrize(
    "fields",
    [{"login": "anna"}, {"capabilities": ["login", "admin"]}, {"classes": [1]}, {"parentid": 1}, {"deleted": True}],
)
async def test_a_role_cannot_raise_itself(control: Control, fields: dict[str, object]) -> None:
    ann = await control.add_role("ann", "login")
    await control.add_class("staff")

    assert await control.refused(ann, UPDATE, i=an_input(control, "ann") | fields, r=ann) == "ROLE_PROTECTED"


async def test_a_role_that_resends_what_it_read_changes_nothing(control: Control) -> None:
    ann = await control.add_role("ann", "login", "select")
    users = await control.add_class("users", ann)
    before = await control.role(ann)
    given = an_input(
        control, "ann", capabilities=["login", "select"], classes=[users], parentid=None, deleted=False, password=None
    )

    await control.good(ann, UPDATE, i=given, r=ann)

    assert await control.role(ann) == before


async def test_changing_another_takes_the_capability_and_a_rule_that_covers_it(control: Control) -> None:
    able = await control.add_role("able", "update_role", "view_role")
    ann = await control.add_role("ann", "login")
    given = an_input(control, "ann") | {"name": "New"}

    assert await control.refused(able, UPDATE, i=given, r=ann) == "ACCESS_DENIED"
    await may(control, able, "update_role", only="login ilike 'a%'")
    assert (await control.good(able, UPDATE, i=given, r=ann)) == {"update_role": None}
    assert (await control.role(ann)).name == "New"
    bob = await control.add_role("bob", "login")
    assert await control.refused(able, UPDATE, i=an_input(control, "bob"), r=bob) == "NO_SUCH_ROW"
    assert await control.refused(able, UPDATE, i=an_input(control, "x"), r=ann) == "POLICY_VIOLATED"
    assert await control.refused(able, UPDATE, i=an_input(control, "x"), r=99) == "NO_SUCH_ROW"


async def test_who_may_change_roles_cannot_change_those_that_can_do_more(control: Control) -> None:
    able = await control.add_role("able", "update_role", "delete_role")
    admin = await control.add_role("admin", "admin")
    await may(control, able, "update_role")
    await may(control, able, "delete_role")

    given = an_input(control, "admin", password=PASSWORD)
    assert await control.refused(able, UPDATE, i=given, r=admin) == "ROLE_PROTECTED"
    assert await control.refused(able, DELETE, r=admin) == "ROLE_PROTECTED"


@pytest.mark.parametrize("capabilities", [("admin",), ("update_role", "delete_role", "admin")])
async def test_nobody_but_root_changes_root(control: Control, capabilities: tuple[str, ...]) -> None:
    admin = await control.add_role("admin", *capabilities)

    given = an_input(control, "root", password=PASSWORD)
    assert await control.refused(admin, UPDATE, i=given, r=control.root_id) == "ROLE_PROTECTED"
    assert await control.refused(admin, DELETE, r=control.root_id) == "ROLE_PROTECTED"
    assert await control.refused(control.root_id, DELETE, r=control.root_id) == "ROLE_PROTECTED"
    assert await control.good(control.root_id, UPDATE, i=given, r=control.root_id)


async def test_an_administrator_gives_any_capability_within_the_tenant(control: Control) -> None:
    admin = await control.add_role("admin", "admin")
    other_tenant, other_root = await add_tenant(control.engine, "other")

    wanted = an_input(control, capabilities=["admin", "create_rule"])
    assert await control.good(admin, CREATE, i=wanted)
    foreign = an_input(control) | {"tenantid": other_tenant}
    assert await control.refused(admin, UPDATE, i=an_input(control, "root"), r=other_root) == "NO_SUCH_ROW"
    assert await control.refused(admin, UPDATE, i=foreign, r=other_root) == "WRONG_TENANT"
    assert await control.refused(admin, DELETE, r=other_root) == "NO_SUCH_ROW"


async def test_a_deleted_role_is_flagged_and_its_sessions_are_over(control: Control) -> None:
    ann = await control.add_role("ann", "login")
    await open_session(control, ann)

    assert await control.good(control.root_id, DELETE, r=ann) == {"delete_role": {"login": "ann", "deleted": True}}
    assert await open_sessions(control, ann) == 0


async def test_deleting_by_update_and_bringing_back(control: Control) -> None:
    ann = await control.add_role("ann", "login")
    await open_session(control, ann)

    await control.good(control.root_id, UPDATE, i=an_input(control, "ann", deleted=True), r=ann)
    assert await open_sessions(control, ann) == 0
    data = await control.good(control.root_id, UPDATE, i=an_input(control, "ann", deleted=False), r=ann)
    assert data["update_role"]["deleted"] is False


async def test_losing_login_ends_sessions(control: Control) -> None:
    ann = await control.add_role("ann", "login", "select")
    await open_session(control, ann)

    await control.good(control.root_id, UPDATE, i=an_input(control, "ann", capabilities=["select"]), r=ann)

    assert await open_sessions(control, ann) == 0


async def test_a_circle_of_parents_is_refused(control: Control) -> None:
    ann = await control.add_role("ann")
    bob = await control.add_role("bob", parent_id=ann)

    assert await control.refused(control.root_id, UPDATE, i=an_input(control, parentid=bob), r=ann) == "PARENT_CYCLE"


async def test_a_class_of_kind_create_takes_in_what_a_member_creates(control: Control) -> None:
    able = await control.add_role("able", "create_role")
    users = await control.add_class("users", able, inherit="create")
    await may(control, able, "create_role")

    created = (await control.good(able, CREATE, i=an_input(control, parentid=able)))["create_role"]
    by_root = (await control.good(control.root_id, CREATE, i=an_input(control, "bob", parentid=able)))["create_role"]

    assert (await control.role(int(created["roleid"]))).class_ids == {users}
    assert (await control.role(int(by_root["roleid"]))).class_ids == frozenset()


async def test_changes_of_one_tenant_follow_each_other(control: Control) -> None:
    ann = await control.add_role("ann")
    bob = await control.add_role("bob")

    answers = await asyncio.gather(
        control.ask(control.root_id, UPDATE, i=an_input(control, "ann", parentid=bob), r=ann),
        control.ask(control.root_id, UPDATE, i=an_input(control, "bob", parentid=ann), r=bob),
    )

    assert sorted(answer.codes for answer in answers) == [[], ["PARENT_CYCLE"]]


async def test_of_two_who_want_one_login_one_has_it(control: Control) -> None:
    answers = await asyncio.gather(
        *(control.ask(control.root_id, CREATE, i=an_input(control, "ann")) for _ in range(4))
    )

    assert sorted(answer.codes for answer in answers) == [[], *[["LOGIN_TAKEN"]] * 3]


async def test_contact_information_is_kept_by_the_role_itself(control: Control) -> None:
    ann = await control.add_role("ann", "login")
    bob = await control.add_role("bob", "login")
    given = {"address": "1 Road", "city": "Here", "stateprov": "", "mailcd": "", "phone": "", "email": "a@example.org"}
    create = """mutation ($i: role_contactinfoInput) {
        create_role_contactinfo(input: $i) { roleid city role { login } } }"""
    update = """mutation ($i: role_contactinfoInput, $r: ID!) {
        update_role_contactinfo(input: $i, roleid: $r) { city } }"""
    delete = "mutation ($r: ID!) { delete_role_contactinfo(roleid: $r) { city } }"

    data = await control.good(ann, create, i=given | {"roleid": ann})
    assert data == {"create_role_contactinfo": {"roleid": str(ann), "city": "Here", "role": {"login": "ann"}}}
    assert await control.refused(ann, create, i=given | {"roleid": ann}) == "UNIQUE_VIOLATED"
    assert await control.refused(ann, create, i=given | {"roleid": bob}) == "ACCESS_DENIED"
    assert await control.good(bob, "{ role_contactinfo { city } }") == {"role_contactinfo": []}
    changed = given | {"roleid": ann, "city": "There"}
    assert await control.good(ann, update, i=changed, r=ann) == {"update_role_contactinfo": {"city": "There"}}
    assert await control.good(ann, "{ role { contactinfo { city } } }") == {
        "role": [{"contactinfo": {"city": "There"}}]
    }
    assert await control.good(ann, delete, r=ann) == {"delete_role_contactinfo": {"city": "There"}}
    assert await control.refused(ann, delete, r=ann) == "NO_SUCH_ROW"


async def open_session(control: Control, role_id: int) -> None:
    async with control.engine.begin() as connection:
        await connection.exec_driver_sql(
            "insert into ostiary.session (session_id, tenant_id, role_id, created_at, expires_at, refresh_jti)"
            " values ('s' || $1::int::text, $2::int, $1::int, now(), now() + interval '1 day', 'jti')",
            (role_id, control.tenant_id),
        )


async def open_sessions(control: Control, role_id: int) -> int:
    return await control.scalar(
        f"select count(*) from ostiary.session where ended_at is null and role_id = {int(role_id)}"
    )
