"""Native: the judge that is PostgreSQL itself. Rules become policies of row-level security for a role that they bind.

One policy for each rule, target and capability, with scope and capability in its condition, and the person in settings
of the transaction. What filters of rules look at beside the row they see through views of the tables' owner. What a
caller sees of columns is a view, `security_invoker` and `security_barrier`, in which the rules stand once more as CASE.
"""

from collections.abc import Iterable, Sequence
from typing import Any as Anything
from typing import assert_never

import asyncpg

from tests.oracle.ground import READER, Ground
from tests.oracle.native_sql import BYPASS, SETTINGS, Writing, bare
from tests.oracle.policy import TENANT, Capability, Grants, MaskOf, Person
from tests.oracle.questions import (
    Ask,
    Change,
    Create,
    CreateMany,
    Delete,
    DeleteWhere,
    Tally,
    Update,
    UpdateWhere,
    Write,
)
from tests.oracle.rights import chooses_all
from tests.oracle.shape import Value, literal
from tests.oracle.tree import (
    looks_beyond,
)


class Native:
    """One transaction in which the rules are policies. `judge` is asked within it; at its end all is as before."""

    def __init__(self, ground: Ground, rules: Sequence[Grants]) -> None:
        self.shape = ground.shape
        self.plain = ground.plain
        self.rules = sorted(rules, key=lambda rule: rule.number)

    async def __aenter__(self) -> "Native":
        self._transaction = self.plain.transaction()
        await self._transaction.start()
        await self.plain.execute(" ".join(self.definitions()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.rollback()

    def definitions(self) -> list[str]:
        found = [f"create schema seen; grant usage on schema seen to {READER};"]
        for table in self.shape.tables:
            found.append(f"create policy bypass on {table.name} to {READER} using ({BYPASS}) with check ({BYPASS});")
            for rule in self.rules:
                if table.name in rule.targets:
                    found += [self.policy(rule, table.name, capability) for capability in rule.capabilities]
            columns = ", ".join(
                [
                    *(f"{self.seen(table.name, name)} as {name}" for name in table.by_name),
                    *(f"{table.name}.{name} as real_{name}" for name in table.key),
                ]
            )
            found.append(
                f"create view seen.{table.name} with (security_invoker, security_barrier) as"
                f" select {columns} from public.{table.name};"
                f" grant select on seen.{table.name} to {READER};"
            )
        return found

    def applies(self, rule: Grants, capability: Capability) -> str:
        """Whether the rule is for whoever asks, who holds the capability."""
        scopes = [f"{SETTINGS['roleid']} = any ('{{{_listed(rule.roles)}}}'::int4[])"] if rule.roles else []
        if rule.classes:
            scopes.append(f"{SETTINGS['classes']} && '{{{_listed(rule.classes)}}}'::int4[]")
        held = f"'{capability}' = any ({SETTINGS['capabilities']})"
        if capability == "select":
            held = f"({held} or {SETTINGS['capabilities']} = '{{}}')"
        return f"({' or '.join(scopes) or 'true'}) and {held}"

    def condition(self, rule: Grants, table: str, capability: Capability) -> str:
        test = "true" if rule.filter is None else Writing(self.shape, "whole").test(rule.filter, table, table)
        return f"{self.applies(rule, capability)} and {test}"

    def policy(self, rule: Grants, table: str, capability: Capability) -> str:
        condition = self.condition(rule, table, capability)
        using = "" if capability == "insert" else f" using ({condition})"
        check = f" with check ({condition})" if capability in {"insert", "update"} else ""
        return f"create policy rule_{rule.number}_{capability} on {table} for {capability} to {READER}{using}{check};"

    def seen(self, table: str, column: str) -> str:
        """What is seen of a column: as it is where a rule shows it so, else as the first that masks it, else null."""
        plain, masked = [BYPASS], list[str]()
        for rule in self.rules:
            if table not in rule.targets or "select" not in rule.capabilities:
                continue
            if rule.read_columns is not None and column not in rule.read_columns:
                continue
            condition = self.condition(rule, table, "select")
            mask = next((mask for mask in rule.masks if mask.column == column), None)
            if mask is None:
                plain.append(f"({condition})")
                continue
            if mask.unless is not None:
                plain.append(f"({condition} and {Writing(self.shape, 'whole').test(mask.unless, table, table)})")
            if mask.kind != "null":
                masked.append(f" when {condition} then {_masked(mask, f'{table}.{column}')}")
        return f"case when {' or '.join(plain)} then {table}.{column}{''.join(masked)} end"

    async def as_person(self, person: Person) -> None:
        """Nothing; from here on the transaction is the person's."""
        values = {
            "roleid": str(person.role),
            "parentid": "" if person.parent is None else str(person.parent),
            "tenantid": str(TENANT),
            "classes": "{" + _listed(sorted(person.classes)) + "}",
            "children": "{" + _listed(sorted(person.children)) + "}",
            "capabilities": "{" + ",".join(sorted(person.capabilities)) + "}",
            "bypasses": str(person.bypasses).lower(),
        }
        settings = ", ".join(f"set_config('oracle.{name}', '{value}', true)" for name, value in values.items())
        await self.plain.execute(f"reset role; select {settings}; set local role {READER}")

    async def ask(self, ask: Ask) -> str:
        alias = "asked"
        text = Writing(self.shape, "seen").ask(ask, f"seen.{ask.table} as {alias}", alias)
        return str(await self.plain.fetchval(f"select {text}::text"))

    async def tally(self, tally: Tally) -> str:
        return str(await self.plain.fetchval(f"select {Writing(self.shape, 'seen').tally(tally)}::text"))

    async def change(self, change: Change) -> str | None:
        """The code of a refusal, or None where all of it was done. The tables are then as it leaves them."""
        for write in change.writes:
            try:
                if await self.write(write) == 0 and isinstance(write, Update | Delete):
                    return "NOT_FOUND"
            except asyncpg.PostgresError as error:
                return _CODES[str(error.sqlstate)]
        return None

    async def write(self, write: Write) -> int:
        """How many rows it has written."""
        match write:
            case Create(table, values):
                statement = self.insert(table, [values])
            case CreateMany(table, rows):
                statement = " ".join(self.insert(table, [row]) for row in rows)
            case Update(table, _, values) | UpdateWhere(table, _, _, values):
                await self.restrict(write, "update")
                sets = ", ".join(f"{name} = {self.value(table, name, value)}" for name, value in values)
                statement = f"update {table} set {sets}"
            case Delete(table) | DeleteWhere(table):
                await self.restrict(write, "delete")
                statement = f"delete from {table}"
            case _:
                assert_never(write)
        done = await self.plain.execute(statement)
        return int(done.rpartition(" ")[2])

    def insert(self, table: str, rows: Sequence[Sequence[tuple[str, Value]]]) -> str:
        [row] = rows
        if not row:
            return f"insert into {table} default values;"
        names = ", ".join(name for name, _ in row)
        return f"insert into {table} ({names}) values ({', '.join(self.value(table, *each) for each in row)});"

    def value(self, table: str, name: str, value: Value) -> str:
        return f"{literal(value)}::{bare(self.shape.by_name[table].by_name[name].kind)}"

    async def restrict(self, write: Update | UpdateWhere | Delete | DeleteWhere, capability: Capability) -> None:
        """Nothing; of the rows that the rules let be written, only those that are meant are.

        By a policy, as a WHERE would take the rules for SELECT with it, for the row as it stands and as it is stored.
        """
        key = self.shape.by_name[write.table].key
        match write:
            case Update() | Delete():
                chosen = [tuple(value for _, value in write.key)]
            case UpdateWhere() | DeleteWhere():
                if chooses_all(write.filter, write.where):
                    await self.plain.execute(
                        f"reset role; drop policy if exists meant on {write.table}; set local role {READER}"
                    )
                    return
                condition = Writing(self.shape, "seen").conditions(write.table, "c", write.filter, write.where)
                names = ", ".join(f"c.real_{name}" for name in key)
                found = await self.plain.fetch(f"select {names} from seen.{write.table} as c where {condition}")
                chosen = [tuple(row) for row in found]
        rows = ", ".join(f"({', '.join(map(literal, values))})" for values in chosen)
        meant = f"({', '.join(key)}) in ({rows})" if rows else "false"
        await self.plain.execute(
            f"reset role; drop policy if exists meant on {write.table};"
            f"create policy meant on {write.table} as restrictive for {capability} to {READER} using ({meant})"
            f"{' with check (true)' if capability == 'update' else ''}; set local role {READER}"
        )

    async def stored(self, ground: Ground) -> Anything:
        await self.plain.execute("reset role")
        return await ground.stored()

    def may_judge(self, change: Change) -> bool:
        """Whether policies can say what the rules do: not what they say of single columns, nor, as a check looks at
        other rows as they stood before, of a stored row beside others."""
        return not any(self._is_beyond(write) for write in change.writes)

    def _is_beyond(self, write: Write) -> bool:
        if isinstance(write, Delete | DeleteWhere):
            return False
        if (isinstance(write, Create) and write.on_conflict != "fail") or (
            isinstance(write, UpdateWhere) and write.added
        ):
            return True
        capability = "insert" if isinstance(write, Create | CreateMany) else "update"
        rules = [rule for rule in self.rules if write.table in rule.targets and capability in rule.capabilities]
        return any(
            rule.write_columns is not None
            or rule.forced
            or rule.defaults
            or (rule.filter is not None and looks_beyond(rule.filter))
            for rule in rules
        )


_CODES = {
    "42501": "POLICY_VIOLATED",
    "23502": "NOT_NULL_VIOLATED",
    "23503": "FOREIGN_KEY_VIOLATED",
    "23505": "UNIQUE_VIOLATED",
}


def _listed(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _masked(mask: MaskOf, value: str) -> str:
    match mask.kind:
        case "hash":
            return f"encode(sha256(convert_to({value}, 'UTF8')), 'hex')"
        case "last_four":
            hidden = f"repeat('*', case when length({value}) <= 4 then length({value}) else length({value}) - 4 end)"
            return f"{hidden} || case when length({value}) > 4 then right({value}, 4) else '' end"
        case _:
            return f"case when {value} is not null then {literal(mask.text)} end"
