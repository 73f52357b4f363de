"""docs/realm.md: every request that it shows is answered as it shows."""

import json
import re
from typing import Any

import pytest

from tests.documents import Block, blocks_of, read_document
from tests.doors import bearer
from tests.gateway.test_guests_page import matches
from tests.shelters import Shelter

pytestmark = pytest.mark.postgres


async def test_every_request_is_answered_as_it_is_shown(shelter: Shelter) -> None:
    """A block `http` may begin with who asks, by which token, or with whose tokens the reply holds."""
    blocks = list(blocks_of(read_document("docs/realm.md")))
    pairs = [(block, blocks[place + 1]) for place, block in enumerate(blocks) if block.language == "http"]
    tokens: dict[str, str] = {}
    assert len(pairs) == 7
    for request, reply in pairs:
        assert reply.language == "json"
        answered = await send(shelter, request, tokens)
        assert matches_all(json.loads(reply.text), answered), (request.text, answered)


async def send(shelter: Shelter, block: Block, tokens: dict[str, str]) -> Any:
    lines = block.text.splitlines()
    comment = lines.pop(0) if lines[0].startswith("#") else ""
    method, path = lines[0].split(" ", 1)
    body = json.loads("\n".join(lines[1:])) if lines[1:] else None
    asker = re.fullmatch(r"# (as|renewed by) (\w+)", comment)
    headers = bearer(tokens[f"{asker[1]} {asker[2]}"]) if asker is not None else {}
    reply = (await shelter.client.request(method, path, json=body, headers=headers)).json()
    owner = re.fullmatch(r"# the reply is (\w+)'s", comment)
    if owner is not None:
        tokens[f"as {owner[1]}"] = reply["access_token"]
        tokens[f"renewed by {owner[1]}"] = reply["refresh_token"]
    return reply


def matches_all(shown: object, answered: object) -> bool:
    """Whether they match, lists entry by entry."""
    if isinstance(shown, dict) and isinstance(answered, dict):
        return shown.keys() == answered.keys() and all(matches_all(shown[name], answered[name]) for name in shown)
    if isinstance(shown, list) and isinstance(answered, list):
        return len(shown) == len(answered) and all(map(matches_all, shown, answered))
    return matches(shown, answered)
