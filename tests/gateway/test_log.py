import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from db.errors import DatabaseUnavailable
from gateway.errors import InternalError
from gateway.log import bind_request, configure_logging, log, publish, request_id

Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Lines:
    def read() -> list[str]:
        return capfd.readouterr().err.splitlines()

    return read


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def written(lines: Lines) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines()]


def test_a_line_is_one_json_object(lines: Lines) -> None:
    configure_logging("json")

    log.info("tenant loaded", tenant_id=7, tables=("a", "b"))

    (line,) = written(lines)
    assert (line["event"], line["tenant_id"], line["tables"]) == ("tenant loaded", 7, ["a", "b"])
    assert (line["level"], line["logger"]) == ("info", "ostiary")
    assert str(line["time"]).endswith("Z")


def test_libraries_write_in_the_same_form(lines: Lines) -> None:
    configure_logging("json")

    logging.getLogger("uvicorn.error").warning("Invalid %s", "request")
    logging.getLogger("sqlalchemy.engine").info("select secret")

    (line,) = written(lines)
    assert (line["event"], line["level"], line["logger"]) == ("Invalid request", "warning", "uvicorn.error")


@pytest.mark.parametrize("form", ["json", "console"])
def test_nobody_can_forge_a_line(lines: Lines, form: str) -> None:
    configure_logging("json" if form == "json" else "console")
    forged = 'x\n{"event":"login","role":"root"}\r\u2028\x1b[31m\ud800'

    log.warning("login refused", login=forged, more={forged: [forged]})
    log.warning(forged)
    logging.getLogger("library").warning("%s", forged)

    assert len(lines()) == 3


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_is_written(lines: Lines, form: str) -> None:
    configure_logging("json" if form == "json" else "console")

    log.info("a", password="hunter2", access_token="hunter2", Authorization="hunter2", nested={"dsn": "hunter2"})
    log.info("sent Bearer hunter2 to postgresql://root:hunter2@localhost/x")
    log.info("eyJhbGciOiJFUzUxMiJ9.hunter2.hunter2")
    error = ValueError("postgresql://root:hunter2@localhost/x\n[parameters: ('hunter2',)]")
    log.error("b", exc_info=error)

    found = lines()
    assert len(found) >= 4
    assert not [line for line in found if "hunter2" in line]
    assert any("localhost" in line for line in found)


def test_a_long_text_is_cut(lines: Lines) -> None:
    configure_logging("json")

    log.info("x" * 100_000)

    assert len(lines()[0]) < 2_000


def fail_twice() -> None:
    try:
        _ = {}["first"]
    except KeyError as error:
        raise ZeroDivisionError("second\nthird") from error


def test_a_fault_is_logged_under_the_id_that_is_shown(lines: Lines) -> None:
    configure_logging("json")
    with pytest.raises(ZeroDivisionError) as caught:
        fail_twice()
    shown = publish(caught.value)

    assert isinstance(shown, InternalError)
    (line,) = written(lines)
    assert line["id"] == shown.incident
    assert line["error"] == [
        {"type": "ZeroDivisionError", "message": "second", "at": line["error"][0]["at"]},
        {"type": "KeyError", "message": "'first'", "at": line["error"][1]["at"]},
    ]
    assert "test_log.py" in str(line["error"])


def test_an_error_that_may_be_shown_is_not_logged(lines: Lines) -> None:
    configure_logging("json")
    error = DatabaseUnavailable()

    assert publish(error) is error
    assert lines() == []


def test_every_line_of_a_request_has_its_id(lines: Lines) -> None:
    configure_logging("json")

    identity = bind_request(b"abc-1")
    log.info("a")

    assert identity == "abc-1"
    assert written(lines)[0]["request"] == "abc-1"


@pytest.mark.parametrize("given", [b"", b"a b", b"a\n", b"x" * 65, b"\xff"])
def test_an_id_that_could_do_harm_is_replaced(given: bytes) -> None:
    first, second = (request_id(given) for _ in range(2))

    assert first != second
    assert len(first) == 16
