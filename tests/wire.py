"""A client of the wire: what it sends, and how it reads tokens and schemas without any code of the gateway."""

import base64
import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from tests.gateways import Gateway, Login

Json = dict[str, Any]
PASSWORD = "a long walk to 7 bridges."


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def decode(token: str) -> tuple[Json, Json]:
    """Header and claims of a token, as a plain decoder reads them."""
    header, claims, _ = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (*token.split(".")[:2], "e30"))
    return header, claims


@dataclass(frozen=True)
class Wire:
    """A running gateway, seen through one client."""

    gateway: Gateway
    client: httpx2.Client

    def login(self, tenant: str, login: str = "root") -> Login:
        return self.gateway.logins[tenant, login]

    def post(self, path: str, body: object, token: str | None = None, **headers: str) -> httpx2.Response:
        """The reply to a JSON body."""
        return self.client.post(path, json=body, headers=(bearer(token) if token else {}) | headers)

    def enter(self, who: Login) -> Json:
        """The reply to a login, without the schemas."""
        reply = self.post("/auth?schema=none", who.body())
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def ask(self, token: str, document: str, variables: object = None, path: str = "/query") -> Json:
        """The `data` of the reply to an operation that must succeed."""
        reply = self.post(path, {"query": document, "variables": variables}, token)
        body = reply.json()
        assert reply.status_code == 200, body
        assert "errors" not in body, body
        return dict(body["data"])

    def control(self, token: str, document: str, variables: object = None) -> Json:
        return self.ask(token, document, variables, "/roles_pbac")

    def refused(self, token: str, document: str, variables: object = None, path: str = "/query") -> Json:
        """The one error of the reply to an operation that must fail, with the status under `status`."""
        reply = self.post(path, {"query": document, "variables": variables}, token)
        body = reply.json()
        assert body.get("errors"), body
        return dict(body["errors"][0]) | {"status": reply.status_code, "data": body.get("data")}


@dataclass(frozen=True)
class Person:
    """A role of the todo tenant that has logged in."""

    login: Login
    role_id: int
    token: str


def make_person(wire: Wire, root: str, todo: int, **given: object) -> Person:
    """A new role of the todo tenant, in the class of users."""
    class_id = wire.control(root, "{ role_class(filter: \"name = 'users'\") { classid } }")["role_class"][0]["classid"]
    login = Login(todo, f"{uuid4().hex}@example.org", PASSWORD)
    role = {"tenantid": todo, "login": login.login, "name": "A user", "password": PASSWORD, "classes": [class_id]}
    made = wire.control(
        root, "mutation ($data: roleInput!) { create_role(input: $data) { roleid } }", {"data": role | given}
    )
    return Person(login, int(made["create_role"]["roleid"]), str(wire.enter(login)["access_token"]))


@dataclass(frozen=True)
class Introspected:
    """A schema as the login reply describes it in `json`."""

    types: dict[str, Json]

    @classmethod
    def of(cls, reply: Json, name: str = "schema") -> "Introspected":
        return cls({each["name"]: each for each in reply[name]["json"]["__schema"]["types"]})

    def fields(self, type_name: str) -> dict[str, str]:
        """The fields of an object type or the members of an input type, each with its type as GraphQL writes it."""
        described = self.types[type_name]
        return {each["name"]: type_text(each["type"]) for each in described["fields"] or described["inputFields"]}

    def arguments(self, type_name: str, field: str) -> dict[str, str]:
        described = next(each for each in self.types[type_name]["fields"] if each["name"] == field)
        return {each["name"]: type_text(each["type"]) for each in described["args"]}


def type_text(reference: Json) -> str:
    """A type as GraphQL writes it.

    >>> type_text({"kind": "NON_NULL", "ofType": {"kind": "SCALAR", "name": "ID", "ofType": None}})
    'ID!'
    """
    match reference["kind"]:
        case "NON_NULL":
            return type_text(reference["ofType"]) + "!"
        case "LIST":
            return f"[{type_text(reference['ofType'])}]"
        case _:
            return str(reference["name"])
