"""What a password must be to be taken, by NIST SP 800-63B-4 (3.1.1.2) and ASVS 5 (6.2)."""

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from gateway.settings import Settings
from schema.roles_pbac.passwords import PasswordRefused, PasswordRules, common_passwords, repeated_part

RULES = PasswordRules()


def is_taken(password: str, rules: PasswordRules = RULES) -> bool:
    try:
        rules.check(password)
    except PasswordRefused:
        return False
    return True


def test_a_password_has_at_least_fifteen_characters_unless_the_operator_says_less() -> None:
    assert Settings(_env_file=None).password_min_length == RULES.min_length == 15
    assert [is_taken("kestrel over 17"[:length]) for length in (1, 8, 14, 15)] == [False, False, False, True]
    assert is_taken("kestrel8", PasswordRules(min_length=8))


def test_characters_are_counted_and_not_bytes() -> None:
    assert not is_taken("日本語の鳥がとぶ")
    assert is_taken("日本語の鳥がとぶ、山をこえて海へ")


@pytest.mark.parametrize(
    "password",
    [
        "only small letters here",
        "ONLY CAPITAL LETTERS HERE",
        "314159265358979323846",
        " leading and trailing ",
        "nul \0 and \n line and \t tab",
        "emoji \U0001f600\U0001f601\U0001f602 and more",
        "\ud800 a lone surrogate",
        "; drop table roles; --",
    ],
)
def test_there_are_no_rules_of_composition_and_any_character_counts(password: str) -> None:
    assert is_taken(password)


@pytest.mark.parametrize("length", [64, 128, 1_000])
def test_long_passwords_are_taken_whole(length: int) -> None:
    assert is_taken(("the quick brown fox jumps over the lazy dog " + "".join(map(str, range(1_000))))[:length])


def test_a_password_beyond_the_greatest_length_is_refused_and_not_cut() -> None:
    assert not is_taken("".join(map(str, range(1_000)))[:1_001])


def test_each_of_the_three_thousand_commonest_passwords_of_the_length_is_refused() -> None:
    rules = PasswordRules(min_length=8)
    commonest = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 8][:3_000]

    assert len(common_passwords(3_000, 8)) == len(commonest) == 3_000
    assert [word for word in commonest if is_taken(word, rules) or is_taken(word.upper(), rules)] == []


def test_every_known_common_password_that_is_long_enough_is_refused() -> None:
    long = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 15]

    assert len(long) > 20
    assert [word for word in long if is_taken(word)] == []


@pytest.mark.parametrize(
    "password",
    ["passwordpassword", "Password123Password123", "qwertyqwertyqwe", "letmeinletmeinletmein", "aaaaaaaaaaaaaaaa",
     "abababababababab", "123412341234123412", "                "],
)  # fmt: skip
def test_repeating_a_common_password_or_a_few_characters_does_not_help(password: str) -> None:
    assert not is_taken(password)


def test_an_operator_may_take_common_passwords() -> None:
    assert is_taken("passwordpassword", PasswordRules(refuses_common=False))


@pytest.mark.parametrize(
    ("text", "part"), [("", ""), ("a", "a"), ("aaaa", "a"), ("abcabcab", "abc"), ("abcabd", "abcabd"), ("aab", "aab")]
)
def test_the_repeated_part_of_a_text_is_found(text: str, part: str) -> None:
    assert repeated_part(text) == part
