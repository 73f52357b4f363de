"""A tenant that opens the facade of Mudbase, and applications that use it by the unmodified SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import mudbase
import pytest

from db.engines import control_engine
from db.tenants import set_facades
from tests.databases import Databases
from tests.sdks import serve
from tests.shelters import BuiltShelter, Shelter


@dataclass
class Client:
    """An application: the SDK, and the token that it has set."""

    address: str
    project: str
    configuration: mudbase.Configuration = field(init=False)

    def __post_init__(self) -> None:
        self.configuration = mudbase.Configuration(host=self.address)
        self.api = mudbase.ApiClient(self.configuration)
        self.auth = mudbase.AuthenticationApi(self.api)
        self.data = mudbase.DataApi(self.api)
        self.users = mudbase.UsersApi(self.api)

    def use(self, answer: Any) -> Any:
        """The answer to a login, whose token is the client's from here on."""
        self.configuration.access_token = answer.token
        return answer

    async def come(self, **given: str) -> Any:
        request = mudbase.CreateAnonymousSessionRequest(projectId=self.project, **given)
        return self.use(await call(self.auth.create_anonymous_session, request))

    async def convert(self, email: str, password: str, **given: str) -> Any:
        request = mudbase.ConvertAnonymousAccountRequest(email=email, password=password, **given)
        return self.use(await call(self.auth.convert_anonymous_account, request))

    async def log_in(self, email: str, password: str) -> Any:
        request = mudbase.LoginLocalUserRequest(email=email, password=password, projectId=self.project)
        return self.use(await call(self.auth.login_local_user, request))

    async def refresh(self, token: str) -> Any:
        return self.use(await call(self.auth.refresh_token, mudbase.RefreshTokenRequest(refreshToken=token)))

    async def create(self, collection: str, **document: object) -> dict[str, Any]:
        answer = await call(self.data.create_data, self.project, collection, document)
        return dict(answer.data)

    async def page(self, collection: str, **query: object) -> Any:
        return await call(self.data.list_data, self.project, collection, **query)

    async def bodies(self) -> list[str]:
        """The bodies of the notes that the client sees."""
        page = await self.page("note", sort="body")
        return [str(each.additional_properties["body"]) for each in page.data]


async def call(method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a method of the SDK gives, which waits without letting others go on."""
    return await asyncio.to_thread(method, *arguments, **named)


async def refused(method: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[int, str | None, str]:
    """Status, code and text of what the SDK raises, when it must."""
    with pytest.raises(mudbase.ApiException) as caught:
        await method(*arguments, **named)
    status, told = int(caught.value.status or 0), json.loads(caught.value.body or "{}")
    parsed = caught.value.data
    # Where the SDK has a class for the refusal it must have understood it.
    assert parsed is None or parsed.error == told["error"]
    return status, told.get("code"), told["error"]


@dataclass(frozen=True)
class Bench:
    """A running gateway, for applications."""

    shelter: Shelter
    address: str

    def client(self, token: str | None = None) -> Client:
        """The application, started with the token that it has stored."""
        client = Client(self.address, "shelter")
        client.configuration.access_token = token
        return client


@pytest.fixture(scope="session")
def built_project(databases: Databases) -> BuiltShelter:
    """Databases of a tenant that opens this facade, to be cloned."""
    built = BuiltShelter.build(databases)
    asyncio.run(_open_facade(built))
    return built


@pytest.fixture
async def shelter(databases: Databases, built_project: BuiltShelter) -> AsyncGenerator[Shelter]:
    """A gateway whose tenant opens this facade, which this test has for itself."""
    async with built_project.open(databases) as opened:
        yield opened


@pytest.fixture
async def bench(shelter: Shelter) -> AsyncGenerator[Bench]:
    """The same, with an address."""
    async with serve(shelter.app) as address:
        yield Bench(shelter, address)


async def _open_facade(built: BuiltShelter) -> None:
    engine = control_engine(built.control_dsn)
    async with engine.begin() as connection:
        await set_facades(connection, built.tenant_id, ["mudbase"])
    await engine.dispose()
