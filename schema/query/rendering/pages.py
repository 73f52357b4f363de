"""render_page_member: what is told of a page by keys: its cursors, and whether rows follow or precede it.

`read.keyset` must be there (`plan_rows(…, by_keys=True)`). Each is a subselect of its own, so that only what is asked
for is looked up.
"""

from typing import Final, assert_never

from db.sql import Sql, join, sql
from schema.query.plan import Keyset, PageMember, Read
from schema.query.rendering.context import Rendering
from schema.query.rendering.keyset import outside_page, render_cursor, within_page
from schema.query.rendering.orders import named_values, order_clause
from schema.query.rendering.predicate import render_argument
from schema.query.rendering.reads import exists_row, render_rows

PAGE_MEMBERS: Final[tuple[PageMember, ...]] = ("has_next_page", "has_previous_page", "start_cursor", "end_cursor")


def render_page_member(rendering: Rendering, read: Read, member: PageMember, parent: str = "") -> Sql:
    """Its JSON, as text that is never null."""
    keyset = _keyset(read)
    match member:
        case "has_next_page":
            return sql("({found})::text", found=_follow(rendering, read, keyset, parent))
        case "has_previous_page":
            return sql("({found})::text", found=_precede(rendering, read, keyset, parent))
        case "start_cursor":
            return _cursor_json(render_edge_cursor(rendering, read, parent))
        case "end_cursor":
            return _cursor_json(render_edge_cursor(rendering, read, parent, at_end=True))
        case _:
            assert_never(member)


def render_edge_cursor(rendering: Rendering, read: Read, parent: str = "", *, at_end: bool = False) -> Sql:
    """The cursor of the first row of the page, or of its last; null where it has none."""
    alias = rendering.aliases.new(read.entity)
    rows = render_rows(rendering, read, alias, parent, ())
    return sql(
        "(select {cursor} from {source}{order} limit 1)",
        cursor=render_cursor(_keyset(read), rows.values),
        source=rows.source,
        order=order_clause(read.order, rows.values, backward=at_end),
    )


def render_row_cursor(read: Read, alias: str) -> Sql:
    """The cursor of the row that `alias` stands for among those that `render_rows` gives for the same read."""
    return render_cursor(_keyset(read), named_values(read.order, alias))


def _cursor_json(cursor: Sql) -> Sql:
    # Its characters need no escapes.
    return sql("""coalesce('"' || {cursor} || '"', 'null')""", cursor=cursor)


def _keyset(read: Read) -> Keyset:
    assert read.keyset is not None
    return read.keyset


def _follow(rendering: Rendering, read: Read, keyset: Keyset, parent: str) -> Sql:
    ways = [] if keyset.backward else _beyond_its_size(rendering, read, keyset, parent)
    if (before := keyset.before) is not None:
        ways.append(
            exists_row(
                rendering, read, parent, lambda values: [outside_page(before, read.order, values, backward=True)]
            )
        )
    return join(" or ", ways) if ways else sql("false")


def _precede(rendering: Rendering, read: Read, keyset: Keyset, parent: str) -> Sql:
    ways = _beyond_its_size(rendering, read, keyset, parent) if keyset.backward else []
    if (after := keyset.after) is not None:
        ways.append(
            exists_row(
                rendering, read, parent, lambda values: [outside_page(after, read.order, values, backward=False)]
            )
        )
    if read.offset is not None:
        there = exists_row(rendering, read, parent, lambda values: within_page(keyset, read.order, values))
        ways.append(sql("({offset} > 0 and {there})", offset=render_argument(read.offset), there=there))
    return join(" or ", ways) if ways else sql("false")


def _beyond_its_size(rendering: Rendering, read: Read, keyset: Keyset, parent: str) -> list[Sql]:
    """Whether between its cursors there are more rows than the page may have."""
    if read.limit is None:
        return []
    size = render_argument(read.limit)
    if read.offset is not None:
        size = sql("{size} + {offset}", size=size, offset=render_argument(read.offset))
    return [exists_row(rendering, read, parent, lambda values: within_page(keyset, read.order, values), size)]
