"""docs/backendless.md: its program does what it shows, and its numbers are those of the code."""

import re

import pytest

from tests.documents import ROOT, blocks_of, read_document, table_rows
from tests.facades.backendless.conftest import Bench

PAGE = "docs/backendless.md"
# What the program prints is compared, and so the names of Node's console are its.
PRINTED = """
const lines = [];
const { format } = process.getBuiltinModule("node:util");
const console = { log: (...values) => lines.push(format(...values)) };
"""


@pytest.mark.postgres
async def test_the_program_prints_what_is_shown(bench: Bench) -> None:
    blocks = list(blocks_of(read_document(PAGE)))
    (place,) = [place for place, block in enumerate(blocks) if block.language == "js"]
    program = blocks[place].text.replace("https://gateway.example", bench.address).replace('"notes"', '"shelter"')
    async with bench.launch() as sdk:
        lines = await sdk.run(f"{PRINTED}\n{program}\nreturn lines;")

    assert lines == blocks[place + 1].text.splitlines()


def test_every_number_is_on_the_page() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "gateway/facades").glob("backendless*.py"))
    used = set(re.findall(r"Refusal\(\d+, (\d+)", code)) | set(re.findall(r"\((10\d\d), \"", code))
    documented = {number for code, *_ in table_rows(read_document(PAGE)) for number in re.findall(r"\d+", code)}

    assert used
    assert used <= documented
