"""read_catalog: what a tenant's database holds, by the one query in catalog.sql."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final, Protocol, cast

import orjson

from db.catalog import Catalog, Column, ForeignKey, PgType, RelationKind, Table, TableName

_QUERY: Final = files("db").joinpath("catalog.sql").read_text("utf-8")
_KINDS: Final[dict[str, RelationKind]] = {
    "r": "table",
    "v": "view",
    "m": "materialized_view",
    "f": "foreign_table",
    "p": "partitioned_table",
}


class Reader(Protocol):
    async def fetch_text(self, text: str, arguments: Sequence[object]) -> bytes: ...


async def read_catalog(database: Reader, schemas: Sequence[str]) -> Catalog:
    """Tables and views of the given schemas, in the order of their names."""
    return parse_catalog(await database.fetch_text(_QUERY, [list(schemas)]))


def parse_catalog(answer: bytes) -> Catalog:
    """The catalog that the query's JSON describes; its fingerprint is a digest of that JSON."""
    return Catalog(
        tables=tuple(_table(row) for row in cast("list[dict[str, Any]]", orjson.loads(answer))),
        fingerprint=hashlib.sha256(answer).hexdigest()[:16],
    )


def _table(row: dict[str, Any]) -> Table:
    keys: list[dict[str, Any]] = row["keys"]
    return Table(
        name=TableName(row["schema"], row["name"]),
        columns=tuple(_column(column) for column in row["columns"]),
        primary_key=next((tuple(key["columns"]) for key in keys if key["primary"]), ()),
        unique_keys=tuple(tuple(key["columns"]) for key in keys if not key["primary"]),
        foreign_keys=tuple(_foreign_key(key) for key in row["foreign_keys"]),
        kind=_KINDS[row["kind"]],
        comment=row["comment"],
        is_insertable=row["insertable"],
        is_updatable=row["updatable"],
    )


def _column(row: dict[str, Any]) -> Column:
    identities: dict[str, Any] = {"": "", "a": "always", "d": "by default"}
    return Column(
        name=row["name"],
        type=_type(row["type"]),
        not_null=row["not_null"],
        has_default=row["has_default"],
        is_generated=row["generated"],
        is_identity=identities[row["identity"]],
        comment=row["comment"],
        collation=row["collation"] or "",
        is_deterministic=row["deterministic"] is not False,
    )


def _type(row: dict[str, Any]) -> PgType:
    return PgType(
        name=row["name"],
        base=row["base"],
        kind=row["kind"],
        element=_type(row["element"]) if row["element"] else None,
        labels=tuple(row["labels"] or ()),
    )


def _foreign_key(row: dict[str, Any]) -> ForeignKey:
    return ForeignKey(
        name=row["name"],
        columns=tuple(row["columns"]),
        target=TableName(row["schema"], row["table"]),
        target_columns=tuple(row["target_columns"]),
    )
