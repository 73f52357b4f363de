"""Functions and procedures: what calls them, what they give, and that nobody may call them unless a rule says so."""

import pytest

from db.read_catalog import CATALOG_QUERY
from db.records import Rule
from schema.principal import Principal
from tests.asking import open_asker

DDL = r"""
create table authors (id int primary key, first text, last text);
create table books (
    id int primary key,
    author_id int not null references authors,
    title text not null,
    secret boolean not null default false
);
insert into authors values (1, 'Ada', 'Åberg'), (2, 'Bo', null);
insert into books values (1, 1, 'One', false), (2, 1, 'Two', true), (3, 2, 'Three', false);

create type money_of as (amount numeric, currency text);
create function full_name(a authors) returns text language sql stable as $$ select concat_ws(' ', a.first, a.last) $$;
create function "first"(a authors) returns text language sql stable as $$ select 'computed ' || a.first $$;
create function books_like(a authors, pattern text default '%') returns setof books language sql stable
    as $$ select * from books b where b.author_id = a.id and b.title like pattern $$;
create function add(a int, b int default 10) returns int language sql immutable strict as $$ select a + b $$;
create function nameless(int, text default 'x') returns text language sql immutable as $$ select $2 || $1 $$;
create function mixed(int, b text default 'b', c text default 'c') returns text language sql immutable
    as $$ select $1 || b || c $$;
create function series(n int) returns setof bigint language sql immutable
    as $$ select 9007199254740990 + g from generate_series(1, n) g order by 1 desc $$;
create function total(variadic numbers int[]) returns bigint language sql immutable
    as $$ select coalesce(sum(n), 0) from unnest(numbers) n $$;
create function found(word text) returns setof books language sql stable
    as $$ select * from books where title ilike word $$;
create function first_book(author int) returns books language sql stable
    as $$ select * from books where author_id = author order by id limit 1 $$;
create function price() returns money_of language sql stable as $$ select (1.10, 'EUR')::money_of $$;
create function prices() returns setof money_of language sql stable
    as $$ values ((1.10, 'EUR')::money_of), (null) $$;
create function stats("filter" text default null) returns table (author text, books bigint) language sql stable
    as $$ select a.first, count(*) from books b join authors a on a.id = b.author_id group by 1 order by 1 $$;
create function bounds(out low int, out high int) language sql stable as $$ select min(id), max(id) from books $$;
create function publish(title text, author int) returns books language sql volatile
    as $$ insert into books select max(b.id) + 1, publish.author, publish.title from books b returning * $$;
create function retitle(suffix text) returns setof books language sql volatile
    as $$ update books set title = title || suffix returning * $$;
create function forget() returns void language sql volatile as $$ delete from books $$;
create function failing() returns int language plpgsql volatile as $$ begin raise exception 'a secret'; end $$;
create procedure archive(keep int) language sql as $$ delete from books where id > keep $$;
create procedure count_them(in "least" int, inout n int, out label text) language plpgsql
    as $$ begin n := n + (select count(*) from books where id >= "least"); label := 'so many'; end $$;
create function overloaded(a int) returns int language sql as 'select 1';
create function overloaded(a text) returns int language sql as 'select 1';
create function any_of(a anyelement) returns int language sql as 'select 1';
create function shapeless() returns setof record language sql as 'select 1, 2';
create function moved() returns trigger language plpgsql as 'begin return null; end';
create aggregate summed(int) (sfunc = int4pl, stype = int);
comment on function add is E'Adds up.\n@deprecated Use +.';
create table price_list (id int primary key, price int);
create function hidden_rows() returns setof price_list language sql stable as $$ select * from price_list $$;
"""
MEMBER = Principal(1, 7, "member", capabilities=frozenset({"select", "insert", "update"}))


def a_rule(capabilities: str, targets: str, filter_text: str = "") -> Rule:
    return Rule(
        1, 1, "rule", frozenset(capabilities.split()), frozenset(targets.split()), filter_text, frozenset(), frozenset()
    )


@pytest.mark.postgres
async def test_the_schema_shows_functions_as_what_they_do(database: str) -> None:
    async with open_asker(database, DDL) as asker:
        sdl = asker.sdl()
        notes = [f"{note.subject} {note.reason}" for note in asker.loaded.model.notes]

    functions = sdl.split("type Functions {")[1].split("\n}")[0]
    assert '  """Adds up."""\n  add(a: Int!, b: Int): Int @deprecated(reason: "Use +.")' in functions
    assert "  series(n: Int): [BigInt]" in functions
    assert "  price: money_of\n  prices: [money_of]" in functions
    assert "bounds: bounds_result" in functions
    assert "nameless(arg1: Int, arg2: String): String" in functions
    assert "    filter_arg: String\n" in functions
    assert "call_" not in functions
    assert "type stats_result {\n  author: String\n  books: BigInt\n}" in sdl
    mutations = sdl.split("type Mutation {")[1].split("\n}")[0]
    assert "  call_publish(title: String, author: Int): books\n" in mutations
    assert "  call_archive(keep: Int): Boolean\n" in mutations
    assert "  call_count_them(least: Int, n: Int): count_them_result\n" in mutations
    authors = sdl.split("type authors {")[1].split("\n}")[0]
    assert "  full_name: String" in authors
    assert "  first_computed: String" in authors
    for absent in ("overloaded", "any_of", "shapeless", "moved", "summed"):
        assert absent not in sdl
    assert "function any_of is left out: it has an argument of type anyelement" in notes
    assert "function shapeless is left out: it returns record" in notes
    assert "function overloaded is left out: it is overloaded" in notes
    assert "function first is called first_computed" in notes


@pytest.mark.postgres
async def test_functions_give_values_lists_and_rows(database: str) -> None:
    document = """query ($n: [Int], $w: String) {
        Functions {
            add(a: 1) both: add(a: 1, b: 2)
            nameless(arg1: 5) mixed(arg1: 1, c: "z")
            series(n: 3)
            total(numbers: $n) none: total
            found(word: $w, ordering: ["title desc"], filter: "id < 3", limit: 1) { title author { first } }
            first_book(author: 2) { id } no_book: first_book(author: 9) { id }
            price { currency amount } prices { amount }
            stats(filter: "books > 1") { author books } bounds { low high }
            __typename
        }
    }"""
    async with open_asker(database, DDL) as asker:
        answer = await asker.ask(document, {"n": [1, 2, 3], "w": "t%"})

    assert answer["Functions"] == {
        "add": 11,
        "both": 3,
        "nameless": "x5",
        "mixed": "1bz",
        "series": ["9007199254740993", "9007199254740992", 9007199254740991],
        "total": 6,
        "none": 0,
        "found": [{"title": "Two", "author": {"first": "Ada"}}],
        "first_book": {"id": "3"},
        "no_book": None,
        "price": {"currency": "EUR", "amount": "1.10"},
        "prices": [{"amount": "1.10"}, None],
        "stats": [{"author": "Ada", "books": 2}],
        "bounds": {"low": 1, "high": 3},
        "__typename": "Functions",
    }


@pytest.mark.postgres
async def test_a_computed_field_takes_the_whole_row_also_behind_a_page(database: str) -> None:
    document = """{
        authors(ordering: ["id"], limit: 1) {
            full_name first_computed
            books_like(pattern: "T%") { title author { full_name } }
            all: books_like(ordering: ["title desc"], limit: 1) { title }
        }
        books(ordering: ["id"]) { author { full_name } }
    }"""
    async with open_asker(database, DDL) as asker:
        answer = await asker.ask(document)

    assert answer["authors"] == [
        {
            "full_name": "Ada Åberg",
            "first_computed": "computed Ada",
            "books_like": [{"title": "Two", "author": {"full_name": "Ada Åberg"}}],
            "all": [{"title": "Two"}],
        }
    ]
    assert [book["author"]["full_name"] for book in answer["books"]] == ["Ada Åberg", "Ada Åberg", "Bo"]


@pytest.mark.postgres
async def test_a_mutation_calls_what_changes_things_and_shows_them_as_they_then_stand(database: str) -> None:
    async with open_asker(database, DDL) as asker:
        published = await asker.ask(
            'mutation { call_publish(title: "Four", author: 2) { id author { books_collection { title } } } }'
        )
        many = await asker.ask(
            'mutation { call_retitle(suffix: "!", filter: "id > 2", ordering: ["id desc"]) { id title } }'
        )
        procedures = await asker.ask(
            "mutation { call_count_them(least: 2, n: 100) { label n } call_archive(keep: 1) call_forget }"
        )
        left = await asker.plain.fetchval("select count(*) from books")

    assert published["call_publish"] == {
        "id": "4",
        "author": {"books_collection": [{"title": "Three"}, {"title": "Four"}]},
    }
    assert many["call_retitle"] == [{"id": "4", "title": "Four!"}, {"id": "3", "title": "Three!"}]
    assert procedures == {
        "call_count_them": {"label": "so many", "n": 103},
        "call_archive": True,
        "call_forget": True,
    }
    assert left == 0


@pytest.mark.postgres
async def test_a_failing_call_undoes_the_whole_operation_and_tells_nothing(database: str) -> None:
    async with open_asker(database, DDL) as asker:
        refused = await asker.refused("mutation { call_forget call_failing }")
        left = await asker.plain.fetchval("select count(*) from books")

    assert refused["extensions"]["code"] == "DATABASE_REFUSED"
    assert "secret" not in str(refused)
    assert left == 3


@pytest.mark.postgres
async def test_nobody_may_call_anything_without_a_rule(database: str) -> None:
    async with open_asker(database, DDL, [a_rule("select insert update", "books authors")]) as asker:
        sdl = asker.sdl(MEMBER)
        asked = await asker.refused("{ Functions { add(a: 1) } }", who=MEMBER)
        called = await asker.refused("mutation { call_forget }", who=MEMBER)
        computed = await asker.refused("{ authors { full_name } }", who=MEMBER)

    for absent in ("Functions", "call_", "full_name", "_result", "money_of"):
        assert absent not in sdl
    codes = {each["extensions"]["code"] for each in (asked, called, computed)}
    assert codes == {"GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.postgres
async def test_a_rule_names_functions_as_it_names_tables(database: str) -> None:
    rules = [a_rule("select", "books authors public.add full_name() found stats"), a_rule("update", "publish")]
    async with open_asker(database, DDL, rules) as asker:
        sdl = asker.sdl(MEMBER)
        answer = await asker.ask('{ Functions { add(a: 1) found(word: "one") { author { full_name } } } }', who=MEMBER)
        # A capability that the function does not ask for grants nothing on it.
        twisted = asker.sdl(Principal(1, 8, "other", capabilities=frozenset({"select"})))

    functions = sdl.split("type Functions {")[1].split("\n}")[0]
    assert {line.strip().split("(")[0].split(":")[0] for line in functions.splitlines() if line.startswith("  ")} >= {
        "add",
        "found",
        "stats",
    }
    assert "series" not in sdl
    assert "call_publish" in sdl
    assert "call_forget" not in sdl
    assert "call_" not in twisted
    assert answer["Functions"] == {"add": 11, "found": [{"author": {"full_name": "Ada Åberg"}}]}


@pytest.mark.postgres
async def test_rows_that_a_function_gives_are_seen_through_the_grant_on_their_table(database: str) -> None:
    rules = [
        a_rule("select", "books", "secret = false"),
        a_rule("select", "authors found first_book books_like hidden_rows"),
        a_rule("update", "retitle"),
    ]
    async with open_asker(database, DDL, rules) as asker:
        answer = await asker.ask(
            """{ Functions { found(word: "%", ordering: ["id"]) { id } }
                 authors(filter: "id = 1") { books_like { id } } }""",
            who=MEMBER,
        )
        mutated = await asker.ask('mutation { call_retitle(suffix: "?", ordering: ["id"]) { id } }', who=MEMBER)
        await asker.plain.execute("update books set secret = true where author_id = 2")
        nothing = await asker.ask("{ Functions { first_book(author: 2) { id } } }", who=MEMBER)
        sdl = asker.sdl(MEMBER)

    assert answer == {"Functions": {"found": [{"id": "1"}, {"id": "3"}]}, "authors": [{"books_like": [{"id": "1"}]}]}
    assert mutated == {"call_retitle": [{"id": "1"}, {"id": "3"}]}
    assert nothing == {"Functions": {"first_book": None}}
    assert "hidden_rows" not in sdl


@pytest.mark.postgres
async def test_a_filter_on_a_function_is_a_fault_of_the_rule_and_grants_nothing(database: str) -> None:
    async with open_asker(database, DDL, [a_rule("select", "add", "id = 1")]) as asker:
        sdl = asker.sdl(MEMBER)
        faults = asker.loaded.policy.faults

    assert "Functions" not in sdl
    assert [fault.message for fault in faults] == [
        "A filter and column options speak of the rows of a table, and cannot be on a function."
    ]


@pytest.mark.postgres
async def test_a_table_goes_before_a_function_of_its_name_and_each_is_granted_apart(database: str) -> None:
    ddl = """
    create table twin (id int primary key);
    create function twin() returns int language sql stable as 'select 7';
    """
    async with open_asker(database, ddl, [a_rule("select", "twin")]) as asker:
        assert "Functions" not in asker.sdl(MEMBER)
        table_only = asker.loaded.policy.fingerprint(MEMBER)
    async with open_asker(database, "", [a_rule("select", "twin()")]) as asker:
        assert "twin: Int" in asker.sdl(MEMBER)
        assert "twin(" not in asker.sdl(MEMBER)
        assert asker.loaded.policy.fingerprint(MEMBER) != table_only


@pytest.mark.postgres
async def test_an_argument_in_the_middle_cannot_be_left_out_when_a_later_one_goes_by_its_place(database: str) -> None:
    ddl = "create function f(int default 1, int default 2) returns int language sql immutable as 'select $1 - $2'"
    async with open_asker(database, ddl) as asker:
        assert await asker.ask("{ Functions { f(arg1: 5) all: f } }") == {"Functions": {"f": 3, "all": -1}}
        refused = await asker.refused("{ Functions { f(arg2: 5) } }")

    assert refused["extensions"]["code"] == "ARGUMENT_NEEDED"


@pytest.mark.postgres
async def test_functions_that_the_database_user_may_not_execute_are_not_there(database: str) -> None:
    ddl = """
    create function allowed() returns int language sql stable as 'select 1';
    create function forbidden() returns int language sql stable as 'select 1';
    revoke execute on function forbidden() from public;
    create role limited_of_functions;
    """
    async with open_asker(database, ddl) as asker:
        try:
            await asker.plain.execute("set role limited_of_functions")
            seen = await asker.plain.fetchval("select has_function_privilege('forbidden()', 'execute')")
            text = (await asker.plain.fetchval(CATALOG_QUERY, ["public"])) or ""
        finally:
            await asker.plain.execute("reset role; drop role limited_of_functions")

    assert seen is False
    assert '"allowed"' in text
    assert '"forbidden"' not in text
