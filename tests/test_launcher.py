"""The script `ostiary`: what it needs of a machine, what it says when that is missing, and what it hands over."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SYSTEM_PROGRAMS = ("sh", "dirname", "readlink", "id", "cmp", "cp", "rm", "tail", "grep", "tee", "awk", "cat", "mkdir")

CLI = """
import os, sys
print(*sys.argv[1:], os.getcwd(), sep="|")
"""

PYTHON_WITHOUT_VENV = """#!/bin/sh
case $2 in
*ensurepip*) exit 1 ;;
*-venv*) echo python3.12-venv ;;
esac
"""

# Stands for the program uv: makes an environment whose python is the one that runs this test.
UV = """#!/bin/sh
echo "uv $*" >>"{log}"
case $1 in
venv) for folder; do :; done; mkdir -p "$folder/bin"; cp -P "{python}" "$folder/bin/python" ;;
pip) exit {exit_code} ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout with a stand-in for the gateway, and a machine that holds nothing but what a test adds."""

    folder: Path
    programs: Path

    def add_program(self, name: str, text: str) -> None:
        program = self.programs / name
        program.write_text(text)
        program.chmod(0o755)

    def add_uv(self, exit_code: int = 0) -> Path:
        log = self.folder / "uv.log"
        python = self.folder / "python"
        python.symlink_to(sys.executable)
        self.add_program("uv", UV.format(log=log, python=python, exit_code=exit_code))
        self.add_program("python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        return log

    def start(self, *arguments: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / "ostiary"), *arguments],
            cwd=cwd,
            env={"PATH": str(self.programs), "HOME": "/nonexistent", **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a path with spaces"
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in SYSTEM_PROGRAMS:
        where = shutil.which(program)
        assert where is not None, program
        (programs / program).symlink_to(where)
    (folder / "gateway").mkdir(parents=True)
    (folder / "gateway" / "__init__.py").touch()
    (folder / "gateway" / "__main__.py").write_text(CLI)
    (folder / "requirements").mkdir()
    (folder / "requirements" / "run.txt").write_text("one==1\n")
    (folder / "requirements" / "dev.txt").write_text("one==1\ntwo==2\n")
    shutil.copy(REPOSITORY / "ostiary", folder / "ostiary")
    return Checkout(folder, programs)


def test_without_python_the_packages_to_install_are_named(checkout: Checkout) -> None:
    started = checkout.start("run")

    assert started.returncode == 1
    assert "Python 3.11 or newer is needed" in started.stderr
    assert "apt-get install python3 python3-venv" in started.stderr


def test_an_interpreter_that_is_named_and_does_not_serve_is_refused(checkout: Checkout) -> None:
    checkout.add_program("old-python", "#!/bin/sh\nexit 1\n")

    started = checkout.start("run", PYTHON="old-python")

    assert started.returncode == 1
    assert started.stderr == "ostiary: PYTHON=old-python is not a Python 3.11 or newer.\n"


def test_without_the_module_venv_its_debian_package_is_named(checkout: Checkout) -> None:
    checkout.add_program("python3", PYTHON_WITHOUT_VENV)

    started = checkout.start("run")

    assert started.returncode == 1
    assert "apt-get install python3.12-venv" in started.stderr
    assert not (checkout.folder / ".venv").exists()


def test_first_start_installs_by_hash_and_the_next_one_installs_nothing(checkout: Checkout) -> None:
    log = checkout.add_uv()

    first = checkout.start("run", "--port", "1")
    calls_of_first = log.read_text()
    second = checkout.start("run", "--port", "2")

    assert first.returncode == second.returncode == 0
    assert first.stdout.startswith("run|--port|1|")
    assert "--require-hashes" in calls_of_first
    assert log.read_text() == calls_of_first
    assert second.stderr == ""


def test_a_changed_lock_is_installed_again(checkout: Checkout) -> None:
    log = checkout.add_uv()
    checkout.start("run")
    before = log.read_text().count("uv pip install")
    (checkout.folder / "requirements" / "run.txt").write_text("one==2\n")

    checkout.start("run")

    assert log.read_text().count("uv pip install") == before + 1


def test_a_failed_installation_is_not_taken_for_a_finished_one(checkout: Checkout) -> None:
    log = checkout.add_uv(exit_code=1)

    first = checkout.start("run")
    second = checkout.start("run")

    assert first.returncode == second.returncode == 1
    assert "could not be installed" in second.stderr
    assert log.read_text().count("uv pip install") == 2


def test_gateway_starts_where_the_user_is_and_ignores_what_lies_there(checkout: Checkout, tmp_path: Path) -> None:
    checkout.add_uv()
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "gateway").mkdir(parents=True)
    (elsewhere / "gateway" / "__main__.py").write_text("print('not ours')")

    started = checkout.start("demo", "--full", "a b", cwd=elsewhere)

    assert started.stdout == f"demo|--full|a b|{elsewhere}\n"


def test_script_may_be_reached_by_a_link(checkout: Checkout, tmp_path: Path) -> None:
    checkout.add_uv()
    link = tmp_path / "bin" / "linked"
    link.symlink_to(Path("..") / checkout.folder.name / "ostiary")

    started = subprocess.run(
        [str(link), "check-settings"], env={"PATH": str(checkout.programs)}, capture_output=True, text=True, check=True
    )

    assert started.stdout == f"check-settings|{Path.cwd()}\n"
