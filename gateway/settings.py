"""Settings, read once and their faults reported together. No other module looks at the environment."""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from limits import parse_many
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.secrets import parse_master_key

PREFIX: Final = "OSTIARY_"
_BASE_URL: Final = re.compile(
    r"https?://[A-Za-z0-9.\-]+(:\d{1,5})?(/[A-Za-z0-9._~\-]+)*/?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?/?"
)

Item = TypeVar("Item")
Listed = Annotated[tuple[Item, ...], NoDecode]


class SettingsInvalid(Exception):
    """Settings that cannot be used. `faults` names every one, a line each, without the values."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class Settings(BaseSettings):
    """What an operator may choose. Every field is the variable OSTIARY_<FIELD>; lists are separated by commas."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("OSTIARY_DATABASE_URL", "DATABASE_URL"),
        description="The control database as a PostgreSQL URL; empty starts the embedded PostgreSQL.",
    )
    data_dir: Path = Field(
        default_factory=lambda: default_data_dir(Path(__file__).parents[1], os.environ),
        description="Folder of the embedded PostgreSQL and the master key.",
    )
    postgres_bin: Path | None = Field(
        default=None, description="Folder with the programs of PostgreSQL, for the embedded server."
    )
    demo: bool = Field(default=True, description="Make the demo tenants when the embedded PostgreSQL is new.")
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8000, ge=0, le=65_535, description="The port to listen on; 0 takes a free one.")

    base_url: str = Field(default="", description="The address clients use; empty takes it from the Host header.")
    allowed_hosts: Listed[str] = Field(default=(), description="Host names to answer to; empty answers to any.")
    trusted_proxies: Listed[str] = Field(
        default=(), description="Networks whose X-Forwarded-For and X-Forwarded-Proto are believed."
    )
    cors_origins: Listed[str] = Field(default=("*",), description="Origins whose pages may call the gateway.")

    master_key: SecretStr = Field(default=SecretStr(""), description="The master key itself, in place of the file.")
    master_key_file: Path | None = Field(
        default=None, description="File of the master key, made on first use; by default master.key in data_dir."
    )

    issuer: str = Field(default="ostiary", min_length=1, max_length=200, description="`iss` of every token.")
    audience: str | None = Field(default=None, max_length=200, description="`aud` of every token; unset leaves it out.")
    access_token_seconds: int = Field(default=86_400, ge=60, le=86_400, description="Life of an access token.")
    refresh_token_seconds: int = Field(default=604_800, ge=60, le=604_800, description="Life of a refresh token.")
    session_max_seconds: int = Field(
        default=2_592_000, ge=60, description="Longest life of a session, however often it is refreshed."
    )
    anonymous_session_max_seconds: int = Field(default=604_800, ge=60, description="The same for an anonymous session.")
    token_leeway_seconds: int = Field(default=10, ge=0, le=60, description="Allowance for clocks that differ.")
    refresh_grace_seconds: int = Field(
        default=10, ge=0, le=60, description="How long a used refresh token still gives its successor."
    )
    conceal_logins: bool = Field(
        default=False, description="Answer an unknown login, tenant and a wrong password alike, at the same cost."
    )

    login_limit_address: str = Field(default="120/minute", description="Logins tried from one address.")
    login_limit_login: str = Field(
        default="10/minute", description="Failed logins for one login of a tenant from one address."
    )
    login_limit_everywhere: str = Field(
        default="60/minute", description="Failed logins for one login of a tenant from all addresses."
    )
    login_limit_tenant: str = Field(default="1200/minute", description="Logins tried for one tenant.")
    anonymous_limit_address: str = Field(default="60/minute", description="Anonymous logins from one address.")
    anonymous_limit_tenant: str = Field(default="600/minute", description="Anonymous logins for one tenant.")
    role_limit_address: str = Field(
        default="30/minute", description="Roles made and passwords set from one address by others than administrators."
    )
    role_limit_tenant: str = Field(default="300/minute", description="The same for one tenant.")
    rate_limit_storage: str = Field(
        default="async+memory://", description="Where attempts are counted; async+redis://host counts across processes."
    )
    password_min_length: int = Field(
        default=15, ge=1, le=200, description="Shortest password that a role may be given."
    )
    password_refuse_common: bool = Field(default=True, description="Refuse the commonest passwords.")
    password_threads: int = Field(default=2, ge=1, le=64, description="Passwords checked at the same time.")
    password_queue: int = Field(default=200, ge=0, le=100_000, description="Password checks that may wait.")

    tenant_connections: int = Field(default=10, ge=1, le=1000, description="Connections to a tenant's database.")
    acquire_seconds: float = Field(
        default=2.0, gt=0, le=60, description="How long a request waits for one of these connections."
    )
    statement_seconds: float = Field(
        default=10.0, gt=0, le=3600, description="How long a statement may run in a tenant's database."
    )
    catalog_watch_seconds: float = Field(
        default=1.0, ge=0, le=3600, description="How often changes of tables are looked for; 0 never looks."
    )
    max_tokens: int = Field(default=10_000, ge=10, description="Tokens of a GraphQL document.")
    max_depth: int = Field(default=20, ge=1, le=60, description="Levels of an operation; GraphiQL needs 15.")
    max_aliases: int = Field(default=500, ge=0, description="Aliases of an operation, fragments counted at each use.")
    max_root_fields: int = Field(default=200, ge=1, description="Fields at the top of an operation.")
    max_complexity: int = Field(default=2_000, ge=1, description="Fields of an operation in all.")
    max_batch: int = Field(default=0, ge=0, le=100, description="Requests in one array; 0 takes no arrays.")

    audit_days: int = Field(
        default=365, ge=0, le=36_500, description="Days for which the audit keeps what happened; 0 keeps it for ever."
    )

    guest_sweep_seconds: float = Field(
        default=300.0, ge=0, le=86_400, description="How often guests go that are due; 0 lets none go by itself."
    )

    metrics: bool = Field(default=False, description="Serve Prometheus counters at /metrics, to whoever asks.")
    log_format: Literal["console", "json"] = Field(default="console", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged.")

    form_fields_at_top: bool = Field(
        default=True, description="Replies to form posts hold the fields of data at the top too."
    )

    max_body_bytes: int = Field(default=2_097_152, ge=1024, description="Largest request body.")
    max_auth_body_bytes: int = Field(default=65_536, ge=1024, description="Largest body of a login.")
    max_header_bytes: int = Field(default=32_768, ge=1024, description="Largest sum of a request's header lines.")
    token_cache_size: int = Field(default=50_000, ge=1, description="Verified tokens and principals kept in memory.")

    @field_validator("allowed_hosts", "trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @field_validator(
        "login_limit_address",
        "login_limit_login",
        "login_limit_everywhere",
        "login_limit_tenant",
        "anonymous_limit_address",
        "anonymous_limit_tenant",
        "role_limit_address",
        "role_limit_tenant",
    )
    @classmethod
    def _check_limit(cls, value: str) -> str:
        parse_many(value)
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _check_storage(cls, value: str) -> str:
        if not value.startswith("async+"):
            raise ValueError("must begin with async+")
        try:
            storage_from_string(value)
        except ConfigurationError as error:
            # Its own text may hold the address, and in that a password.
            raise ValueError("is no storage that can be used; for a Redis install the package coredis") from error
        return value

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        if value and not _BASE_URL.fullmatch(value):
            raise ValueError("must be an http or https address without a query")
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("master_key")
    @classmethod
    def _check_master_key(cls, value: SecretStr) -> SecretStr:
        # Else it would be taken for the name of a file, which would be made.
        if value.get_secret_value() and parse_master_key(value.get_secret_value()) is None:
            raise ValueError("must be 64 hexadecimal or 43 URL-safe base64 characters")
        return value

    @property
    def master_key_path(self) -> Path:
        return self.master_key_file or self.data_dir / "master.key"


def load_settings(*, env_file: Path | None = Path(".env"), **options: object) -> Settings:
    """The settings of options, environment and `.env`, in this order. Raises SettingsInvalid with every fault."""
    faults = [_unknown_variable(name) for name in sorted(os.environ) if _is_unknown(name)]
    given = {name: value for name, value in options.items() if value is not None}
    faults += [f"There is no setting {name}." for name in given.keys() - Settings.model_fields.keys()]
    settings: Settings | None = None
    try:
        # BaseSettings takes `_env_file`, but the signature that type checkers derive from the fields hides it.
        settings = Settings(_env_file=env_file, **given)  # pyright: ignore[reportCallIssue, reportArgumentType]
    except ValidationError as error:
        faults += [
            f"{variable_of(str(fault['loc'][0]))}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors(include_input=False, include_url=False, include_context=False)
        ]
    if faults or settings is None:
        raise SettingsInvalid(faults)
    return settings


def default_data_dir(code: Path, environ: Mapping[str, str]) -> Path:
    """The folder of who named none, wherever the command is given: `.ostiary` in a clone that one may write to, else
    `ostiary` among the user's data (XDG Base Directory Specification)."""
    if (code / "pyproject.toml").is_file() and os.access(code, os.W_OK):
        return code / ".ostiary"
    named = environ.get("XDG_DATA_HOME", "")
    # The specification has relative paths ignored.
    if named.startswith("/"):
        return Path(named) / "ostiary"
    try:
        return Path.home() / ".local" / "share" / "ostiary"
    except RuntimeError:
        # A user without a home, as containers have them.
        return Path("/var/lib/ostiary")


def variable_of(field: str) -> str:
    """The environment variable of a field, or of the alias that pydantic reports in its place."""
    return field if field.isupper() else PREFIX + field.upper()


def _is_unknown(variable: str) -> bool:
    return variable.startswith(PREFIX) and variable.removeprefix(PREFIX).lower() not in Settings.model_fields


def _unknown_variable(variable: str) -> str:
    known = [variable_of(field) for field in Settings.model_fields]
    close = difflib.get_close_matches(variable, known, n=1)
    return f"{variable}: there is no such setting." + (f" Is {close[0]} meant?" if close else "")
