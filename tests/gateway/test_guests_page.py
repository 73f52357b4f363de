"""docs/guests.md: every request that it shows is answered as it shows."""

import json
import re
from typing import Any, cast

import pytest

from tests.documents import Block, blocks_of, read_document
from tests.doors import bearer
from tests.shelters import Shelter

pytestmark = pytest.mark.postgres

ANYTHING = "…"
NAMED = re.compile(r"<access token of (\w+)>")


async def test_every_request_is_answered_as_it_is_shown(shelter: Shelter) -> None:
    """A block `http` may begin with who asks, or with whose tokens the reply holds."""
    blocks = list(blocks_of(read_document("docs/guests.md")))
    pairs = [(block, blocks[place + 1]) for place, block in enumerate(blocks) if block.language == "http"]
    tokens: dict[str, str] = {}
    assert len(pairs) == 11
    for request, reply in pairs:
        assert reply.language == "json"
        answered = await send(shelter, request, tokens)
        assert matches(json.loads(reply.text), answered), (request.text, answered)


async def send(shelter: Shelter, block: Block, tokens: dict[str, str]) -> Any:
    lines = block.text.splitlines()
    comment = lines.pop(0) if lines[0].startswith("#") else ""
    method, path = lines[0].split(" ", 1)
    written = NAMED.sub(lambda found: tokens[found[1]], "\n".join(lines[1:]))
    body: dict[str, Any] | None = json.loads(written) if written else None
    if body is not None and "tenantid" in body:
        body["tenantid"] = shelter.tenant_id
    asker = comment.removeprefix("# as ") if comment.startswith("# as ") else ""
    headers = bearer(tokens[asker]) if asker else {}
    reply = (await shelter.client.request(method, path, json=body, headers=headers)).json()
    owner = re.fullmatch(r"# the reply is (\w+)'s", comment)
    if owner is not None:
        tokens[owner[1]] = reply["access_token"]
    return reply


def matches(shown: object, answered: object) -> bool:
    """Whether the answer is the one that is shown, with anything in the place of three dots."""
    if shown == ANYTHING:
        return answered is not None
    if isinstance(shown, dict) and isinstance(answered, dict):
        one, other = cast("dict[str, object]", shown), cast("dict[str, object]", answered)
        return one.keys() == other.keys() and all(matches(one[name], other[name]) for name in one)
    return shown == answered
