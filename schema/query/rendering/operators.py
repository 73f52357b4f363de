"""render_test, render_search: a value beside an operator of `Applied`, and a full-text search."""

from typing import Final

from db.sql import Sql, sql
from schema.expression.predicate import Search, SearchMode, TestOperator

_BINARY: Final[dict[TestOperator, Sql]] = {
    "@>": sql("@>"),
    "<@": sql("<@"),
    "&&": sql("&&"),
    "-|-": sql("-|-"),
    "<<": sql("<<"),
    ">>": sql(">>"),
    "?": sql("?"),
    "?|": sql("?|"),
    "?&": sql("?&"),
    "~": sql("~"),
    "!~": sql("!~"),
    "~*": sql("~*"),
    "!~*": sql("!~*"),
    "json =": sql("="),
    "json <>": sql("<>"),
}
#: The order of jsonb puts every number before every text; here values of two kinds have none.
_WITHIN_KIND: Final[dict[TestOperator, Sql]] = {
    "json <": sql("<"),
    "json <=": sql("<="),
    "json >": sql(">"),
    "json >=": sql(">="),
}
_QUERIES: Final[dict[SearchMode, Sql]] = {
    "web": sql("websearch_to_tsquery"),
    "plain": sql("plainto_tsquery"),
    "phrase": sql("phraseto_tsquery"),
    "raw": sql("to_tsquery"),
}


def render_test(operand: Sql, operator: TestOperator, value: Sql) -> Sql:
    """The test, in parentheses."""
    if operator in _BINARY:
        return sql("({operand} {operator} {value})", operand=operand, operator=_BINARY[operator], value=value)
    if operator in _WITHIN_KIND:
        return sql(
            "(case when jsonb_typeof({operand}) = jsonb_typeof({value}) then {operand} {operator} {value} end)",
            operand=operand,
            operator=_WITHIN_KIND[operator],
            value=value,
        )
    match operator:
        case "= any":
            return sql("({operand} = any ({value}))", operand=operand, value=value)
        case "<> all":
            return sql("({operand} <> all ({value}))", operand=operand, value=value)
        case "is null":
            return sql("(({operand} is null) = {value})", operand=operand, value=value)
        case "json is null":
            return sql("((coalesce({operand}, 'null') = 'null') = {value})", operand=operand, value=value)
        case _:
            raise TypeError(operator)


def render_search(operand: Sql, search: Search, query: Sql) -> Sql:
    """Whether the document matches. A configuration is a constant, so that an index on `to_tsvector('…', column)` is
    found."""
    config = sql("") if search.config is None else sql("{config}, ", config=_constant(search.config))
    document = operand
    if search.operand.type.base != "tsvector":
        document = sql("to_tsvector({config}{operand})", config=config, operand=operand)
    return sql(
        "({document} @@ {function}({config}{query}))",
        document=document,
        function=_QUERIES[search.mode],
        config=config,
        query=query,
    )


def _constant(config: str) -> Sql:
    """The name of a configuration of PostgreSQL's own; the schema knows no others."""
    if not config.isalpha() or not config.isascii():
        raise ValueError(config)
    return Sql((f"'{config}'",))
