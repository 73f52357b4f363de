"""build_routines: the functions and procedures of a catalog under GraphQL names, as far as GraphQL can call them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from db.catalog import Attribute, Catalog, Column, Function, Parameter, PgType, Table, TableName
from db.text_types import TEXT_TYPES
from schema.model import Entity, Note, Routine
from schema.spelling import free_name, legal_name

#: Arguments of fields that give lists of rows; a parameter of such a name has to take another.
_LIST_ARGUMENTS: Final = frozenset(
    {"filter", "ordering", "limit", "offset", "where", "order_by", "distinct_on", "first", "after", "last", "before"}
)
_PROCEDURE_OUTPUTS: Final = frozenset({"int2", "int4", "int8", "float4", "float8", "bool", "text", *TEXT_TYPES})


@dataclass(frozen=True, slots=True)
class Routines:
    """Those that fields of `Functions` and mutations call, by name, and the computed fields of each table."""

    by_name: Mapping[str, Routine]
    computed: Mapping[TableName, Mapping[str, Routine]]


def build_routines(
    catalog: Catalog, fields: Mapping[TableName, set[str]], taken: set[str], notes: list[Note]
) -> Routines:
    """The routines of the catalog. `fields` are the names that the fields of each entity have; `taken` those of types.
    What GraphQL cannot call is left out, with a note that says why."""
    by_name: dict[str, Routine] = {}
    computed: dict[TableName, dict[str, Routine]] = {}
    counts = Counter(function.name for function in catalog.functions)
    for function in sorted(catalog.functions, key=lambda each: (each.name.schema != "public", each.name)):
        reason = "is overloaded" if counts[function.name] > 1 else _obstacle(function)
        if reason:
            notes.append(Note(f"function {function.name}", f"is left out: it {reason}", "skipped"))
            continue
        table = _computed_on(function, fields)
        own = legal_name(function.name.name)
        if table is not None:
            name = free_name((own, f"{own}_computed"), fields[table] | computed.get(table, {}).keys())
            computed.setdefault(table, {})[name] = _routine(name, function, table, fields, taken)
        else:
            name = free_name((own, legal_name(f"{function.name.schema}_{own}")), set(by_name))
            by_name[name] = _routine(name, function, None, fields, taken)
        if name != function.name.name:
            notes.append(Note(f"function {function.name}", f"is called {name}"))
    frozen = {table: MappingProxyType(routines) for table, routines in computed.items()}
    return Routines(MappingProxyType(by_name), MappingProxyType(frozen))


def named_types(catalog: Catalog) -> Iterable[PgType]:
    """The types that calls take and give, without the rows of tables that are entities of their own."""
    tables = catalog.by_name
    for function in catalog.functions:
        kinds = [parameter.type for parameter in function.parameters]
        if _computed_on(function, tables) is not None:
            kinds = kinds[1:]
        kinds += [output.type for output in function.outputs]
        kinds += [function.result] if function.result.row_of not in tables else []
        yield from kinds


def _obstacle(function: Function) -> str:
    """Why GraphQL cannot call it, if it cannot."""
    for parameter in function.parameters:
        if parameter.type.kind == "pseudo" or (parameter.type.element and parameter.type.element.kind == "pseudo"):
            return f"has an argument of type {parameter.type.name}"
    if function.result.kind == "pseudo" and function.result.base != "void" and not function.outputs:
        return f"returns {function.result.name}"
    if any(output.type.kind == "pseudo" for output in function.outputs):
        return "returns values of no fixed type"
    if function.is_procedure and not all(_is_plain(output.type) for output in function.outputs):
        return "is a procedure with an OUT parameter of a type that cannot be read from a CALL"
    return ""


def _is_plain(kind: PgType) -> bool:
    return kind.kind == "enum" or (kind.kind == "base" and kind.base in _PROCEDURE_OUTPUTS)


def _computed_on(function: Function, tables: Mapping[TableName, object]) -> TableName | None:
    """The table whose rows the first argument takes, where that makes a field of them."""
    if function.changes_state or not function.parameters or function.parameters[0].is_variadic:
        return None
    table = function.parameters[0].type.row_of
    return table if table in tables else None


def _routine(
    name: str, function: Function, computed_on: TableName | None, tables: Mapping[TableName, object], taken: set[str]
) -> Routine:
    parameters = function.parameters[1:] if computed_on else function.parameters
    first = len(function.parameters) - len(parameters) + 1
    rows_of = function.result.row_of if function.result.row_of in tables else None
    record = None if rows_of else _record(name, function, taken)
    reserved = set(_LIST_ARGUMENTS) if rows_of or record else set[str]()
    arguments: dict[str, Parameter] = {}
    for place, parameter in enumerate(parameters, first):
        wanted = legal_name(parameter.name) if parameter.name else f"arg{place}"
        arguments[free_name((wanted, f"{wanted}_arg"), reserved | arguments.keys())] = parameter
    return Routine(name, function, MappingProxyType(arguments), computed_on, rows_of, record)


def _record(name: str, function: Function, taken: set[str]) -> Entity | None:
    """The OUT parameters as the columns of a table, where there are several or a procedure has one."""
    if not function.outputs or (len(function.outputs) == 1 and not function.is_procedure):
        return None
    columns: dict[str, Column] = {}
    for place, output in enumerate(function.outputs, 1):
        column = _column(output, place)
        columns[free_name((legal_name(column.name),), set(columns))] = column
    type_name = free_name((f"{name}_result",), taken)
    taken.add(type_name)
    # Without a name, so that nothing can be read from it: what it holds is what the function gives.
    table = Table(TableName("", ""), tuple(columns.values()))
    return Entity(type_name, table, MappingProxyType(columns), MappingProxyType({}))


def _column(output: Attribute, place: int) -> Column:
    # PostgreSQL calls an OUT parameter without a name so (CREATE FUNCTION).
    return Column(output.name or f"column{place}", output.type)
