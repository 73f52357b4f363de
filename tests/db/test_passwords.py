"""Passwords: argon2id, and the whole password counts."""

import pytest

from db.passwords import DUMMY_HASH, hash_password, needs_rehash, verify_password


def test_the_hash_of_a_password_fits_that_password() -> None:
    stored = hash_password("correct horse battery")

    assert verify_password(stored, "correct horse battery")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("the same") != hash_password("the same")


@pytest.mark.parametrize(
    "altered",
    [
        "Påssword\0and more " * 8 + "x",
        "Påssword\0and more " * 8 + " ",
        ("Påssword\0and more " * 8).strip(),
        ("Påssword\0and more " * 8).lower(),
        ("Påssword\0and more " * 8)[:72],
        "Påssword",
        "Pa\u030assword\0and more " * 8,
        "",
    ],
)
def test_an_altered_password_does_not_fit(altered: str) -> None:
    stored = hash_password("Påssword\0and more " * 8)

    assert not verify_password(stored, altered)


def test_a_lone_surrogate_is_a_character_like_any_other() -> None:
    assert verify_password(hash_password("\ud800"), "\ud800")
    assert not verify_password(hash_password("\ud800"), "\ud801")


def test_a_hash_that_cannot_be_read_fits_no_password() -> None:
    assert not verify_password("not a hash", "not a hash")
    assert not verify_password("", "")


def test_the_dummy_hash_costs_what_a_real_one_costs_and_fits_nothing() -> None:
    parameters = hash_password("any").rsplit("$", 2)[0]

    assert DUMMY_HASH.rsplit("$", 2)[0] == parameters
    assert not needs_rehash(DUMMY_HASH)
    assert not verify_password(DUMMY_HASH, "")


def test_a_hash_with_other_parameters_is_to_be_made_anew() -> None:
    assert needs_rehash("$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b9dWRWJTmaaJObG")
