"""ShownTables: the tables that facades were asked for, by the views that show them."""

from weakref import WeakKeyDictionary

from gateway.auth.adoption import owner_columns
from gateway.facades.tables import TableView, find_table
from gateway.tenancy import LoadedTenant
from schema.principal import Principal
from schema.query.compiler import RoleView

#: A table, and the column that says whose a row is, where there is one that the caller sees.
ShownTable = tuple[TableView, str | None]


class ShownTables:
    """They are remembered as long as the view is, which lasts until something about it changes."""

    def __init__(self) -> None:
        self._found: WeakKeyDictionary[RoleView, dict[str, ShownTable]] = WeakKeyDictionary()

    def find(self, loaded: LoadedTenant, principal: Principal, name: str) -> ShownTable | None:
        """The table of this name; None for a table that there is not, or that the caller may not know of."""
        view = loaded.view(principal)
        found = self._found.setdefault(view, {})
        if name in found:
            return found[name]
        table = find_table(view, name)
        if table is None:
            return None
        # Under its own name alone, so that nobody can fill the memory with spellings.
        return found.setdefault(table.name, (table, _owner_of(loaded, table)))


def _owner_of(loaded: LoadedTenant, table: TableView) -> str | None:
    place = table.entity.table.name
    found = {each.column for each in owner_columns(loaded) if each.table == place and each.id_type == "int8"}
    if len(found) != 1:
        return None
    return next((name for name, column in table.columns.items() if column.name in found), None)
