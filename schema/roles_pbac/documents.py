"""Trusted documents: what the tenant's root registers for clients to name by an id, and whether there is anything
else that /query answers."""

import strawberry
from graphql import GraphQLError, parse

from db.documents import TrustedDocument as Document
from db.documents import delete_documents, digest_of, insert_documents, list_documents
from db.tenants import set_only_trusted
from schema.roles_pbac.context import ControlContext
from schema.roles_pbac.errors import BadInput, RootOnly
from schema.roles_pbac.fields import ControlInfo

MAX_ID_CHARACTERS = 200
MAX_CHARACTERS = 200_000


@strawberry.type(description="A document that requests may name by its id.")
class TrustedDocument:
    id: str
    name: str
    query: str


@strawberry.input(description="A document to register; without an id it gets the SHA-256 of its text.")
class TrustedDocumentInput:
    query: str
    id: str | None = strawberry.UNSET
    name: str | None = strawberry.UNSET


async def read_documents(info: ControlInfo) -> list[TrustedDocument]:
    """All of the tenant. Raises RootOnly."""
    context = _of_root(info, "trusted_documents")
    async with context.transaction.use() as connection:
        found = await list_documents(connection, context.tenant.tenant_id)
    return [TrustedDocument(id=each.id, name=each.name, query=each.query) for each in found]


async def add_documents(info: ControlInfo, given: list[TrustedDocumentInput]) -> list[str]:
    """The ids of those that are new. Raises RootOnly, and BadInput for one that is no document."""
    context = _of_root(info, "trusted_documents")
    documents = [to_document(each.query, each.id or None, each.name or "") for each in given]
    async with context.transaction.change() as connection:
        return list(await insert_documents(connection, context.tenant.tenant_id, documents))


async def remove_documents(info: ControlInfo, ids: list[str]) -> list[str]:
    """The ids of those that were there. Raises RootOnly."""
    context = _of_root(info, "trusted_documents")
    async with context.transaction.change() as connection:
        return list(await delete_documents(connection, context.tenant.tenant_id, ids))


async def only_trusted_documents(info: ControlInfo, enable: bool | None) -> bool:  # noqa: FBT001
    """Whether /query answers trusted documents alone, from now on if it is said. Raises RootOnly."""
    context = _of_root(info, "only_trusted_documents")
    if enable is None or enable is strawberry.UNSET:
        return context.tenant.only_trusted
    async with context.transaction.change() as connection:
        await set_only_trusted(connection, context.tenant.tenant_id, enable)
    return enable


def to_document(query: str, key: str | None = None, name: str = "") -> Document:
    """A document to be registered. Raises BadInput for what is none, or too long."""
    if key is not None and not 1 <= len(key) <= MAX_ID_CHARACTERS:
        raise BadInput(f"The id of a document has 1 to {MAX_ID_CHARACTERS} characters.")
    if len(query) > MAX_CHARACTERS or len(name) > MAX_ID_CHARACTERS or "\0" in f"{query}{key}{name}":
        raise BadInput(f"A document has at most {MAX_CHARACTERS} characters, and its name {MAX_ID_CHARACTERS}.")
    try:
        parse(query, no_location=True)
    except (GraphQLError, RecursionError) as error:
        raise BadInput(f"The document {name or key or ''!r} cannot be read.") from error
    return Document(key or digest_of(query), name, query)


def _of_root(info: ControlInfo, what: str) -> ControlContext:
    if not info.context.principal.is_root:
        raise RootOnly(what)
    return info.context
