"""What Backendless' clients do with rows: `data/<table>…`, each one document for the caller's view."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from db.errors import PublicError
from gateway.facades.asking import ask
from gateway.facades.backendless_errors import Action, denied, unknown_row, unknown_table, unsupported
from gateway.facades.backendless_rows import Row, id_of, shown_row, stored_values
from gateway.facades.backendless_where import Names, to_filter, to_ordering
from gateway.facades.shown_tables import ShownTables
from gateway.facades.tables import (
    Document,
    Picked,
    TableView,
    count_document,
    count_in,
    delete_document,
    insert_document,
    list_document,
    row_document,
    update_document,
)
from gateway.state import AppState
from gateway.tenancy import LoadedTenant
from schema.errors import UnknownColumn
from schema.expression.coerce import coercer
from schema.principal import Principal
from schema.query.building.schema import RootOperation

DEFAULT_PAGE: Final = 10
MAX_PAGE: Final = 100
#: Of each collection beside a row, unless it is said otherwise.
RELATED_PAGE: Final = 10
#: Over how many relations rows can be loaded.
MAX_STEPS: Final = 5
_MAX_OFFSET: Final = 2**31 - 1
_NOT_OFFERED: Final = ("groupBy", "having", "distinct", "relationsDepth", "fileReferencePrefix")
_ACTIONS: Final[Mapping[RootOperation, Action]] = {
    "select": "find",
    "insert": "create",
    "update": "update",
    "delete": "delete",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """One table, as the caller may work with it. `class_name` is what the client calls it."""

    state: AppState
    loaded: LoadedTenant
    principal: Principal
    table: TableView
    class_name: str
    names: Names

    async def find(self, query: Row) -> list[dict[str, object]]:
        """The rows that a query asks for. Raises Refusal, PublicError."""
        self._require("select")
        picked = self._picked(query)
        document = list_document(
            picked,
            filter_text=self._filter(query),
            ordering=to_ordering(_text(query, "sortBy"), self.table, self.names),
            limit=min(_number(query, "pageSize", DEFAULT_PAGE), MAX_PAGE),
            offset=_number(query, "offset", 0),
            related=min(_number(query, "relationsPageSize", RELATED_PAGE), MAX_PAGE),
        )
        return self._shown(picked, (await self._ask(document))["rows"])

    async def count(self, query: Row) -> object:
        """How many rows a query means."""
        self._require("select")
        return count_in(await self._ask(count_document(self.table, filter_text=self._filter(query))))

    async def get(self, row_id: object, query: Row) -> dict[str, object]:
        """The row of this id. Raises Refusal, PublicError."""
        self._require("select")
        self._require_key(row_id)
        picked = self._picked(query)
        related = min(_number(query, "relationsPageSize", RELATED_PAGE), MAX_PAGE)
        shown = self._shown(picked, (await self._ask(row_document(picked, row_id, related=related)))["rows"])
        if not shown:
            raise unknown_row()
        return shown[0]

    async def save(self, row: Row) -> dict[str, object]:
        """The row as it is then stored: a new one, or the one whose id it is sent with."""
        row_id = id_of(self.table, row)
        return await (self.create(row) if row_id is None else self.change(row_id, row))

    async def create(self, row: Row, *, upsert: bool = False) -> dict[str, object]:
        """A new row; with `upsert` one that may be there already. Where nobody says whose it is, it is the caller's."""
        self._require("insert")
        values = stored_values(self.table, row)
        row_id = row.get("objectId")
        if row_id is not None and self.table.key in self.table.entity.writable:
            values.setdefault(str(self.table.key), row_id)
        owner = self.names.owner
        if owner is not None and owner in self.table.entity.writable and values.get(owner) is None:
            values[owner] = self.names.role_id
        picked = self._written()
        answer = await self._ask(insert_document(picked, values, upsert=upsert))
        return self._shown(picked, [answer["row"]])[0]

    async def change(self, row_id: object, row: Row) -> dict[str, object]:
        """The row of this id, with these values. Raises Refusal, PublicError."""
        self._require("update")
        self._require_key(row_id)
        values = stored_values(self.table, row)
        values.pop(str(self.table.key), None)
        picked = self._written()
        if not values:
            return await self.get(row_id, {})
        answer = await self._ask(update_document(picked, row_id, values))
        return self._shown(picked, [answer["row"]])[0]

    async def remove(self, row_id: object) -> dict[str, object]:
        """When the row of this id was deleted: now."""
        self._require("delete")
        self._require_key(row_id)
        await self._ask(delete_document(Picked(self.table, ()), row_id))
        return {"deletionTime": round(self.state.clock() * 1000)}

    async def _ask(self, document: Document) -> dict[str, object]:
        return await ask(self.loaded, self.principal, document)

    def _filter(self, query: Row) -> str:
        return to_filter(_text(query, "where"), self.table, self.names)

    def _shown(self, picked: Picked, rows: object) -> list[dict[str, object]]:
        return [shown_row(picked, row, self.class_name, self.names) for row in cast("list[Row]", rows)]

    def _written(self) -> Picked:
        return Picked(self.table, tuple(self.table.columns), beside=self.names.owner)

    def _picked(self, query: Row) -> Picked:
        for name in _NOT_OFFERED:
            if query.get(name):
                raise unsupported(f"The option {name}")
        wanted = _listed(query, "props")
        everything = not wanted or "*" in wanted
        columns = dict.fromkeys(self.table.columns) if everything else dict[str, None]()
        for name in wanted:
            if name in self.table.columns:
                columns[name] = None
            elif name not in {"*", "objectId", "ownerId", "created", "updated", "___class"}:
                raise UnknownColumn(self.table.name, name[:63])
        for name in _listed(query, "excludeProps"):
            columns.pop(name, None)
        related = _related(self.table, _listed(query, "loadRelations"))
        return Picked(self.table, tuple(columns), related, self.names.owner)

    def _require(self, operation: RootOperation) -> None:
        if operation not in self.table.roots:
            raise denied(_ACTIONS[operation])

    def _require_key(self, row_id: object) -> None:
        if self.table.key is None:
            raise unsupported("To name a row of a table without a primary key of one column")
        try:
            coercer(self.table.entity.columns[self.table.key].type)(row_id)
        except PublicError as error:
            # What no key can be is the id of no row.
            raise unknown_row() from error


def open_desk(state: AppState, tables: ShownTables, loaded: LoadedTenant, principal: Principal, name: str) -> Desk:
    """The table of this name, for the caller. Raises Refusal."""
    shown = tables.find(loaded, principal, name)
    if shown is None:
        raise unknown_table(name)
    table, owner = shown
    return Desk(state, loaded, principal, table, name, Names(owner, principal.public_id, principal.role_id))


def _related(table: TableView, paths: list[str]) -> dict[str, Picked]:
    """What is loaded beside a row, for paths of relations."""
    steps: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        if rest.count(".") >= MAX_STEPS:
            raise unsupported(f"To load relations over more than {MAX_STEPS} steps")
        steps.setdefault(name, []).extend([rest] if rest else [])
    found: dict[str, Picked] = {}
    for name, rest in steps.items():
        target = table.related(name)
        if target is None:
            raise UnknownColumn(table.name, name[:63])
        found[name] = Picked(target, tuple(target.columns), _related(target, rest))
    return found


def _text(query: Row, name: str) -> str:
    value = query.get(name)
    if isinstance(value, list):
        return ",".join(str(each) for each in cast("list[object]", value))
    return value if isinstance(value, str) else ""


def _listed(query: Row, name: str) -> list[str]:
    return [each.strip() for each in _text(query, name).split(",") if each.strip()]


def _number(query: Row, name: str, default: int) -> int:
    value = query.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_OFFSET:
        return default
    return value
