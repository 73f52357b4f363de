import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from db.catalog import TableName
from db.records import Rule, RuleOptions
from schema.errors import AccessDenied
from schema.expression.predicate import ALWAYS, NEVER, ColumnOf, Compare, Constant, Exists, Or, PrincipalValue
from schema.expression.types import INT4, INT8, TEXT
from schema.model import Entity, Model
from schema.policy import Policy, RulesAmbiguous, compile_control_policy, compile_policy
from schema.principal import CAPABILITIES, Principal
from schema.validity import TimedPolicy
from tests.builders import a_model, a_principal, a_rule, a_table, a_type

MODEL = a_model()
ITEM, LIST, PERSON = (TableName("public", name) for name in ("item", "list", "person"))
ID = ColumnOf("id", a_type("int4"))
ID_IS_1, ID_IS_2 = (Compare(ID, "=", Constant(number, INT8)) for number in (1, 2))


def a_policy(*rules: object, model: Model = MODEL, tenant_id: int = 1) -> Policy:
    return compile_policy(rules, model, tenant_id=tenant_id)  # pyright: ignore[reportArgumentType]


def test_without_a_rule_nothing_is_granted() -> None:
    policy = a_policy()

    assert not policy.may(a_principal(), ITEM, "select")
    with pytest.raises(AccessDenied, match="No policy rule allows select on item"):
        policy.grant(a_principal(), ITEM, "select")


def test_a_global_rule_is_for_every_role() -> None:
    policy = a_policy(a_rule())

    assert policy.grant(a_principal(7), ITEM, "select") == ALWAYS
    assert policy.grant(a_principal(8, capabilities=["view_role", "select"]), ITEM, "select") == ALWAYS


def test_a_rule_grants_its_targets_and_capabilities_only() -> None:
    policy = a_policy(a_rule(targets=["item"], capabilities=["select", "update"]))

    granted = {
        (table.name, capability)
        for table in (ITEM, LIST)
        for capability in CAPABILITIES
        if policy.may(a_principal(), table, capability)
    }
    assert granted == {("item", "select"), ("item", "update")}


@pytest.mark.parametrize(
    ("role_ids", "class_ids", "is_in_scope"),
    [
        ((), (), True),
        ((7,), (), True),
        ((8,), (), False),
        ((), (20,), True),
        ((), (30,), False),
        ((8,), (20, 30), True),
        ((7,), (30,), True),
        ((8,), (30,), False),
        # An id of a role is no id of a class.
        ((20,), (7,), False),
    ],
)
def test_a_rule_is_for_the_roles_or_the_classes_it_lists(
    role_ids: tuple[int, ...], class_ids: tuple[int, ...], is_in_scope: bool
) -> None:
    policy = a_policy(a_rule(role_ids=role_ids, class_ids=class_ids))

    assert policy.may(a_principal(7, class_ids=[10, 20]), ITEM, "select") is is_in_scope


def test_rules_add_up() -> None:
    policy = a_policy(
        a_rule(1, filter="id = 1", role_ids=[7]),
        a_rule(2, filter="id = 2", class_ids=[10, 11]),
        a_rule(3, filter="id = 1"),
        a_rule(4, filter="id = 3", role_ids=[8]),
    )

    assert policy.grant(a_principal(7, class_ids=[10, 11]), ITEM, "select") == Or((ID_IS_1, ID_IS_2))
    assert policy.grant(a_principal(9), ITEM, "select") == ID_IS_1


def test_a_rule_without_a_filter_grants_all_rows() -> None:
    policy = a_policy(a_rule(1, filter="id = 1"), a_rule(2, filter=" "))

    assert policy.grant(a_principal(), ITEM, "select") == ALWAYS


def test_a_filter_that_is_never_true_is_a_grant_on_no_row() -> None:
    assert a_policy(a_rule(filter="false")).grant(a_principal(), ITEM, "select") == NEVER


@pytest.mark.parametrize("principal", [a_principal(is_root=True), a_principal(capabilities=["admin"])])
def test_root_and_administrators_pass_by_the_rules(principal: Principal) -> None:
    policy = a_policy(a_rule(filter="id = 1"))

    assert policy.grant(principal, LIST, "delete") == ALWAYS
    assert policy.grant(principal, ITEM, "select") == ALWAYS


@pytest.mark.parametrize("is_root", [False, True])
def test_nobody_is_granted_anything_in_another_tenant(is_root: bool) -> None:
    stranger = a_principal(tenant_id=2, is_root=is_root, capabilities=["admin"])

    policy = a_policy(a_rule())

    assert not policy.may(stranger, ITEM, "select")
    assert policy.fingerprint(stranger) != policy.fingerprint(a_principal(is_root=True))


def test_a_rule_of_another_tenant_grants_nothing() -> None:
    assert not a_policy(a_rule(tenant_id=2)).may(a_principal(), ITEM, "select")


def test_the_role_itself_must_hold_the_capability() -> None:
    policy = a_policy(a_rule(capabilities=["select", "insert"]))

    assert not policy.may(a_principal(capabilities=["select"]), ITEM, "insert")
    assert policy.may(a_principal(capabilities=[]), ITEM, "select")
    assert not policy.may(a_principal(capabilities=[]), ITEM, "insert")
    assert not policy.may(a_principal(capabilities=["insert"]), ITEM, "select")


def test_a_filter_is_about_each_of_its_targets() -> None:
    policy = a_policy(a_rule(targets=["item", "public.list"], filter="id = 1"))

    assert policy.grant(a_principal(), ITEM, "select") == ID_IS_1
    assert policy.grant(a_principal(), LIST, "select") == ID_IS_1


def test_a_filter_speaks_of_the_principal_who_calls_and_sees_related_rows_whole() -> None:
    policy = a_policy(a_rule(filter="list.person.role_id = $_PRINCIPAL.roleid"))

    own = Compare(ColumnOf("role_id", a_type("int4")), "=", PrincipalValue("roleid", INT4))
    assert policy.grant(a_principal(), ITEM, "select") == Exists(
        "list", Exists("person", own, under_grant=False), under_grant=False
    )


@pytest.mark.parametrize(
    "bad", ["nothing = 1", "id = ", "1/true = 1", "id = true", "id = 'x'", "place = place", "(" * 60, "title like '\\'"]
)
def test_a_filter_that_does_not_fit_grants_nothing_and_is_reported(bad: str) -> None:
    policy = a_policy(a_rule(1, filter=bad), a_rule(2, filter="id = 2", role_ids=[8]))

    with pytest.raises(AccessDenied):
        policy.grant(a_principal(7), ITEM, "select")
    assert policy.grant(a_principal(8), ITEM, "select") == ID_IS_2
    assert [(fault.rule_id, fault.target) for fault in policy.faults] == [(1, "item")]


def test_a_filter_that_fits_one_target_only_grants_that_one() -> None:
    policy = a_policy(a_rule(targets=["item", "person"], filter="title = 'x'"))

    title_is_x = Compare(ColumnOf("title", a_type("text")), "=", Constant("x", TEXT))
    assert policy.grant(a_principal(), ITEM, "select") == title_is_x
    assert not policy.may(a_principal(), PERSON, "select")
    assert [(fault.target, fault.message) for fault in policy.faults] == [("person", "person has no column 'title'.")]


def test_a_rule_that_names_nothing_is_reported() -> None:
    policy = a_policy(a_rule(1, targets=["items", "item"], capabilities=[]), a_rule(2, targets=[]))

    assert [(fault.rule_id, fault.target, fault.message) for fault in policy.faults] == [
        (1, "", "The rule has no capabilities."),
        (1, "items", "There is no table, view or function 'items', or there are several."),
        (2, "", "The rule has no targets."),
    ]


ROLES, CLASSES = TableName("roles_pbac", "roles"), TableName("roles_pbac", "role_classes")


def test_control_targets_are_targets_of_the_control_policy() -> None:
    control = a_model(a_table("roles", schema="roles_pbac"), a_table("role_classes", schema="roles_pbac"))
    rules = [
        a_rule(1, targets=["roles_pbac.roles"], capabilities=["create_role"]),
        a_rule(2, targets=["roles_pbac.role_classes", "item"], capabilities=["view_class"], filter="id = 1"),
        a_rule(3, targets=["roles"], capabilities=["view_role"]),
    ]
    nobody = a_principal(capabilities=["create_role", "view_role", "view_class"])

    policy = compile_control_policy(rules, control, tenant_id=1)

    assert policy.grant(nobody, ROLES, "create_role") == ALWAYS
    assert policy.grant(nobody, CLASSES, "view_class") == ID_IS_1
    assert not policy.may(nobody, ROLES, "view_role")
    assert not policy.may(a_principal(), ROLES, "create_role")
    assert policy.faults == ()
    assert a_policy(rules[0], rules[1]).faults == ()


def test_a_target_names_the_table_in_public_or_the_only_one() -> None:
    in_public, in_sales, alone = a_table("orders"), a_table("orders", schema="sales"), a_table("leads", schema="sales")
    one, other = a_table("twins", schema="a"), a_table("twins", schema="b")
    entities = [Entity(f"{t.name.schema}_{t.name.name}", t, {}, {}) for t in (in_public, in_sales, alone, one, other)]
    model = Model({entity.name: entity for entity in entities}, {entity.table.name: entity for entity in entities})

    def granted(target: str) -> set[str]:
        policy = a_policy(a_rule(targets=[target]), model=model)
        return {f"{name.schema}.{name.name}" for name in model.by_table if policy.may(a_principal(), name, "select")}

    assert granted("orders") == {"public.orders"}
    assert granted("sales.orders") == {"sales.orders"}
    assert granted("sales_orders") == {"sales.orders"}
    assert granted("leads") == {"sales.leads"}
    assert granted("twins") == set()
    assert granted("b.twins") == {"b.twins"}
    assert granted("Orders") == set()


def test_a_table_of_a_tenant_cannot_pose_as_a_control_target() -> None:
    model = a_model(a_table("roles", schema="roles_pbac"))

    policy = a_policy(a_rule(targets=["roles_pbac.roles"]), model=model)

    assert not policy.may(a_principal(), TableName("roles_pbac", "roles"), "select")


def test_principals_whose_grants_are_alike_share_a_fingerprint() -> None:
    policy = a_policy(
        a_rule(1, filter="id = $_PRINCIPAL.roleid"),
        a_rule(2, role_ids=[8], filter="id = $_PRINCIPAL.roleid "),
        a_rule(3, class_ids=[10], targets=["list"]),
        a_rule(4, class_ids=[11], targets=["list"], filter="id = 1"),
    )

    def fingerprint(role_id: int, *class_ids: int) -> str:
        return policy.fingerprint(a_principal(role_id, class_ids=class_ids))

    assert fingerprint(7) == fingerprint(9) == fingerprint(7, 99)
    assert fingerprint(7) == fingerprint(8)
    assert fingerprint(7, 10) == fingerprint(9, 10) == fingerprint(9, 10, 11)
    assert len({fingerprint(7), fingerprint(7, 10), fingerprint(7, 11)}) == 3


def test_principals_whose_grants_differ_never_share_a_fingerprint() -> None:
    policy = a_policy(
        a_rule(1, role_ids=[1], filter="id = 1"),
        a_rule(2, role_ids=[2], filter="id = 2"),
        a_rule(3, role_ids=[3], filter="id = 1", capabilities=["update"]),
        a_rule(4, role_ids=[4], filter="id = 1", targets=["list"]),
        a_rule(5, role_ids=[5]),
        a_rule(6, role_ids=[6], filter="title = 'a'"),
        a_rule(7, role_ids=[7], filter='title = "A"'),
    )
    principals = [
        *(a_principal(role_id) for role_id in range(1, 9)),
        a_principal(1, capabilities=["insert"]),
        a_principal(1, is_root=True),
    ]

    fingerprints = [policy.fingerprint(principal) for principal in principals]

    # Role 8 has no rule, and role 1 without `select` no use of its own: both are granted nothing.
    assert fingerprints[7] == fingerprints[8]
    assert len(set(fingerprints)) == len(principals) - 1


def test_what_a_principal_asks_costs_no_more_when_there_are_more_rules_for_others() -> None:
    principals = [a_principal(role_id) for role_id in range(3_000)]

    def seconds_with(rule_count: int) -> float:
        rules = [a_rule(n, role_ids=range(n, 3_000, rule_count), filter="id = 1") for n in range(rule_count)]
        policy = a_policy(*rules)
        # So that filters and fingerprints, made once, are not measured.
        assert all(policy.may(principal, ITEM, "select") and policy.fingerprint(principal) for principal in principals)
        started = time.process_time()
        for principal in principals:
            policy.grant(principal, ITEM, "select")
            policy.fingerprint(principal)
        return time.process_time() - started

    few, many = (min(seconds_with(count) for _ in range(2)) for count in (2, 200))

    # 100 times as many rules; looking through them all would show.
    assert many < 10 * few


def a_choosy_policy(*rules: Rule) -> Policy:
    return compile_policy(rules, a_model(), tenant_id=1, choice="most_specific")


def test_of_the_most_specific_rules_one_counts() -> None:
    policy = a_choosy_policy(
        a_rule(1, filter="id = 1"),
        a_rule(2, class_ids=[10], targets=["item", "list"], filter="id = 2"),
        a_rule(3, role_ids=[8], targets=["item", "public.item", "list"]),
    )

    assert policy.grant(a_principal(7), ITEM, "select") == ID_IS_1
    assert policy.grant(a_principal(7, class_ids=[10]), ITEM, "select") == ID_IS_2
    assert policy.grant(a_principal(8, class_ids=[10]), ITEM, "select") == ALWAYS


def test_a_target_in_two_spellings_is_one_target() -> None:
    policy = a_choosy_policy(
        a_rule(1, targets=["item", "public.item"], filter="id = 1"),
        a_rule(2, targets=["item", "list"], filter="id = 2"),
    )

    assert policy.grant(a_principal(), ITEM, "select") == ID_IS_1


def test_filtered_rules_of_one_rank_are_ambiguous_and_still_show_in_the_schema() -> None:
    policy = a_choosy_policy(a_rule(1, filter="id = 1"), a_rule(2, filter="id = 2"), a_rule(3, filter="nope = 2"))

    with pytest.raises(RulesAmbiguous):
        policy.grant(a_principal(), ITEM, "select")
    assert policy.may(a_principal(), ITEM, "select")
    assert not policy.may(a_principal(capabilities=["insert"]), ITEM, "select")


def test_the_way_in_which_rules_go_together_is_part_of_the_fingerprint() -> None:
    rules = [a_rule(1, filter="id = 1"), a_rule(2, role_ids=[8], filter="id = 2")]
    adding, choosing = a_policy(*rules), a_choosy_policy(*rules)

    assert adding.fingerprint(a_principal(8)) != choosing.fingerprint(a_principal(8))
    assert choosing.fingerprint(a_principal(7)) == choosing.fingerprint(a_principal(9))
    assert choosing.fingerprint(a_principal(7)) != choosing.fingerprint(a_principal(8))


def test_a_rule_counts_from_its_first_moment_to_its_last() -> None:
    begins, ends = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    options = RuleOptions(valid_from=begins, valid_until=ends)
    timed = TimedPolicy([replace(a_rule(), options=options)], lambda rules: a_policy(*rules))

    def may(moment: float) -> bool:
        return timed.at(moment).may(a_principal(), ITEM, "select")

    moments = [begins.timestamp() - 1, begins.timestamp(), ends.timestamp() - 1, ends.timestamp()]
    assert [may(moment) for moment in moments] == [False, True, True, False]
    assert may(begins.timestamp())
    assert timed.at(begins.timestamp()) is timed.at(ends.timestamp() - 1)


def test_a_guest_has_the_rules_of_nobody_beside_its_own() -> None:
    nobodys = a_rule(1, filter="id = 1", role_ids=[3])
    own = a_rule(2, filter="id = 2", class_ids=[5])
    policy = a_policy(nobodys, own)
    guest = replace(a_principal(7, class_ids=[5]), kind="guest", lender_id=3)

    assert policy.grant(guest, ITEM, "select") == Or((ID_IS_1, ID_IS_2))
    assert policy.grant(replace(guest, lender_id=None), ITEM, "select") == ID_IS_2
    assert policy.grant(a_principal(3), ITEM, "select") == ID_IS_1


def test_guests_share_their_plans_and_not_those_of_others() -> None:
    policy = a_policy(a_rule(1, filter="id = 1", role_ids=[3]), a_rule(2, filter="id = 2", class_ids=[5]))
    one, other = (replace(a_principal(number, class_ids=[5]), kind="guest", lender_id=3) for number in (7, 8))

    assert policy.fingerprint(one) == policy.fingerprint(other)
    assert policy.fingerprint(one) != policy.fingerprint(replace(one, lender_id=None))
    assert policy.fingerprint(one) != policy.fingerprint(a_principal(3))


def test_of_one_rule_a_guest_takes_that_of_nobody_as_one_that_lists_itself() -> None:
    rules = [a_rule(1, filter="id = 1", role_ids=[3]), a_rule(2, filter="id = 2", class_ids=[5])]
    policy = compile_policy(rules, MODEL, tenant_id=1, choice="most_specific")
    guest = replace(a_principal(7, class_ids=[5]), kind="guest", lender_id=3)

    assert policy.grant(guest, ITEM, "select") == ID_IS_1


def test_visitors_are_guests_whether_they_share_a_role_or_not_and_accounts_are_none() -> None:
    kinds = [replace(a_principal(), kind=kind) for kind in ("nobody", "guest", "account")]

    assert [principal.attribute("is_guest") for principal in kinds] == [True, True, False]


def test_what_a_rule_stores_besides_tells_principals_apart_also_beside_a_rule_without_conditions() -> None:
    everything = a_rule(1, capabilities=["insert"])
    for options in (RuleOptions(forced=(("title", "theirs"),)), RuleOptions(defaults=(("title", "theirs"),))):
        policy = a_policy(everything, replace(a_rule(2, role_ids=[8], capabilities=["insert"]), options=options))
        one, other = (a_principal(number, capabilities=["insert"]) for number in (7, 8))
        stored = [policy.get_grant(each, ITEM, "insert").presets(()) for each in (one, other)]

        assert stored[0] != stored[1]
        assert policy.fingerprint(one) != policy.fingerprint(other)
