"""What the repository promises to those who install it: names of its own, pinned packages, nothing of this machine."""

import importlib.metadata
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
OUR_NAMES = ("gateway", "schema", "db")
LOCKS = ("run", "dev")

# In pieces, so that this file does not hold what it forbids.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"pypi\." + "org",
            r"python" + r"hosted\.org",
            r"registry\.npm" + r"js\.org",
            r"registry\.yarn" + r"pkg\.com",
            r"(?:deb|security)\.debian\." + "org",
            r"(?<![\w.~$}/])/" + r"(?:root|work|home/\w+|Users/\w+)/",
        ]
    ).encode()
)
NOT_OURS = {"__pycache__", "node_modules", "build", "dist"}
NOT_OURS_AT_THE_TOP = {"data", "var"}


def pyproject() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def locked(lock: str) -> dict[str, set[str]]:
    """The versions that a lock pins, by the package's name; some differ by Python version or system."""
    versions: dict[str, set[str]] = {}
    for line in (REPOSITORY / "requirements" / f"{lock}.txt").read_text().splitlines():
        if found := re.match(r"([\w.-]+)==([\w.]+)", line):
            versions.setdefault(canonicalize_name(found[1]), set()).add(found[2])
    return versions


def files_of_the_repository() -> Iterator[Path]:
    for folder, folders, files in os.walk(REPOSITORY):
        skipped = NOT_OURS | NOT_OURS_AT_THE_TOP if folder == str(REPOSITORY) else NOT_OURS
        folders[:] = [name for name in folders if name not in skipped and (name == ".ci" or name[0] != ".")]
        yield from (Path(folder, name) for name in files if name not in {".env", ".git"})


@pytest.mark.parametrize("name", OUR_NAMES)
def test_import_name_is_ours_alone(name: str) -> None:
    assert set(importlib.metadata.packages_distributions().get(name, [])) <= {"ostiary"}


def test_wheel_holds_the_three_packages_and_one_script() -> None:
    project = pyproject()

    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(OUR_NAMES)
    assert project["project"]["scripts"] == {"ostiary": "gateway.cli:main"}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_by_hash_and_holds_no_address(lock: str) -> None:
    text = (REPOSITORY / "requirements" / f"{lock}.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if entry.strip()]

    assert all(re.match(r"[\w.-]+==\S+", entry) for entry in entries)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert "://" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_every_declared_dependency_within_its_bounds(lock: str) -> None:
    project = pyproject()
    declared = [Requirement(line) for line in project["project"]["dependencies"]]
    if lock == "dev":
        declared += [Requirement(line) for line in project["dependency-groups"]["dev"]]
    versions = locked(lock)

    for requirement in declared:
        pinned = versions.get(canonicalize_name(requirement.name), set())
        assert pinned, f"{requirement.name} is not in requirements/{lock}.txt: make lock"
        assert all(requirement.specifier.contains(version) for version in pinned), f"{requirement}: make lock"


def test_development_lock_pins_the_same_versions_as_the_lock_for_running() -> None:
    development = locked("dev")

    assert all(development.get(name) == versions for name, versions in locked("run").items())


def test_every_command_of_the_makefile_is_documented_in_its_help() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None

    documented = re.findall(r"^([a-z-]+):.*?## \S", makefile, re.MULTILINE)

    assert sorted(documented) == sorted(phony[1].split())


def test_no_file_holds_an_address_of_a_registry_or_a_path_of_a_machine() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}: {match[0].decode()}"
        for path in files_of_the_repository()
        if b"\0" not in (content := path.read_bytes())
        for match in FORBIDDEN.finditer(content)
    ]

    assert found == []
