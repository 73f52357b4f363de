"""The mistakes that one makes with rules: each planted, one at a time, in Ostiary or in a judge."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from db.sql import sql
from schema.expression.predicate import ALWAYS, Compare, IsNull, any_of
from schema.grants import Grant, GrantPart
from schema.policy import Policy, _Scopes
from schema.principal import Principal
from schema.query.plan import Chosen, Delete, Hop, Read
from schema.query.planning import filters, reads, rows, stored, writes
from schema.query.planning.context import Planning
from schema.query.rendering.predicate import _Rows
from tests.oracle.evaluator import Evaluator
from tests.oracle.interpreter import holds

Plant = Callable[[pytest.MonkeyPatch], None]


def _filter_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("schema.rule_expressions.check_expression", lambda *_, **__: ALWAYS)


def _or_for_and(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("schema.expression.check.all_of", any_of)


def _rules_anded(patch: pytest.MonkeyPatch) -> None:
    from schema.expression.predicate import all_of

    patch.setattr("schema.grants.any_of", all_of)


def _first_rule_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("schema.policy.Grant", lambda parts: Grant(parts[:1]))


def _classes_ignored(patch: pytest.MonkeyPatch) -> None:
    of = _Scopes.of
    patch.setattr(_Scopes, "of", lambda self, principal: of(self, replace(principal, class_ids=frozenset())))


def _classes_for_everybody(patch: pytest.MonkeyPatch) -> None:
    of = _Scopes.of
    patch.setattr(
        _Scopes, "of", lambda self, principal: of(self, replace(principal, class_ids=frozenset(self.by_class)))
    )


def _role_capabilities_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Principal, "may", lambda *_: True)


def _rule_capabilities_ignored(patch: pytest.MonkeyPatch) -> None:
    find = Policy._find_grant
    patch.setattr(
        Policy,
        "_find_grant",
        lambda self, principal, target, capability: (
            find(self, principal, target, capability)
            or (find(self, principal, target, "select") if principal.may(capability) else None)
        ),
    )


def _children_ignored(patch: pytest.MonkeyPatch) -> None:
    attribute = Principal.attribute
    patch.setattr(Principal, "attribute", lambda self, name: [] if name == "children" else attribute(self, name))


def _most_specific_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("schema.policy._most_specific", lambda _, found: found[:1])


def _null_taken_as_true(patch: pytest.MonkeyPatch) -> None:
    render = _Rows.predicate

    def rendered(self: _Rows, predicate: Any) -> Any:
        found = render(self, predicate)
        return sql("coalesce({test}, true)", test=found) if isinstance(predicate, Compare) else found

    patch.setattr(_Rows, "predicate", rendered)


def _null_tests_turned(patch: pytest.MonkeyPatch) -> None:
    render = _Rows.predicate

    def rendered(self: _Rows, predicate: Any) -> Any:
        turned = isinstance(predicate, IsNull)
        return render(self, IsNull(predicate.operand, not predicate.negated) if turned else predicate)

    patch.setattr(_Rows, "predicate", rendered)


def _stored_row_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Grant, "after", lambda *_: ALWAYS)


def _standing_row_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Grant, "before", lambda *_: ALWAYS)


def _deleted_row_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(writes, "Delete", lambda entity, key, _, result: Delete(entity, key, ALWAYS, result))


def _chosen_rows_unseen(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rows, "Chosen", lambda grant, **more: Chosen(grant, **{**more, "seen": None}))


def _collections_whole(patch: pytest.MonkeyPatch) -> None:
    def listed(planning: Any, entity: Any, nodes: Any, relation: Any = None) -> Read:
        found = reads.plan_rows(planning, entity, nodes[0], reads.plan_outputs(planning, entity, nodes), relation)
        return found if relation is None else replace(found, grant=ALWAYS)

    patch.setattr(reads, "plan_list", listed)


def _parents_shown(patch: pytest.MonkeyPatch) -> None:
    def read(entity: Any, grant: Any, outputs: Any, **more: Any) -> Read:
        is_parent = more.get("relation") is not None and more.get("many") is False
        return Read(entity, ALWAYS if is_parent else grant, outputs, **more)

    patch.setattr(reads, "Read", read)


def _filters_see_all(patch: pytest.MonkeyPatch) -> None:
    hop = Planning.hop

    def whole(self: Planning, entity: Any, name: str) -> Hop:
        return replace(hop(self, entity, name), grant=ALWAYS, via=ALWAYS)

    patch.setattr(Planning, "hop", whole)


def _filter_widens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reads, "all_of", any_of)


def _filters_unguarded(patch: pytest.MonkeyPatch) -> None:
    from schema.expression.check import check_expression

    def unguarded(*given: Any, **_: Any) -> Any:
        return check_expression(*given, under_grant=False)

    patch.setattr(filters, "check_expression", unguarded)


def _junctions_whole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Planning, "via", lambda *_: ALWAYS)


def _masks_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Grant, "view", lambda *_: None)


def _read_columns_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GrantPart, "reads", lambda *_: True)


def _write_columns_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GrantPart, "writes", lambda *_: True)


def _presets_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Grant, "presets", lambda *_: ())


def _forced_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GrantPart, "stored", property(lambda self: self.rows))


def _columns_of_any_rule(patch: pytest.MonkeyPatch) -> None:
    def whole(self: Grant, columns: Any, *, stored: bool) -> Any:
        return any_of(*(part.stored if stored else part.rows for part in self.parts))

    patch.setattr(Grant, "_each", whole)


def _update_by_the_rules_for_insert(patch: pytest.MonkeyPatch) -> None:
    plan = stored.plan_stored
    patch.setattr(
        writes,
        "plan_stored",
        lambda planning, entity, capability, given: plan(planning, entity, _turned(capability), given),
    )


def _turned(capability: str) -> Any:
    return {"insert": "update", "update": "insert"}[capability]


#: Planted in Ostiary.
MISTAKES: Final[dict[str, Plant]] = {
    plant.__name__.strip("_"): plant
    for plant in (
        _filter_dropped,
        _or_for_and,
        _rules_anded,
        _first_rule_only,
        _classes_ignored,
        _classes_for_everybody,
        _role_capabilities_ignored,
        _rule_capabilities_ignored,
        _children_ignored,
        _most_specific_ignored,
        _null_taken_as_true,
        _null_tests_turned,
        _stored_row_unchecked,
        _standing_row_unchecked,
        _deleted_row_unchecked,
        _chosen_rows_unseen,
        _collections_whole,
        _parents_shown,
        _filters_see_all,
        _filters_unguarded,
        _filter_widens,
        _junctions_whole,
        _masks_ignored,
        _read_columns_ignored,
        _write_columns_ignored,
        _presets_ignored,
        _forced_unchecked,
        _columns_of_any_rule,
        _update_by_the_rules_for_insert,
    )
}


def _unknown_is_true(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Evaluator,
        "satisfies",
        lambda self, test, table, row: test is None or holds(test, table, row, self.whole) is not False,
    )


def _rules_of_all_people(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tests.oracle.policy.Grants.is_for", lambda *_: True)


def _stored_rows_not_judged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Evaluator, "is_stored_well", lambda *_: True)


def _standing_rows_not_judged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Evaluator, "may_touch", lambda *_: True)


def _masks_not_judged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Evaluator, "_look", lambda self, table, column, row, parts: row[column])


#: Planted in the evaluator: row-level security must notice.
MISTAKES_OF_A_JUDGE: Final[dict[str, Plant]] = {
    plant.__name__.strip("_"): plant
    for plant in (
        _unknown_is_true,
        _rules_of_all_people,
        _stored_rows_not_judged,
        _standing_rows_not_judged,
        _masks_not_judged,
    )
}
