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

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from db.catalog import Catalog, Column, ForeignKey, PgType, Table, TableName
from schema.enums import mapped_labels
from schema.model import Entity, Junction, Model, Note, Relation
from schema.routines import build_routines, named_types
from schema.spelling import free_name, legal_name, singular

_SCALARS: Final = frozenset(
    {"String", "Int", "Float", "Boolean", "ID", "DateTime", "Date", "Time", "UUID", "BigInt", "GenericScalar"}
)
#: The types that all tables share: what a column is compared with, and by what rows are ordered.
SHARED_TYPES: Final = frozenset(
    {f"{scalar}_where" for scalar in _SCALARS}
    | {f"{scalar}_list_where" for scalar in _SCALARS}
    | {"ID_text_where", "Text_form_where", "Range_where", "Search_where", "Json_where", "Json_path_where"}
    | {"Presence_where", "Search_query", "Search_mode", "Search_config", "OrderDirection", "OrderFunction"}
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
)
_CONDITION_WORDS: Final = frozenset({"_and", "_or", "_not", "_compare"})
_NO_ENUM_VALUES: Final = frozenset({"true", "false", "null"})
Thing = TypeVar("Thing")


def derived_type_name(model: Model, entity: Entity, suffix: str) -> str:
    """The name of a type made for an entity, which no table has and no type that all share."""
    name = entity.name + suffix
    while name in model.entities or name in _RESERVED:
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
    relations = {
        table.name: _relations(table, catalog, names, set(columns[table.name]), notes) for table in catalog.tables
    }
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


def _relations(
    table: Table, catalog: Catalog, names: dict[TableName, str], taken: set[str], notes: list[Note]
) -> list[Relation]:
    found: list[Relation] = []
    candidates = [*_to_one(table, names), *_to_many(table, catalog, names), *_many_to_many(table, catalog, names)]
    for wanted, make in candidates:
        name = free_name((*wanted, wanted[0] + "_rel"), taken)
        if name != wanted[0]:
            notes.append(Note(f"{table.name}.{wanted[0]}", f"is called {name}: the name is taken"))
        taken.add(name)
        found.append(make(name))
    return found


_Candidate = tuple[tuple[str, ...], Callable[[str], Relation]]


def _to_one(table: Table, names: dict[TableName, str]) -> Iterable[_Candidate]:
    seen: set[TableName] = set()
    for key in _known(table, names):
        plain = singular(names[key.target])
        qualified = f"{plain}_{legal_name(key.columns[0])}"

        def make(name: str, key: ForeignKey = key) -> Relation:
            return Relation(name, key.target, key.columns, key.target_columns, many=False)

        yield (qualified,) if key.target in seen else (plain,), make
        seen.add(key.target)


def _to_many(table: Table, catalog: Catalog, names: dict[TableName, str]) -> Iterable[_Candidate]:
    for owner in catalog.tables:
        pointing = [key for key in _known(owner, names) if key.target == table.name]
        for place, key in enumerate(pointing):
            plain = f"{names[owner.name]}_collection"
            qualified = f"{names[owner.name]}_{legal_name(key.columns[0])}_collection"

            def make(name: str, owner: Table = owner, key: ForeignKey = key) -> Relation:
                return Relation(name, owner.name, key.target_columns, key.columns, many=True)

            yield (qualified,) if place else (plain,), make


def _many_to_many(table: Table, catalog: Catalog, names: dict[TableName, str]) -> Iterable[_Candidate]:
    for middle in catalog.tables:
        keys = _known(middle, names)
        ends = [key for key in keys if set(key.columns) <= set(middle.primary_key)]
        if len(ends) != 2 or {*ends[0].columns, *ends[1].columns} != set(middle.primary_key):
            continue
        for near, far in (ends, ends[::-1]):
            if near.target != table.name or (near.target == far.target and near is ends[1]):
                continue

            def make(name: str, near: ForeignKey = near, far: ForeignKey = far, middle: Table = middle) -> Relation:
                junction = Junction(middle.name, near.columns, far.columns)
                return Relation(name, far.target, near.target_columns, far.target_columns, many=True, junction=junction)

            plain = f"{names[far.target]}_collection"
            yield (plain, f"{names[far.target]}_{names[middle.name]}_collection"), make


def _known(table: Table, names: dict[TableName, str]) -> list[ForeignKey]:
    return [key for key in table.foreign_keys if key.target in names]
