"""build_model: every rule by which a database name becomes a GraphQL name.

1. A name is kept as it is. A character that GraphQL does not allow becomes `_`; a leading digit, or `__` at the start,
   gets `_` before it or loses one.
2. A table takes its own name; if another table or a name of GraphQL's has it, `<schema>_<table>`, then a number.
3. A foreign key gives the owner `<singular of the target>`, and the target `<owner>_collection`. A second key between
   the same two tables adds its column: `<singular>_<column>`, `<owner>_<column>_collection`.
4. A table whose primary key is two foreign keys gives both of its targets `<the other target>_collection`.
5. A relation whose name a column has gets `_rel`; if that is taken too, a number.
6. A type made for a table beside its own (`T_where` …) gives way to tables: while one has its name, it gets `_` behind
   it. So does, within such a type, the name of a column that means something else there (`_and`, `null`).
7. An enum or composite type is named as tables are, after them; the type of a table's rows is `<table>_row`. The labels
   of enums: `schema/enums.py`.
8. A function takes its own name; if another function has it, `<schema>_<function>`, then a number. Its mutation is
   `call_<name>`. An argument without a name is `arg<place>`; one that is called like an argument of lists of rows gets
   `_arg`. Several OUT parameters are the fields of `<name>_result`. A computed field whose name a column or relation
   has gets `_computed`. Overloaded functions, and those of types that only PostgreSQL knows, are left out.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from db.catalog import Catalog, Column, PgType, Table, TableName
from schema.enums import mapped_labels
from schema.model import Entity, Model, Note, Relation
from schema.relations import Links, name_relations
from schema.routines import build_routines, named_types
from schema.spelling import free_name, legal_name

_SCALARS: Final = frozenset(
    {"String", "Int", "Float", "Boolean", "ID", "DateTime", "Date", "Time", "UUID", "BigInt", "GenericScalar"}
)
#: The types that all tables share: what a column is compared with, and by what rows are ordered.
SHARED_TYPES: Final = frozenset(
    {f"{scalar}_where" for scalar in _SCALARS}
    | {f"{scalar}_list_where" for scalar in _SCALARS}
    | {"ID_text_where", "Text_form_where", "Range_where", "Search_where", "Json_where", "Json_path_where"}
    | {"Presence_where", "Search_query", "Search_mode", "Search_config", "OrderDirection", "OrderFunction"}
    | {"JsonPath", "JsonPathValue", "ColumnName"}
)
_RESERVED: Final = (
    frozenset({"Query", "Mutation", "Subscription", "Aggregates", "Functions", "Utility", "OnConflict"})
    | _SCALARS
    | SHARED_TYPES
)
#: What the types made for a table are called behind its name. None ends another, so that two tables never meet.
DERIVED: Final = (
    *("_where", "_where_many", "_compare", "_order", "_order_many", "_column"),
    *("_aggregates", "_group", "_key", "_sum", "_avg", "_spread", "_extremes", "_truth", "_grouping", "_having"),
    "_sorting",
    *("_insert", "_rowkey", "_update", "_relations", "_link", "_links", "_mutation"),
)
_CONDITION_WORDS: Final = frozenset({"_and", "_or", "_not", "_compare"})
_NO_ENUM_VALUES: Final = frozenset({"true", "false", "null"})
Thing = TypeVar("Thing")


def derived_type_name(model: Model, entity: Entity, suffix: str) -> str:
    """The name of a type made for an entity, which no table has and no type that all share."""
    return free_type_name(model, entity.name + suffix)


def free_type_name(model: Model, name: str) -> str:
    """The name, longer if that is one of a table or of a type that all share."""
    while name in model.entities or name in model.taken or name in _RESERVED:
        name += "_"
    return name


def condition_members(entity: Entity) -> Mapping[str, Column | Relation]:
    """What can be named in a condition on an entity, beside `_and` and the like."""
    return _beside(_CONDITION_WORDS, {**entity.columns, **entity.relations})


def column_members(entity: Entity) -> Mapping[str, Column]:
    """The columns of an entity as values of an enum."""
    return _beside(_NO_ENUM_VALUES, entity.columns)


def _beside(words: frozenset[str], things: Mapping[str, Thing]) -> Mapping[str, Thing]:
    if words.isdisjoint(things):
        return things
    named: dict[str, Thing] = {}
    for name, thing in things.items():
        free = name
        while free in words or (free != name and free in things):
            free += "_"
        named[free] = thing
    return named


def build_model(catalog: Catalog) -> Model:
    """The catalog under its GraphQL names, with a note for each name that could not be kept."""
    notes: list[Note] = []
    taken = set(_RESERVED)
    names = _entity_names(catalog, taken, notes)
    columns = {table.name: _columns(table, notes) for table in catalog.tables}
    links = Links.of(catalog, names)
    relations = {table.name: name_relations(table, links, set(columns[table.name]), notes) for table in catalog.tables}
    type_names = _type_names(catalog, taken, notes)
    fields = {
        table.name: {*columns[table.name], *(relation.name for relation in relations[table.name])}
        for table in catalog.tables
        if table.columns
    }
    routines = build_routines(catalog, fields, taken, notes)
    notes += [Note(str(table.name), "has no columns", "skipped") for table in catalog.tables if not table.columns]
    entities = [
        Entity(
            name=names[table.name],
            table=table,
            columns=MappingProxyType(columns[table.name]),
            relations=MappingProxyType({relation.name: relation for relation in relations[table.name]}),
            computed=routines.computed.get(table.name, MappingProxyType({})),
        )
        for table in catalog.tables
        if table.columns
    ]
    return Model(
        entities=MappingProxyType({entity.name: entity for entity in sorted(entities, key=lambda each: each.name)}),
        by_table=MappingProxyType({entity.table.name: entity for entity in entities}),
        type_names=MappingProxyType(type_names),
        routines=routines.by_name,
        taken=frozenset(taken),
        notes=tuple(notes),
    )


def _entity_names(catalog: Catalog, taken: set[str], notes: list[Note]) -> dict[TableName, str]:
    names: dict[TableName, str] = {}
    for table in sorted(catalog.tables, key=lambda each: (each.name.schema != "public", each.name)):
        name = free_name((legal_name(table.name.name), legal_name(f"{table.name.schema}_{table.name.name}")), taken)
        if name != table.name.name:
            notes.append(Note(str(table.name), f"is called {name}: its own name is taken or not one for GraphQL"))
        taken |= {name, name + "Input"}
        names[table.name] = name
    return names


def _type_names(catalog: Catalog, taken: set[str], notes: list[Note]) -> dict[str, str]:
    """The names of the enums and composite types of columns, by what they are called in SQL."""
    found: dict[str, PgType] = {}
    for table in catalog.tables:
        for column in table.columns:
            _collect_named(column.type, found)
    for kind in named_types(catalog):
        _collect_named(kind, found)
    names: dict[str, str] = {}
    for kind in sorted(found.values(), key=lambda each: (each.schema != "public", each.schema, each.base)):
        base = f"{kind.base}_row" if kind.row_of else kind.base
        name = free_name((legal_name(base), legal_name(f"{kind.schema}_{base}")), taken)
        if name != kind.base:
            notes.append(Note(f"type {kind.schema}.{kind.base}", f"is called {name}"))
        for label, mapped in mapped_labels(kind.labels).items():
            notes.append(Note(f"label {label!r} of {kind.schema}.{kind.base}", f"is called {mapped}"))
        taken |= {name, name + "Input"}
        names[kind.name] = name
    return names


def _collect_named(kind: PgType, found: dict[str, PgType]) -> None:
    if kind.element is not None:
        _collect_named(kind.element, found)
    if kind.kind in {"enum", "composite"} and kind.name not in found:
        found[kind.name] = kind
        for attribute in kind.attributes:
            _collect_named(attribute.type, found)


def _columns(table: Table, notes: list[Note]) -> dict[str, Column]:
    named: dict[str, Column] = {}
    for column in table.columns:
        name = free_name((legal_name(column.name),), set(named))
        if name != column.name:
            notes.append(Note(f"{table.name}.{column.name}", f"is called {name}"))
        named[name] = column
    return named
