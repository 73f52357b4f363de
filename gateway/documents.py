"""Documents: what a tenant's requests may name by an id, trusted ones and those that clients make known by themselves.

A trusted document is registered in the control database. A client of the automatic kind sends an id alone first, and
where that is not known the text with it: it is kept in memory, and does not make a document trusted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import ClassVar, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from db.documents import digest_of, find_document
from gateway.errors import RequestError
from gateway.graphql_http import GraphQLRequest
from schema.bounded import Bounded

MAX_KNOWN: Final = 2_000
MAX_KEPT_CHARACTERS: Final = 20_000


class DocumentNotFound(RequestError):
    """A request names a document that nobody has made known. Clients of the automatic kind go by the code."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    status: ClassVar[int] = 404

    def __init__(self) -> None:
        super().__init__("There is no document with this id.")


class DocumentMismatch(RequestError):
    """A request has the text of a document and the id of another."""

    code = "PERSISTED_QUERY_MISMATCH"

    def __init__(self) -> None:
        super().__init__("The id is not that of the document.")


class DocumentNotTrusted(RequestError):
    """The tenant answers its trusted documents and no others."""

    code = "DOCUMENT_NOT_TRUSTED"
    status: ClassVar[int] = 403

    def __init__(self) -> None:
        super().__init__("This tenant answers trusted documents only.")


Find = Callable[[str], Awaitable[str | None]]


async def find_none(_: str) -> str | None:
    return None


def trusted_documents(engine: AsyncEngine, tenant_id: int) -> Find:
    """What finds the text of a tenant's trusted document by its id or digest."""

    async def find(id_or_digest: str) -> str | None:
        async with engine.connect() as connection:
            document = await find_document(connection, tenant_id, id_or_digest)
        return None if document is None else document.query

    return find


class Documents:
    """The documents of one tenant, as of one of its versions. With `only_trusted` no others are answered."""

    def __init__(self, find: Find = find_none, *, only_trusted: bool = False) -> None:
        self.only_trusted = only_trusted
        self._find = find
        self._trusted: Bounded[str, str] = Bounded(MAX_KNOWN)
        self._automatic: Bounded[str, str] = Bounded(MAX_KNOWN)

    def concern(self, request: GraphQLRequest) -> bool:
        """Whether the text of the request is not simply what is to be answered."""
        return self.only_trusted or request.document_id is not None

    async def resolve(self, request: GraphQLRequest) -> GraphQLRequest:
        """The request with the text that is to be answered. Raises DocumentNotFound, DocumentMismatch,
        DocumentNotTrusted."""
        if request.document_id is None:
            # Found it may also be by an id, which says nothing of the text that it is for.
            if await self._find_trusted(digest_of(request.query)) != request.query:
                raise DocumentNotTrusted
            return request
        text = await self._find_trusted(request.document_id)
        if text is None and not self.only_trusted:
            text = self._automatic.get(request.document_id) or self._learn(request.document_id, request.query)
        if text is None:
            raise DocumentNotTrusted if request.query else DocumentNotFound
        if request.query and request.query != text:
            raise DocumentMismatch
        return replace(request, query=text)

    def _learn(self, document_id: str, query: str) -> str | None:
        if not query:
            return None
        if digest_of(query) != document_id:
            raise DocumentMismatch
        if len(query) <= MAX_KEPT_CHARACTERS:
            self._automatic[document_id] = query
        return query

    async def _find_trusted(self, id_or_digest: str) -> str | None:
        text = self._trusted.get(id_or_digest) or await self._find(id_or_digest)
        if text is not None:
            self._trusted[id_or_digest] = text
        return text
