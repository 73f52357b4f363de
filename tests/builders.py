"""Small values with good defaults, for tests of the pure rooms."""

from collections.abc import Iterable

from db.catalog import Catalog, Column, ForeignKey, PgType, Table, TableName
from db.records import Rule
from schema.model import Entity, Model, Relation
from schema.principal import NORMAL_CAPABILITIES, Principal

MOOD = PgType("public.mood", "mood", "enum", labels=("calm", "cross"))
TEXT_LIST = PgType("_text", "_text", "array", PgType("text", "text"))


def a_type(base: str) -> PgType:
    """A built-in type by its name."""
    return PgType(base, base)


def a_column(name: str, pg_type: str | PgType = "text", *, not_null: bool = False) -> Column:
    return Column(name, a_type(pg_type) if isinstance(pg_type, str) else pg_type, not_null=not_null)


def a_table(
    name: str = "item",
    *columns: Column,
    schema: str = "public",
    primary_key: tuple[str, ...] = ("id",),
    foreign_keys: Iterable[ForeignKey] = (),
) -> Table:
    """A table with an integer key `id`, unless other columns are given."""
    return Table(
        TableName(schema, name),
        columns or (a_column("id", "int4", not_null=True),),
        primary_key,
        foreign_keys=tuple(foreign_keys),
    )


def a_foreign_key(column: str, target: str, target_column: str = "id") -> ForeignKey:
    """A key that is named after its target."""
    return ForeignKey(target, (column,), TableName("public", target), (target_column,))


def a_catalog(*tables: Table) -> Catalog:
    """The given tables, or lists with items of every kind of column: an item belongs to a list, a list to a person."""
    return Catalog(tables or (_PERSON, _LIST, _ITEM))


def a_model(*tables: Table) -> Model:
    """A model of `a_catalog(*tables)`. A foreign key gives a to-one relation of its own name, and a collection named
    after the table that owns it."""
    catalog = a_catalog(*tables)
    entities = [
        Entity(table.name.name, table, {c.name: c for c in table.columns}, _relations(table, catalog))
        for table in catalog.tables
    ]
    return Model({entity.name: entity for entity in entities}, {entity.table.name: entity for entity in entities})


def a_rule(
    rule_id: int = 1,
    *,
    tenant_id: int = 1,
    capabilities: Iterable[str] = ("select",),
    targets: Iterable[str] = ("item",),
    filter: str = "",  # noqa: A002 - the field's name
    role_ids: Iterable[int] = (),
    class_ids: Iterable[int] = (),
) -> Rule:
    """A rule that lets everybody of tenant 1 select items."""
    return Rule(
        rule_id,
        tenant_id,
        f"rule {rule_id}",
        frozenset(capabilities),
        frozenset(targets),
        filter,
        frozenset(role_ids),
        frozenset(class_ids),
    )


def a_principal(
    role_id: int = 7,
    *,
    tenant_id: int = 1,
    capabilities: Iterable[str] = NORMAL_CAPABILITIES,
    class_ids: Iterable[int] = (),
    is_root: bool = False,
) -> Principal:
    """An ordinary user of tenant 1."""
    return Principal(
        tenant_id,
        role_id,
        f"role{role_id}",
        capabilities=frozenset(capabilities),
        class_ids=frozenset(class_ids),
        is_root=is_root,
    )


def _relations(table: Table, catalog: Catalog) -> dict[str, Relation]:
    to_one = {
        key.name: Relation(key.name, key.target, key.columns, key.target_columns, many=False)
        for key in table.foreign_keys
    }
    collections = {
        f"{owner.name.name}_collection": Relation(
            f"{owner.name.name}_collection", owner.name, key.target_columns, key.columns, many=True
        )
        for owner in catalog.tables
        for key in owner.foreign_keys
        if key.target == table.name
    }
    return to_one | collections


_PERSON = a_table("person", a_column("id", "int4", not_null=True), a_column("name"), a_column("role_id", "int4"))
_LIST = a_table(
    "list",
    a_column("id", "int4", not_null=True),
    a_column("name"),
    a_column("order", "int4"),
    a_column("owner_id", "int4"),
    foreign_keys=[a_foreign_key("owner_id", "person")],
)
_ITEM = a_table(
    "item",
    a_column("id", "int4", not_null=True),
    a_column("title"),
    a_column("subtitle", "varchar"),
    a_column("code", "bpchar"),
    a_column("done", "bool"),
    a_column("price", "numeric"),
    a_column("weight", "float8"),
    a_column("made", "timestamptz"),
    a_column("due", "date"),
    a_column("mood", MOOD),
    a_column("key", "uuid"),
    a_column("data", "json"),
    a_column("place", "point"),
    a_column("tags", TEXT_LIST),
    a_column("roleId", "int8"),
    a_column("Twin"),
    a_column("twin"),
    a_column("list_id", "int4"),
    foreign_keys=[a_foreign_key("list_id", "list")],
)
