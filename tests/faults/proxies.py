"""A network between the gateway and PostgreSQL that can be cut at a chosen message."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

COMMIT = b"COMMIT;\x00"


@dataclass
class Network:
    """Carries bytes both ways until `cut_at` says what to do about the client's bytes.

    `cut_at` gives None to let them pass, "before" to lose them, "after" to lose the answer to them.
    """

    dsn: str
    cut_at: Callable[[bytes], str | None] = lambda _: None
    refuses: bool = False
    cuts: int = 0
    server: str = ""
    carrying: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    def cut_once(self, message: bytes, where: str, *, and_refuse: bool = False) -> None:
        """Nothing; the first time that the client sends this, its connection is lost."""

        def cut_at(sent: bytes) -> str | None:
            if message not in sent or self.cuts:
                return None
            self.refuses = and_refuse
            return where

        self.cut_at = cut_at

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.close()
            return
        server_reader, server_writer = await self._connect()
        answers = asyncio.create_task(_carry(server_reader, writer))
        try:
            while sent := await reader.read(65_536):
                where = self.cut_at(sent)
                if where is not None:
                    self.cuts += 1
                    answers.cancel()
                if where != "before":
                    server_writer.write(sent)
                    await server_writer.drain()
                if where == "after":
                    # Its first byte says that the server is done.
                    await server_reader.read(1)
                if where is not None:
                    break
        except ConnectionError:
            pass
        finally:
            answers.cancel()
            server_writer.close()
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.server)
        query = parse_qs(parts.query)
        if "host" in query:
            return await asyncio.open_unix_connection(f"{query['host'][0]}/.s.PGSQL.{query.get('port', ['5432'])[0]}")
        return await asyncio.open_connection(parts.hostname, parts.port or 5432)


@asynccontextmanager
async def a_network(dsn: str) -> AsyncGenerator[Network]:
    """A network to the server of this DSN; `dsn` of it leads through it."""
    parts = urlsplit(dsn)
    query = {name: values[0] for name, values in parse_qs(parts.query).items() if name not in {"host", "port"}}
    network = Network("", server=dsn)
    listener = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    user = parts.username or query.pop("user", "")
    password = f":{parts.password}" if parts.password else ""
    # What the proxy looks for can only be seen in plain text.
    network.dsn = f"postgresql://{user}{password}@127.0.0.1:{port}{unquote(parts.path)}?" + urlencode(
        query | {"sslmode": "disable"}
    )
    async with listener:
        yield network


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while answered := await reader.read(65_536):
            writer.write(answered)
            await writer.drain()
        writer.close()
    except ConnectionError:
        pass
