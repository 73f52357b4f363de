"""Secrets at rest, and the master key that seals them."""

import stat
import threading
from pathlib import Path

import pytest

from db.secrets import MasterKey, MasterKeyUnusable, SecretUnreadable, load_master_key, seal, unseal

KEY = MasterKey(bytes(range(32)))


def test_a_sealed_secret_opens_again() -> None:
    assert unseal(KEY, seal(KEY, b"postgresql://u:p@h/d", purpose="dsn"), purpose="dsn") == b"postgresql://u:p@h/d"


def test_a_sealed_secret_names_its_key_and_shows_nothing() -> None:
    sealed = seal(KEY, b"postgresql://u:p@h/d")

    assert sealed.startswith(f"v1.{KEY.key_id}.")
    assert "postgresql" not in sealed
    assert seal(KEY, b"postgresql://u:p@h/d") != sealed


def test_another_key_or_purpose_opens_nothing() -> None:
    sealed = seal(KEY, b"secret", purpose="dsn")

    with pytest.raises(SecretUnreadable):
        unseal(MasterKey(bytes(32)), sealed, purpose="dsn")
    with pytest.raises(SecretUnreadable):
        unseal(KEY, sealed, purpose="signing key")


@pytest.mark.parametrize("position", range(0, 52, 3))
def test_an_altered_secret_does_not_open(position: int) -> None:
    sealed = seal(KEY, b"0123456789")
    other = "A" if sealed[position] != "A" else "B"

    with pytest.raises(SecretUnreadable):
        unseal(KEY, sealed[:position] + other + sealed[position + 1 :])


@pytest.mark.parametrize("broken", ["", ".", "v1", f"v1.{KEY.key_id}.", f"v1.{KEY.key_id}.AAAA", "v1.x.y.z", "å"])
def test_what_was_never_sealed_does_not_open(broken: str) -> None:
    with pytest.raises(SecretUnreadable):
        unseal(KEY, broken)


def test_a_master_key_hides_in_its_repr() -> None:
    assert "secret" not in repr(KEY)
    assert KEY.secret.hex() not in repr(KEY)


def test_a_missing_key_file_is_made_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "below" / "master.key"

    first = load_master_key(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_master_key(str(path)) == first
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_starts_at_the_same_time_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    barrier = threading.Barrier(8)
    loaded: list[MasterKey] = []

    def load() -> None:
        barrier.wait()
        loaded.append(load_master_key(path))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(loaded) == 8
    assert len({key.secret for key in loaded}) == 1


@pytest.mark.parametrize("value", ["00" * 31 + "ff", "A" * 42 + "8", "A" * 42 + "8=", " " + "0F" * 32 + "\n"])
def test_a_key_may_be_given_as_a_value(value: str) -> None:
    assert len(load_master_key(value).secret) == 32


def test_a_key_file_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    load_master_key(path)
    path.chmod(0o644)

    with pytest.raises(MasterKeyUnusable, match="chmod 600"):
        load_master_key(path)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe", b"0" * 63])
def test_a_file_without_a_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(MasterKeyUnusable):
        load_master_key(path)
    assert path.read_bytes() == content


def test_a_folder_in_place_of_the_key_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(MasterKeyUnusable, match="is a directory"):
        load_master_key(tmp_path)
