"""post_signed: one HTTP request to an address that an operator has chosen, signed as Standard Webhooks lays down."""

import asyncio
import base64
import hashlib
import hmac
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httptools

from db.errors import PublicError

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - by which such a secret is known
MAX_REPLY_BYTES: Final = 65_536


class HookAddressUnusable(PublicError):
    """The address of a hook is none that can be asked."""

    code = "HOOK_ADDRESS_UNUSABLE"

    def __init__(self) -> None:
        super().__init__("A hook's address must begin with http:// or https:// and name a host.")


@dataclass
class Reply:
    """What came back, as far as it has come. The parser calls the methods."""

    status: int = 0
    body: bytes = b""
    is_complete: bool = False
    headers: list[bytes] = field(default_factory=list[bytes])

    def on_body(self, body: bytes) -> None:
        self.body += body
        if len(self.body) > MAX_REPLY_BYTES:
            raise OSError("the reply is too long")

    def on_message_complete(self) -> None:
        self.is_complete = True


@dataclass(frozen=True, slots=True)
class Address:
    """Where a hook is: `target` is path and query."""

    is_secure: bool
    host: str
    port: int
    target: str
    host_header: str


def parse_address(url: str) -> Address:
    """The parts of a hook's address. Raises HookAddressUnusable."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise HookAddressUnusable from None
    # What is printable ASCII alone cannot end a line of the request early.
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or not url.isprintable():
        raise HookAddressUnusable
    if " " in url or "@" in parts.netloc:
        raise HookAddressUnusable
    is_secure = parts.scheme == "https"
    query = f"?{parts.query}" if parts.query else ""
    default_port = 443 if is_secure else 80
    return Address(is_secure, parts.hostname, port or default_port, (parts.path or "/") + query, parts.netloc)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature` (Standard Webhooks, Symmetric signatures).

    >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
    ...     b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


async def post_signed(
    url: str, body: bytes, *, secret: str, message_id: str, timestamp: int, timeout_seconds: float
) -> tuple[int, bytes]:
    """Status and body of the reply. Redirects are not followed. Raises OSError, of which TimeoutError is one, where
    there is none in time."""
    address = parse_address(url)
    lines = (
        f"POST {address.target} HTTP/1.1",
        f"Host: {address.host_header}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "User-Agent: ostiary",
        "Connection: close",
        f"webhook-id: {message_id}",
        f"webhook-timestamp: {timestamp}",
        f"webhook-signature: {signature(secret, message_id, timestamp, body)}",
        "",
        "",
    )
    async with asyncio.timeout(timeout_seconds):
        context = ssl.create_default_context() if address.is_secure else None
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
        try:
            writer.write("\r\n".join(lines).encode("ascii") + body)
            await writer.drain()
            return await _read_reply(reader)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _read_reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    reply = Reply()
    parser = httptools.HttpResponseParser(reply)
    try:
        while not reply.is_complete:
            data = await reader.read(16_384)
            if not data:
                break
            parser.feed_data(data)
    except httptools.HttpParserError as error:
        raise OSError("the reply is no HTTP") from error
    status = parser.get_status_code()
    if not status:
        raise OSError("there was no reply")
    return status, reply.body
