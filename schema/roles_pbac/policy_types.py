"""The object types under `Policy`, made of what `explained` has found."""

from collections.abc import Iterable

import strawberry

from db.records import ColumnMask
from schema.roles_pbac.explained.asked import CountedDifference, CountedRows, Differences, Explained
from schema.roles_pbac.explained.changes import Change
from schema.roles_pbac.explained.columns import ColumnAccess
from schema.roles_pbac.explained.considered import Check, Considered, Limits
from schema.roles_pbac.explained.filters import JudgedPart
from schema.roles_pbac.explained.matrix import Cell, Line
from schema.roles_pbac.fields import GenericScalar

_COMPLETE = "Whether you may see every role, class and rule that this depends on; else it is about those that you see."

_MAX_ROWS = "The most rows that a list may have; null where no rule says."
_MAX_SECONDS = "The most seconds that an operation may take; null where no rule says."


@strawberry.type(name="policy_check", description="What a rule has to pass in order to count.")
class PolicyCheck:
    check: str = strawberry.field(description="period, scope, target, capability, fit, most_specific or aggregates.")
    holds: bool
    why: str

    @classmethod
    def of(cls, check: Check) -> "PolicyCheck":
        return cls(check=check.name, holds=check.holds, why=check.why)


@strawberry.type(name="policy_part", description="A part of a rule's filter, as it was written.")
class PolicyPart:
    depth: int = strawberry.field(description="0 for the whole filter; the parts of a part follow it, one deeper.")
    kind: str = strawberry.field(description="and, or, not, or test.")
    text: str
    holds: bool | None = strawberry.field(description="What it comes to on the row; null is unknown, as in SQL.")
    fails: bool = strawberry.field(description="Whether PostgreSQL refuses to evaluate it on the row.")
    withheld: bool = strawberry.field(description="Whether it is about what you may not see.")

    @classmethod
    def of(cls, judged: JudgedPart) -> "PolicyPart":
        part, truth = judged.part, judged.truth
        return cls(
            depth=judged.depth,
            kind=part.kind,
            text=part.text,
            holds=None if truth == "fails" else truth,
            fails=truth == "fails",
            withheld=not judged.is_told,
        )


@strawberry.type(name="policy_considered", description="A rule, and why it counts or not.")
class PolicyConsidered:
    ruleid: strawberry.ID
    name: str
    counts: bool
    checks: list[PolicyCheck]
    parts: list[PolicyPart] = strawberry.field(description="Its filter, part by part; empty where it has none.")
    read_columns: list[str] | None
    write_columns: list[str] | None
    forced: GenericScalar | None
    defaults: GenericScalar | None
    masks: GenericScalar | None
    aggregates: str | None
    min_group_size: int | None
    group_columns: list[str] | None
    max_rows: int | None
    max_seconds: float | None
    missing_claims: list[str] = strawberry.field(
        description="Claims that its filter looks at and the role lacks, as far as you may see them: with them nothing"
        " holds."
    )

    @classmethod
    def of(cls, considered: Considered, judged: Iterable[JudgedPart] | None) -> "PolicyConsidered":
        rule, options = considered.rule, considered.rule.options
        if judged is None:
            tree = considered.filter
            judged = (JudgedPart(part, depth, None) for depth, part in tree.in_order()) if tree is not None else ()
        masks = {each.column: _mask(each) for each in options.masks}
        return cls(
            ruleid=strawberry.ID(str(rule.rule_id)),
            name=rule.name,
            counts=considered.counts,
            checks=[PolicyCheck.of(check) for check in considered.checks],
            parts=[PolicyPart.of(each) for each in judged],
            read_columns=None if options.read_columns is None else sorted(options.read_columns),
            write_columns=None if options.write_columns is None else sorted(options.write_columns),
            forced=GenericScalar(dict(options.forced)) if options.forced else None,
            defaults=GenericScalar(dict(options.defaults)) if options.defaults else None,
            masks=GenericScalar(masks) if masks else None,
            aggregates=options.aggregates,
            min_group_size=options.min_group_size,
            group_columns=None if options.group_columns is None else sorted(options.group_columns),
            max_rows=options.max_rows,
            max_seconds=options.max_seconds,
            missing_claims=list(considered.missing_claims),
        )


@strawberry.type(name="policy_column", description="What becomes of a column.")
class PolicyColumn:
    name: str
    access: str = strawberry.field(
        description="Reading: read, masked, null, depends (on the row), or hidden. Writing: write, forced, or closed."
    )
    mask: str | None

    @classmethod
    def of(cls, column: ColumnAccess) -> "PolicyColumn":
        return cls(name=column.name, access=column.access, mask=column.mask)


@strawberry.type(name="policy_step", description="Something that would have to be otherwise.")
class PolicyStep:
    kind: str
    sentence: str
    ruleid: strawberry.ID | None
    capability: str | None
    classid: strawberry.ID | None
    target: str | None
    tests: list[str] = strawberry.field(description="Parts of a filter that would have to come out differently.")
    claims: list[str] = strawberry.field(description="What root would have to say of the role.")

    @classmethod
    def of(cls, step: Change) -> "PolicyStep":
        return cls(
            kind=step.kind,
            sentence=step.sentence,
            ruleid=None if step.rule_id is None else strawberry.ID(str(step.rule_id)),
            capability=step.capability,
            classid=None if step.class_id is None else strawberry.ID(str(step.class_id)),
            target=step.target,
            tests=list(step.tests),
            claims=list(step.claims),
        )


@strawberry.type(name="policy_row", description="How it stands with the row.")
class PolicyRow:
    allowed: bool | None = strawberry.field(description="Null where it depends on what you may not see.")
    fails: bool = strawberry.field(description="Whether the operation fails on the row, as the filters do.")


@strawberry.type(name="policy_explanation", description="Whether a role may do something, and why.")
class PolicyExplanation:
    roleid: strawberry.ID
    target: str
    operation: str
    complete: bool = strawberry.field(description=_COMPLETE)
    verdict: str = strawberry.field(
        description="allowed, conditioned (on the rows that satisfy a filter), denied, or ambiguous."
    )
    why: str
    rules: list[PolicyConsidered] = strawberry.field(description="All rules, by their ids.")
    columns: list[PolicyColumn] = strawberry.field(description="Empty where all columns are alike.")
    max_rows: int | None = strawberry.field(description=_MAX_ROWS)
    max_seconds: float | None = strawberry.field(description=_MAX_SECONDS)
    row: PolicyRow | None
    change: list[PolicyStep] = strawberry.field(
        description="The smallest change after which the verdict, or that on the row, would be the contrary."
    )

    @classmethod
    def of(cls, explained: Explained) -> "PolicyExplanation":
        explanation, row = explained.explanation, explained.row
        return cls(
            roleid=strawberry.ID(str(explanation.subject.principal.role_id)),
            target=explanation.target.written,
            operation=explanation.operation,
            complete=explained.is_complete,
            verdict=explanation.verdict,
            why=explanation.why,
            rules=[
                PolicyConsidered.of(each, None if row is None else row.parts.get(each.rule.rule_id, ()))
                for each in explanation.rules
            ],
            columns=[PolicyColumn.of(each) for each in explained.columns],
            max_rows=explanation.limits.max_rows,
            max_seconds=explanation.limits.max_seconds,
            row=None if row is None else PolicyRow(allowed=row.is_allowed, fails=row.fails),
            change=[PolicyStep.of(step) for step in explained.change],
        )


@strawberry.type(name="policy_cell", description="What comes of one operation on one target.")
class PolicyCell:
    operation: str
    verdict: str
    columns: list[str] | None = strawberry.field(description="Those that it can read or write; null for all.")
    masked: list[str] = strawberry.field(description="Those of them that are not as they are on every row.")
    rules: list[strawberry.ID] = strawberry.field(description="Those that grant it.")
    max_rows: int | None = strawberry.field(description=_MAX_ROWS)
    max_seconds: float | None = strawberry.field(description=_MAX_SECONDS)

    @classmethod
    def of(cls, cell: Cell) -> "PolicyCell":
        return cls(
            operation=cell.operation,
            verdict=cell.verdict,
            columns=None if cell.columns is None else list(cell.columns),
            masked=list(cell.masked),
            rules=[strawberry.ID(str(each)) for each in cell.rule_ids],
            max_rows=cell.limits.max_rows,
            max_seconds=cell.limits.max_seconds,
        )


@strawberry.type(name="policy_line", description="What a role may do with one target.")
class PolicyLine:
    target: str
    kind: str = strawberry.field(description="table (or view), function or control.")
    operations: list[PolicyCell]

    @classmethod
    def of(cls, line: Line) -> "PolicyLine":
        return cls(target=line.target.written, kind=line.kind, operations=[PolicyCell.of(cell) for cell in line.cells])


@strawberry.type(name="policy_matrix", description="All that a role may do.")
class PolicyMatrix:
    roleid: strawberry.ID
    complete: bool = strawberry.field(description=_COMPLETE)
    targets: list[PolicyLine]


@strawberry.type(name="policy_limits", description="How much an operation may read, and how long it may take.")
class PolicyLimits:
    max_rows: int | None = strawberry.field(description=_MAX_ROWS)
    max_seconds: float | None = strawberry.field(description=_MAX_SECONDS)

    @classmethod
    def of(cls, limits: Limits) -> "PolicyLimits":
        return cls(max_rows=limits.max_rows, max_seconds=limits.max_seconds)


@strawberry.type(name="policy_difference", description="What a role would gain and lose.")
class PolicyDifference:
    roleid: strawberry.ID
    login: str
    target: str
    operation: str
    before: str = strawberry.field(description="The verdict by the rules as they are.")
    after: str = strawberry.field(description="The verdict by the proposed rules.")
    rows_gained: int | None
    rows_lost: int | None
    sample_gained: list[GenericScalar] = strawberry.field(description="The keys of the first rows.")
    sample_lost: list[GenericScalar]
    columns_gained: list[str]
    columns_lost: list[str]
    columns_changed: list[str] = strawberry.field(description="Those that look otherwise on some row.")
    limits_before: PolicyLimits
    limits_after: PolicyLimits
    uncounted: str | None = strawberry.field(description="Why the rows were not counted, where they were not.")

    @classmethod
    def of(cls, counted: CountedDifference) -> "PolicyDifference":
        found = counted.difference
        return cls(
            roleid=strawberry.ID(str(found.subject.principal.role_id)),
            login=found.subject.principal.login,
            target=found.target.written,
            operation=found.operation,
            before=found.before.verdict,
            after=found.after.verdict,
            rows_gained=_count(counted.gained),
            rows_lost=_count(counted.lost),
            sample_gained=_sample(counted.gained),
            sample_lost=_sample(counted.lost),
            columns_gained=list(found.columns_gained),
            columns_lost=list(found.columns_lost),
            columns_changed=list(found.columns_changed),
            limits_before=PolicyLimits.of(found.limits[0]),
            limits_after=PolicyLimits.of(found.limits[1]),
            uncounted=counted.uncounted,
        )


@strawberry.type(name="policy_diff", description="What proposed rules would change.")
class PolicyDiff:
    complete: bool = strawberry.field(description=_COMPLETE)
    cut: bool = strawberry.field(description="Whether there are more differences than are told.")
    differences: list[PolicyDifference]

    @classmethod
    def of(cls, differences: Differences) -> "PolicyDiff":
        return cls(
            complete=differences.is_complete,
            cut=differences.is_cut,
            differences=[PolicyDifference.of(each) for each in differences.found],
        )


def _mask(mask: ColumnMask) -> dict[str, str]:
    """A mask as a rule is given it."""
    more = {name: text for name, text in (("when", mask.when), ("value", mask.value)) if text}
    return {"mask": mask.kind, "unless": mask.unless, "text": mask.text} | more


def _count(rows: CountedRows | None) -> int | None:
    return None if rows is None else rows.count


def _sample(rows: CountedRows | None) -> list[GenericScalar]:
    return [] if rows is None else [GenericScalar(each) for each in rows.sample]
