"""What Mudbase's clients do with documents: `data/projects/…`, each one document for the caller's view."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from db.errors import PublicError
from gateway.body import BodyUnreadable, check_nesting, parse_json
from gateway.facades.asking import ask
from gateway.facades.mudbase_errors import forbidden, invalid, not_found
from gateway.facades.mudbase_filter import to_ordering, to_where
from gateway.facades.tables import (
    Document,
    TableView,
    count_document,
    count_in,
    delete_document,
    insert_document,
    list_document,
    row_document,
    update_document,
    whole,
)
from gateway.tenancy import LoadedTenant
from schema.expression.coerce import coercer
from schema.principal import Principal
from schema.query.building.schema import RootOperation

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 100
_MAX_NUMBER: Final = 2**24
#: What the service adds to documents.
_ADDED: Final = frozenset({"_id", "__v", "createdAt", "updatedAt"})

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Collection:
    """One table, as the caller may work with it; `owner` is the column that says whose a row is."""

    loaded: LoadedTenant
    principal: Principal
    table: TableView
    owner: str | None

    async def page(self, query: Mapping[str, str]) -> dict[str, object]:
        """A page of documents, and where it lies. Raises Refusal, PublicError."""
        self._require("select")
        where = to_where(_read_filter(query.get("filter", "")), self.table)
        page, limit = _number(query, "page", 1), min(_number(query, "limit", DEFAULT_PAGE), MAX_PAGE)
        ordering = to_ordering(query.get("sort", ""), self.table)
        offset = (page - 1) * limit
        picked = whole(self.table)
        answer = await self._ask(list_document(picked, where=where, ordering=ordering, limit=limit, offset=offset))
        total = cast("int", count_in(await self._ask(count_document(self.table, where=where))))
        pages = -(-total // limit)
        return {
            "data": self._shown(answer["rows"]),
            "pagination": {"page": page, "limit": limit, "total": total, "totalPages": pages},
        }

    async def get(self, row_id: str) -> dict[str, object]:
        """The document of this id."""
        self._require("select")
        self._require_key(row_id)
        found = self._shown((await self._ask(row_document(whole(self.table), row_id)))["rows"])
        if not found:
            raise not_found("Document")
        return found[0]

    async def create(self, row: Row) -> dict[str, object]:
        """A new document. Where nobody says whose it is, it is the caller's."""
        self._require("insert")
        values = self._values(row)
        if self.owner in self.table.entity.writable and values.get(str(self.owner)) is None:
            values[str(self.owner)] = self.principal.role_id
        answer = await self._ask(insert_document(whole(self.table), values))
        return self._shown([answer["row"]])[0]

    async def change(self, row_id: str, row: Row) -> dict[str, object]:
        """The document of this id, with these values."""
        self._require("update")
        self._require_key(row_id)
        values = self._values(row)
        values.pop(str(self.table.key), None)
        if not values:
            return await self.get(row_id)
        answer = await self._ask(update_document(whole(self.table), row_id, values))
        return self._shown([answer["row"]])[0]

    async def remove(self, row_id: str) -> None:
        """Nothing; the document of this id is gone."""
        self._require("delete")
        self._require_key(row_id)
        await self._ask(delete_document(whole(self.table), row_id))

    async def _ask(self, document: Document) -> dict[str, object]:
        return await ask(self.loaded, self.principal, document)

    def _shown(self, rows: object) -> list[dict[str, object]]:
        return [self._document(row) for row in cast("list[Row]", rows)]

    def _document(self, row: Row) -> dict[str, object]:
        shown = {name: row[name] for name in self.table.columns}
        if self.table.key is not None and "_id" not in shown:
            shown["_id"] = str(row[self.table.key])
        return shown

    def _values(self, row: Row) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, value in row.items():
            if name in self.table.entity.writable:
                values[name] = value
            elif name not in _ADDED and name not in self.table.columns:
                raise invalid(f"There is no field {name[:63]}")
        return values

    def _require(self, operation: RootOperation) -> None:
        if operation not in self.table.roots:
            raise forbidden("No policy rule allows this")

    def _require_key(self, row_id: str) -> None:
        if self.table.key is None:
            raise invalid("Documents of this collection have no ids: its primary key is not one column")
        try:
            coercer(self.table.entity.columns[self.table.key].type)(row_id)
        except PublicError as error:
            # What no key can be is the id of no row.
            raise not_found("Document") from error


def _read_filter(text: str) -> object:
    if not text:
        return {}
    try:
        value = parse_json(text.encode("utf-8", "surrogatepass"), "The filter")
        check_nesting(value)
    except BodyUnreadable as error:
        raise invalid("filter must be a JSON object") from error
    return value


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or not 0 < int(text) <= _MAX_NUMBER:
        raise invalid(f"{name} must be a positive number")
    return int(text)
