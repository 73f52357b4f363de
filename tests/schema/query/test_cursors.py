"""The cursor's key: what its pads are, and that it shows nothing."""

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest

from schema.query.cursors import CursorInvalid, CursorKey, CursorPad, context_of, cursor_key, nulls_in
from schema.query.plan import Order
from schema.query.planning.pages import total_order
from tests.builders import a_column, a_model, a_table

KEY = CursorKey(b"secret")


def a_cursor(key: CursorKey, context: str, values: bytes) -> str:
    """As PostgreSQL makes it: two hashes over the pads."""
    inner, outer = (bytes.fromhex(key.pad(CursorPad(context, side))[2:]) for side in ("inner", "outer"))
    proof = hashlib.sha256(outer + hashlib.sha256(inner + values).digest()).digest()
    return base64.urlsafe_b64encode(proof + values).decode().rstrip("=")


def test_what_the_pads_make_is_an_hmac() -> None:
    proof = hmac.digest(hmac.digest(b"secret", b"here", "sha256"), b'["1"]', "sha256")

    assert base64.urlsafe_b64decode(a_cursor(KEY, "here", b'["1"]') + "==")[:32] == proof


def test_a_cursor_gives_its_values_back() -> None:
    assert KEY.read(a_cursor(KEY, "here", b'["1", null, "\\u00e9"]'), "here") == ("1", None, "é")


@pytest.mark.parametrize("values", [b"[]", b"{}", b"[1]", b"[", b"", b'"a"', b"[[]]"])
def test_what_holds_no_texts_is_no_cursor(values: bytes) -> None:
    cursor = a_cursor(KEY, "here", values)

    with pytest.raises(CursorInvalid):
        KEY.read(cursor, "here")
    with pytest.raises(CursorInvalid):
        nulls_in(cursor)


@pytest.mark.parametrize("cursor", [None, 7, "", "a", "=", "AAAA", "a b", "ü" * 60])
def test_what_is_no_cursor_is_refused(cursor: object) -> None:
    with pytest.raises(CursorInvalid):
        KEY.read(cursor, "here")


def test_a_cursor_is_good_for_its_context_and_key_alone() -> None:
    cursor = a_cursor(KEY, "here", b'["1"]')

    for key, context in ((KEY, "there"), (CursorKey(b"other"), "here"), (cursor_key(b"secret", 1), "here")):
        with pytest.raises(CursorInvalid):
            key.read(cursor, context)
    assert cursor_key(b"secret", 1) != cursor_key(b"secret", 2)


def test_contexts_of_different_parts_differ() -> None:
    assert len({context_of("a", "b"), context_of("ab"), context_of("a", "b", ""), context_of("b", "a")}) == 4


def test_a_key_does_not_print_itself() -> None:
    assert "secret" not in repr(KEY).replace("CursorKey", "")


def test_an_order_is_made_total_by_the_key_if_the_caller_may_see_it() -> None:
    name = a_column("name")
    columns = (a_column("id", "int4", not_null=True), name, a_column("place", "point"), a_column("n", "int4"))
    entity = a_model(a_table("t", *columns)).entities["t"]
    hidden = replace(entity, columns={key: column for key, column in entity.columns.items() if key != "id"})
    order = (Order((), name, descending=True),)

    assert [each.column.name for each in total_order(entity, order)] == ["name", "id"]
    assert [each.column.name for each in total_order(hidden, order)] == ["name", "n"]
