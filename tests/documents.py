"""The Markdown files of the repository, as far as tests read them: their fenced blocks, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the heading above it."""

    language: str
    text: str
    heading: str


def read_document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks of a document."""
    for found in _FENCE.finditer(text):
        headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text[: found.start()]), re.MULTILINE)
        yield Block(found[1], found[2], headings[-1] if headings else "")


def table_rows(text: str) -> list[tuple[str, ...]]:
    """The cells of all rows of the tables in a text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not re.match(r"\|[\s|:-]+\|$", line)]
    heads = {
        before
        for before, line in zip(text.splitlines(), text.splitlines()[1:], strict=False)
        if re.match(r"\|[\s|:-]+\|$", line)
    }
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines if line not in heads]
