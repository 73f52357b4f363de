"""Scripts of tests/graphql_js, run by Node: what the reference implementation of GraphQL says."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parent / "graphql_js"
RUN_SECONDS = 90


def run_script(name: str, *arguments: str, given: object = None) -> Any:
    """What the script printed, read as JSON if it is JSON; `given` is its standard input. Skips the test where there is
    no Node or no package."""
    run = subprocess.run(
        [_node(), name, *arguments],
        cwd=SCRIPTS,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout) if run.stdout.startswith(("{", "[")) else run.stdout


@cache
def _node() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("What graphql-js says can only be asked with Node.js: install nodejs and npm for these tests.")
    if not (SCRIPTS / "node_modules" / "graphql-http").exists():
        installed = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=SCRIPTS, capture_output=True, check=False
        )
        if installed.returncode != 0:
            pytest.skip("The packages of tests/graphql_js could not be installed: npm reached no registry.")
    return node
