"""name_relations: the ways from a table to others that foreign keys make, under the names of `schema/names.py`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from db.catalog import Catalog, ForeignKey, Table, TableName
from schema.model import Junction, Note, Relation
from schema.spelling import free_name, legal_name, singular

_Candidate = tuple[tuple[str, ...], Callable[[str], Relation]]


@dataclass(frozen=True, slots=True)
class Links:
    """The foreign keys of a catalog by the table that they lead to; `middles` are those of tables between two others,
    as (this end, the other, the table between)."""

    names: Mapping[TableName, str]
    owners: dict[TableName, list[Table]] = field(default_factory=dict[TableName, list[Table]])
    middles: dict[TableName, list[tuple[ForeignKey, ForeignKey, Table]]] = field(
        default_factory=dict[TableName, list[tuple[ForeignKey, ForeignKey, Table]]]
    )

    @classmethod
    def of(cls, catalog: Catalog, names: Mapping[TableName, str]) -> "Links":
        links = cls(names)
        for table in catalog.tables:
            keys = links.known(table)
            for target in {key.target: None for key in keys}:
                links.owners.setdefault(target, []).append(table)
            ends = [key for key in keys if set(key.columns) <= set(table.primary_key)]
            if len(ends) != 2 or {*ends[0].columns, *ends[1].columns} != set(table.primary_key):
                continue
            links.middles.setdefault(ends[0].target, []).append((ends[0], ends[1], table))
            if ends[0].target != ends[1].target:
                links.middles.setdefault(ends[1].target, []).append((ends[1], ends[0], table))
        return links

    def known(self, table: Table) -> list[ForeignKey]:
        """The table's foreign keys, without those to tables that are not there."""
        return [key for key in table.foreign_keys if key.target in self.names]


def name_relations(table: Table, links: Links, taken: set[str], notes: list[Note]) -> list[Relation]:
    """The relations of a table whose columns have the names `taken`."""
    found: list[Relation] = []
    candidates = [*_to_one(table, links), *_to_many(table, links), *_many_to_many(table, links)]
    for wanted, make in candidates:
        name = free_name((*wanted, wanted[0] + "_rel"), taken)
        if name != wanted[0]:
            notes.append(Note(f"{table.name}.{wanted[0]}", f"is called {name}: the name is taken"))
        taken.add(name)
        found.append(make(name))
    return found


def _to_one(table: Table, links: Links) -> Iterable[_Candidate]:
    seen: set[TableName] = set()
    for key in links.known(table):
        plain = singular(links.names[key.target])
        qualified = f"{plain}_{legal_name(key.columns[0])}"

        def make(name: str, key: ForeignKey = key) -> Relation:
            return Relation(name, key.target, key.columns, key.target_columns, many=False)

        yield (qualified,) if key.target in seen else (plain,), make
        seen.add(key.target)


def _to_many(table: Table, links: Links) -> Iterable[_Candidate]:
    for owner in links.owners.get(table.name, ()):
        pointing = [key for key in links.known(owner) if key.target == table.name]
        for place, key in enumerate(pointing):
            plain = f"{links.names[owner.name]}_collection"
            qualified = f"{links.names[owner.name]}_{legal_name(key.columns[0])}_collection"

            def make(name: str, owner: Table = owner, key: ForeignKey = key) -> Relation:
                return Relation(name, owner.name, key.target_columns, key.columns, many=True)

            yield (qualified,) if place else (plain,), make


def _many_to_many(table: Table, links: Links) -> Iterable[_Candidate]:
    for near, far, middle in links.middles.get(table.name, ()):

        def make(name: str, near: ForeignKey = near, far: ForeignKey = far, middle: Table = middle) -> Relation:
            junction = Junction(middle.name, near.columns, far.columns)
            return Relation(name, far.target, near.target_columns, far.target_columns, many=True, junction=junction)

        plain = f"{links.names[far.target]}_collection"
        yield (plain, f"{links.names[far.target]}_{links.names[middle.name]}_collection"), make
