"""docs/mudbase.md: its program does what it shows, and its codes are those of the code."""

import asyncio
import re
import subprocess
import sys

import pytest

from tests.documents import ROOT, blocks_of, read_document, table_rows
from tests.facades.mudbase.conftest import Bench

PAGE = "docs/mudbase.md"


@pytest.mark.postgres
async def test_the_program_prints_what_is_shown(bench: Bench) -> None:
    blocks = list(blocks_of(read_document(PAGE)))
    (place,) = [place for place, block in enumerate(blocks) if block.language == "python"]
    program = blocks[place].text.replace("https://gateway.example", bench.address).replace('"notes"', '"shelter"')
    command = [sys.executable, "-c", program]
    run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)

    assert run.stdout == blocks[place + 1].text, run.stderr


def test_every_code_is_on_the_page() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "gateway/facades").glob("mudbase*.py"))
    used = set(re.findall(r"Refusal\(\d+, \"(\w+)\"", code))
    documented = {code for row in table_rows(read_document(PAGE)) for code in re.findall(r"`(\w+)`", row[1])}

    assert len(used) > 5
    assert used <= documented
