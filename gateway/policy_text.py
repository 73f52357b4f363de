"""What `ostiary policy` prints: explanations, matrices and differences as their reader wants them."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from schema.roles_pbac.explained.asked import CountedDifference, CountedRows, Differences, Explained
from schema.roles_pbac.explained.considered import Considered, Limits
from schema.roles_pbac.explained.filters import JudgedPart, Truth
from schema.roles_pbac.explained.matrix import Cell, Line

_TRUTHS: dict[Truth, str] = {True: "true", False: "false", None: "unknown", "fails": "fails"}
_VERDICTS = {"allowed": "all rows", "conditioned": "some rows", "denied": "-", "ambiguous": "ambiguous"}
_CALLS = {"allowed": "yes", "conditioned": "yes", "denied": "-", "ambiguous": "ambiguous"}


def explanation_lines(explained: Explained) -> Iterator[RenderableType]:
    """The verdict, the rules, the parts of their filters, the columns, and the smallest change."""
    explanation, row = explained.explanation, explained.row
    yield f"[bold]{explanation.verdict}[/bold]: {escape(explanation.why)}"
    if row is not None:
        verdict = "allowed" if row.is_allowed else "fails" if row.fails else "denied"
        yield f"This row: [bold]{verdict}[/bold]."
    limits = _limits(explanation.limits)
    if limits:
        yield f"Limits: {limits}."
    if explanation.rules:
        yield _rules(explanation.rules)
    for rule in explanation.rules:
        if rule.missing_claims:
            claims = escape(", ".join(rule.missing_claims))
            yield f"Rule {rule.rule.rule_id} looks at claims that the role lacks: {claims}."
        if rule.filter is not None:
            judged = None if row is None else row.parts.get(rule.rule.rule_id)
            yield from _parts(rule, judged)
    if explained.columns:
        table = Table("column", "access", "mask")
        for column in explained.columns:
            table.add_row(escape(column.name), column.access, column.mask or "")
        yield table
    yield "To turn it:" if explained.change else "Nothing that rules and roles can be would turn it."
    for step in explained.change:
        yield f"  {escape(step.sentence)}"


def _rules(rules: Iterable[Considered]) -> Table:
    table = Table("rule", "name", "counts", "why")
    for each in rules:
        failed = [check.why for check in each.checks if not check.holds]
        why = failed or [check.why for check in each.checks if check.name in {"scope", "most_specific", "aggregates"}]
        table.add_row(
            str(each.rule.rule_id), escape(each.rule.name), "yes" if each.counts else "no", escape(" ".join(why))
        )
    return table


def _parts(rule: Considered, judged: Sequence[JudgedPart] | None) -> Iterator[str]:
    yield f"The filter of rule {rule.rule.rule_id}:"
    if judged is None:
        yield f"  {escape(rule.filter.text)}" if rule.filter is not None else ""
        return
    for each in judged:
        yield f"  {'  ' * each.depth}[bold]{_TRUTHS[each.truth]}[/bold]  {escape(each.part.text)}"


def matrix_tables(lines: Sequence[Line]) -> Iterator[Table]:
    """Tables and views, functions, and control targets, each in a table of its own."""
    titles = {"table": "Tables and views", "function": "Functions", "control": "Roles, classes and rules"}
    for kind, title in titles.items():
        those = [line for line in lines if line.kind == kind]
        if not those:
            continue
        verbs = ["call"] if kind == "function" else [cell.operation.partition("_")[0] for cell in those[0].cells]
        table = Table("target", *verbs, title=title, title_justify="left")
        for line in those:
            words = _CALLS if kind == "function" else _VERDICTS
            table.add_row(escape(line.target.written), *(_cell(cell, words[cell.verdict]) for cell in line.cells))
        yield table


def _limits(limits: Limits) -> str:
    rows = [] if limits.max_rows is None else [f"at most {limits.max_rows} rows"]
    return ", ".join([*rows, *([] if limits.max_seconds is None else [f"at most {limits.max_seconds:g} seconds"])])


def _cell(cell: Cell, verdict: str) -> str:
    masked, limits = frozenset(cell.masked), _limits(cell.limits)
    verdict += f"\n{limits}" if limits else ""
    if cell.columns is None:
        return verdict + (f"\nmasked: {escape(', '.join(cell.masked))}" if masked else "")
    listed = ", ".join(f"{column}*" if column in masked else column for column in cell.columns)
    return f"{verdict}\n{escape(listed) or 'no column'}"


def difference_table(differences: Differences) -> Table:
    """A line for each role, target and operation."""
    table = Table("role", "target", "operation", "verdict", "gained", "lost", "columns")
    for each in differences.found:
        found = each.difference
        principal = found.subject.principal
        verdict = found.after.verdict
        if found.before.verdict != verdict:
            verdict = f"{found.before.verdict} → {verdict}"
        table.add_row(
            f"{principal.role_id} {escape(principal.login)}",
            escape(found.target.written),
            found.operation,
            verdict,
            _rows(each, each.gained),
            _rows(each, each.lost),
            escape(" ".join(_columns(each))),
        )
    return table


def _rows(each: CountedDifference, rows: CountedRows | None) -> str:
    if rows is None:
        return escape(each.uncounted or "")
    keys = [", ".join(str(value) for value in _values(key)) for key in rows.sample]
    more = ", …" if len(rows.sample) < rows.count else ""
    return f"{rows.count}" + (f" ({escape('; '.join(keys))}{more})" if keys else "")


def _values(key: object) -> Iterable[object]:
    return key.values() if isinstance(key, dict) else (key,)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


def _columns(each: CountedDifference) -> Iterator[str]:
    found = each.difference
    yield from (f"+{name}" for name in found.columns_gained)
    yield from (f"-{name}" for name in found.columns_lost)
    yield from (f"~{name}" for name in found.columns_changed)
    was, becomes = found.limits
    if was != becomes:
        yield f"{_limits(was) or 'no limit'} → {_limits(becomes) or 'no limit'}"
