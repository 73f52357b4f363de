"""read_catalog: what a tenant's database holds, by the one query in catalog.sql."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final, Literal, Protocol

import orjson

from db.catalog import (
    Attribute,
    Catalog,
    Column,
    ForeignKey,
    Function,
    FunctionName,
    Parameter,
    PgType,
    RelationKind,
    Table,
    TableName,
)

CATALOG_QUERY: Final = files("db").joinpath("catalog.sql").read_text("utf-8")
_KINDS: Final[dict[str, RelationKind]] = {
    "r": "table",
    "v": "view",
    "m": "materialized_view",
    "f": "foreign_table",
    "p": "partitioned_table",
}
_VOLATILITIES: Final[dict[str, Literal["immutable", "stable", "volatile"]]] = {
    "i": "immutable",
    "s": "stable",
    "v": "volatile",
}


class Reader(Protocol):
    async def fetch_text(self, text: str, arguments: Sequence[object]) -> bytes: ...


async def read_catalog(database: Reader, schemas: Sequence[str]) -> Catalog:
    """Tables, views and functions of the given schemas, in the order of their names."""
    return parse_catalog(await database.fetch_text(CATALOG_QUERY, [list(schemas)]))


def parse_catalog(answer: bytes) -> Catalog:
    """The catalog that the query's JSON describes; its fingerprint is a digest of that JSON."""
    found: dict[str, list[dict[str, Any]]] = orjson.loads(answer)
    types = _Types(found["types"])
    return Catalog(
        tables=tuple(_table(row, types) for row in found["tables"]),
        fingerprint=hashlib.sha256(answer).hexdigest()[:16],
        functions=tuple(_function(row, types) for row in found["functions"]),
    )


class _Types:
    """The types of a catalog by their oids, each made once."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = {int(row["oid"]): row for row in rows}
        self._made: dict[int, PgType] = {}

    def get(self, oid: int) -> PgType:
        made = self._made.get(oid)
        if made is None:
            made = self._made[oid] = self._make(self._rows[oid])
        return made

    def _make(self, row: dict[str, Any]) -> PgType:
        if row["kind"] == "domain":
            return self.get(int(row["domain_over"]))
        return PgType(
            name=row["name"],
            base=row["base"],
            kind=row["kind"],
            element=self.get(int(row["element"])) if row["element"] else None,
            labels=tuple(row["labels"] or ()),
            schema=row["schema"],
            attributes=tuple(Attribute(name, self.get(int(oid))) for name, oid in row["attributes"] or ()),
            row_of=TableName(*row["row_of"]) if row["row_of"] else None,
            comment=row["comment"],
        )


def _table(row: dict[str, Any], types: _Types) -> Table:
    keys: list[dict[str, Any]] = row["keys"] or []
    return Table(
        name=TableName(row["schema"], row["name"]),
        columns=tuple(_column(column, types) for column in row["columns"] or ()),
        primary_key=next((tuple(key["columns"]) for key in keys if key["primary"]), ()),
        unique_keys=tuple(tuple(key["columns"]) for key in keys if not key["primary"]),
        foreign_keys=tuple(_foreign_key(key) for key in row["foreign_keys"] or ()),
        kind=_KINDS[row["kind"]],
        comment=row["comment"],
        is_insertable=row["insertable"],
        is_updatable=row["updatable"],
        has_early_triggers=row["early_triggers"],
        has_late_triggers=row["late_triggers"],
        constraints=_constraints(row["constraints"]),
    )


def _column(row: dict[str, Any], types: _Types) -> Column:
    identities: dict[str, Any] = {"": "", "a": "always", "d": "by default"}
    return Column(
        name=row["name"],
        type=types.get(int(row["type"])),
        not_null=row["not_null"],
        has_default=row["has_default"],
        is_generated=row["generated"],
        is_identity=identities[row["identity"]],
        comment=row["comment"],
        collation=row["collation"] or "",
        is_deterministic=row["deterministic"] is not False,
    )


def _foreign_key(row: dict[str, Any]) -> ForeignKey:
    return ForeignKey(
        name=row["name"],
        columns=tuple(row["columns"]),
        target=TableName(row["schema"], row["table"]),
        target_columns=tuple(row["target_columns"]),
    )


def _function(row: dict[str, Any], types: _Types) -> Function:
    oids: list[Any] = row["types"]
    modes: list[str] = row["modes"] or ["i"] * len(oids)
    names: list[str] = row["names"] or [""] * len(oids)
    all_of_them = [(name, types.get(int(oid)), mode) for name, oid, mode in zip(names, oids, modes, strict=True)]
    inputs = [each for each in all_of_them if each[2] in "ibv"]
    # Only the last ones can have defaults (PostgreSQL: CREATE FUNCTION).
    first_default = len(inputs) - int(row["defaults"])
    return Function(
        name=FunctionName(row["schema"], row["name"]),
        parameters=tuple(
            Parameter(name, kind, has_default=index >= first_default, is_variadic=mode == "v")
            for index, (name, kind, mode) in enumerate(inputs)
        ),
        result=types.get(int(row["result"])),
        outputs=tuple(Attribute(name, kind) for name, kind, mode in all_of_them if mode in "obt"),
        returns_set=row["set"],
        volatility=_VOLATILITIES[row["volatility"]],
        is_strict=row["strict"],
        is_procedure=row["procedure"],
        comment=row["comment"],
    )


def _constraints(columns_by_name: dict[str, list[str] | None] | None) -> dict[str, tuple[str, ...]]:
    return {name: tuple(columns or ()) for name, columns in (columns_by_name or {}).items()}
