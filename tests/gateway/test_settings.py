"""Settings: where they come from, and that all their faults are told at once and no secret is."""

from pathlib import Path

import pytest

from gateway.settings import Settings, SettingsInvalid, default_data_dir, load_settings, variable_of
from tests.commands import ROOT


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_of(field), raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)


def faults_of(**options: object) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(env_file=None, **options)
    return caught.value.faults


def test_defaults_are_the_lifetimes_and_limits_of_the_wire() -> None:
    settings = load_settings(env_file=None)

    assert (settings.access_token_seconds, settings.refresh_token_seconds) == (86_400, 604_800)
    assert settings.cors_origins == ("*",)
    assert settings.trusted_proxies == ()
    assert settings.conceal_logins is False
    assert settings.master_key_path == settings.data_dir / "master.key"


def test_data_of_a_clone_lie_in_it_wherever_the_command_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_settings(env_file=None).data_dir == ROOT / ".ostiary"


def test_data_of_an_installed_gateway_are_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/nowhere/home")

    assert default_data_dir(tmp_path, {}) == Path("/nowhere/home/.local/share/ostiary")
    assert default_data_dir(tmp_path, {"XDG_DATA_HOME": "/srv/ann"}) == Path("/srv/ann/ostiary")
    assert default_data_dir(tmp_path, {"XDG_DATA_HOME": "relative"}) == Path("/nowhere/home/.local/share/ostiary")


def test_data_go_elsewhere_where_the_clone_is_not_the_users_to_write_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setenv("HOME", "/nowhere/home")
    # Root, who may run the tests, may write anywhere.
    monkeypatch.setattr("os.access", lambda path, mode: False)

    assert default_data_dir(tmp_path, {}) == Path("/nowhere/home/.local/share/ostiary")


def test_options_win_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("OSTIARY_PORT=1\nOSTIARY_HOST=file.test\nOSTIARY_ISSUER=file\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("OSTIARY_PORT", "2")
    monkeypatch.setenv("OSTIARY_HOST", "environment.test")

    settings = load_settings(env_file=file, port=3, host=None)

    assert (settings.port, settings.host, settings.issuer) == (3, "environment.test", "file")


@pytest.mark.parametrize("variable", ["DATABASE_URL", "OSTIARY_DATABASE_URL"])
def test_the_database_is_named_by_either_variable_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "postgresql://ann:very-secret@db.test/control")
    monkeypatch.setenv("OSTIARY_MASTER_KEY", "00" * 32)

    settings = load_settings(env_file=None)

    assert settings.database_url.get_secret_value().endswith("@db.test/control")
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "very-secret" not in shown
        assert "00" * 32 not in shown


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTIARY_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32,")
    monkeypatch.setenv("OSTIARY_CORS_ORIGINS", "https://app.test")

    settings = load_settings(env_file=None)

    assert settings.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32")
    assert settings.cors_origins == ("https://app.test",)


def test_all_faults_are_reported_together_without_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://ann:very-secret@db.test/x")
    monkeypatch.setenv("OSTIARY_PORT", "99999")
    monkeypatch.setenv("OSTIARY_TRUSTED_PROXIES", "10.0.0.1/8")
    monkeypatch.setenv("OSTIARY_LOGIN_LIMIT_LOGIN", "often")
    monkeypatch.setenv("OSTIARY_ACCESS_TOKEN_SECOND", "60")

    faults = faults_of()

    assert len(faults) == 5
    named = sorted(fault.partition(":")[0] for fault in faults)
    assert named == [
        "OSTIARY_ACCESS_TOKEN_SECOND",
        "OSTIARY_DATABASE_URL",
        "OSTIARY_LOGIN_LIMIT_LOGIN",
        "OSTIARY_PORT",
        "OSTIARY_TRUSTED_PROXIES",
    ]
    assert "very-secret" not in "".join(faults)
    assert any("Is OSTIARY_ACCESS_TOKEN_SECONDS meant?" in fault for fault in faults)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("access_token_seconds", 86_401),
        ("refresh_token_seconds", 604_801),
        ("access_token_seconds", 0),
        ("token_leeway_seconds", 61),
        ("base_url", "ftp://x"),
        ("base_url", "https://x/?a=b"),
        ("base_url", "https://user:pw@x"),
        ("base_url", "example.org"),
        ("database_url", "sqlite:///x"),
        ("trusted_proxies", "proxy.test"),
        ("rate_limit_storage", "memory://"),
        ("password_threads", 0),
        ("max_header_bytes", 1),
        ("token_cache_size", 0),
        ("issuer", ""),
        ("no_such_setting", 1),
    ],
)
def test_a_value_that_cannot_work_is_a_fault(field: str, value: object) -> None:
    [fault] = faults_of(**{field: value})

    assert field.upper() in fault.upper()


@pytest.mark.parametrize(
    "url", ["https://api.example.org", "http://localhost:8000/", "https://x.test/a/b", "http://[::1]:80"]
)
def test_a_base_url_is_an_address_with_or_without_a_path(url: str) -> None:
    assert load_settings(env_file=None, base_url=url).base_url == url


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("storage", ["async+redis://someone:very-secret@redis.test", "async+nonsense://very-secret"])
def test_a_storage_that_cannot_be_used_is_told_without_its_address(storage: str) -> None:
    (fault,) = faults_of(rate_limit_storage=storage)

    assert fault.startswith("OSTIARY_RATE_LIMIT_STORAGE: is no storage that can be used")
    assert "very-secret" not in fault
