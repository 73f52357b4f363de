"""ControlEndpoint: /roles_pbac, around Strawberry's schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from cachetools import LRUCache
from graphql import GraphQLError, OperationType
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from db.errors import PublicError
from db.records import Rule, Tenant
from db.rules import list_rules
from db.tenant_database import TenantDatabase
from db.tenants import find_tenant
from gateway.auth.bearer import authenticate
from gateway.auth.login import role_token
from gateway.auth.refusals import TokenRevoked
from gateway.auth.replies import address_of
from gateway.documents import DocumentNotFound
from gateway.errors import JsonObject, graphql_errors
from gateway.graphql_http import (
    GraphQLRequest,
    MediaType,
    Reply,
    batch_reply,
    check_method,
    data_reply,
    error_reply,
    errors_reply,
    is_probe,
    media_type_of,
    read_lines,
    read_request,
    send_reply,
)
from gateway.log import log, publish
from gateway.metrics import OUTCOME, outcome_of
from gateway.state import AppState, state_of
from schema.errors import AccessDenied, PolicyViolated
from schema.model import Model
from schema.principal import Principal
from schema.query.document import choose_operation, read_document, validate_document
from schema.query.errors import clip
from schema.query.variables import variable_reader
from schema.roles_pbac.access import ControlPolicy
from schema.roles_pbac.context import ControlContext, Lent, Transaction
from schema.roles_pbac.errors import (
    AdministratorsOnly,
    CapabilityNotHeld,
    NoSuchRow,
    RoleProtected,
    RootOnly,
    WrongTenant,
)
from schema.roles_pbac.holdings import GrantNotHeld
from schema.roles_pbac.passwords import PasswordRules
from schema.roles_pbac.root import control_schema
from schema.validity import TimedPolicy

MAX_POLICIES = 1_000
#: What the audit tells of: that somebody tried what is not for them, not that an input made no sense.
REFUSALS = (
    AccessDenied,
    AdministratorsOnly,
    CapabilityNotHeld,
    GrantNotHeld,
    NoSuchRow,
    PolicyViolated,
    RoleProtected,
    RootOnly,
    WrongTenant,
)


@dataclass(frozen=True, slots=True)
class TenantControl:
    """A tenant, and its policy for the control schema, both as of `tenant.version`."""

    tenant: Tenant
    policy: TimedPolicy[ControlPolicy]


class ControlEndpoint:
    """The ASGI application of /roles_pbac. It needs the control database alone: who may do what can be put right also
    while a tenant's own database is away."""

    def __init__(self) -> None:
        self._policies: LRUCache[int, TenantControl] = LRUCache(MAX_POLICIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_reply(send, await self._answer(scope, receive))

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        """Who is calling, what is asked, and what comes of it."""
        state = state_of(HTTPConnection(scope))
        lines = read_lines(scope)
        media_type = media_type_of(lines)
        try:
            principal = await authenticate(lines.authorization, state)
            if is_probe(lines):
                return data_reply(b'{"data":{"__typename":"Query"}}', media_type)
            head, request = await read_request(lines, receive, state.http_limits)
            if not isinstance(request, list):
                return await self._execute(scope, state, principal, request, head.media_type)
            replies = [await self._reply_to(scope, state, principal, each, head.media_type) for each in request]
            return batch_reply(replies, head.media_type)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer, and the log the rest
            public = publish(error)
            scope[OUTCOME] = outcome_of(public)
            return error_reply(public, media_type)

    async def _reply_to(
        self, scope: Scope, state: AppState, principal: Principal, request: GraphQLRequest, media_type: MediaType
    ) -> Reply:
        try:
            return await self._execute(scope, state, principal, request, media_type)
        except PublicError as error:
            return error_reply(error, media_type)

    async def _execute(
        self, scope: Scope, state: AppState, principal: Principal, request: GraphQLRequest, media_type: MediaType
    ) -> Reply:
        if request.document_id is not None and not request.query:
            # Documents are those of /query; what few use is not worth keeping.
            raise DocumentNotFound
        schema = control_schema()
        document = read_document(request.query, state.document_limits)
        validate_document(schema.core, document)
        operation = choose_operation(document, request.operation_name)
        check_method(request, operation.operation.value)
        variables = variable_reader(schema.core, operation).conform(request.variables)
        control = await self._control_of(state, principal)
        context = ControlContext(
            principal=principal,
            tenant=control.tenant,
            policy=control.policy.at(state.clock()),
            transaction=Transaction(
                state.engine, principal.tenant_id, role_id=principal.role_id, may_change=not request.by_get
            ),
            lent=lent(state, principal, address_of(HTTPConnection(scope), state)),
            now=datetime.fromtimestamp(state.clock(), UTC),
            document=document,
            password_rules=PasswordRules(
                min_length=state.settings.password_min_length, refuses_common=state.settings.password_refuse_common
            ),
        )
        result = await schema.answer(document, variables, request.operation_name, context)
        data = orjson.dumps(result.data)
        if result.errors:
            public = [publish_execution(error) for error in result.errors]
            scope[OUTCOME] = outcome_of(public[0])
            if operation.operation is OperationType.MUTATION and isinstance(public[0], REFUSALS):
                field = str((result.errors[0].path or [""])[0])
                await state.refusals.note(principal, "mutation", field, public[0])
            return errors_reply(wire_errors(result.errors, public), media_type, data=data)
        copy_to_top = request.from_form and state.settings.form_fields_at_top
        return data_reply(b'{"data":' + data + b"}", media_type, copy_to_top=copy_to_top)

    async def _control_of(self, state: AppState, principal: Principal) -> TenantControl:
        """The tenant as it is now. Its policy is compiled once for each version. Raises TokenRevoked."""
        async with state.engine.connect() as connection:
            tenant = await find_tenant(connection, principal.tenant_id, state.master_key)
            if tenant is None or tenant.suspended:
                raise TokenRevoked
            known = self._policies.get(tenant.tenant_id)
            if known is not None and known.tenant == tenant:
                return known
            rules = await list_rules(connection, tenant.tenant_id)

        def compile_rules(in_force: Sequence[Rule]) -> ControlPolicy:
            return ControlPolicy(in_force, tenant_id=tenant.tenant_id, choice=tenant.rule_choice)

        control = TenantControl(tenant, TimedPolicy(rules, compile_rules))
        self._policies[tenant.tenant_id] = control
        return control


def lent(state: AppState, principal: Principal, address: str) -> Lent:
    """What the gateway does for the control schema, on behalf of the principal."""

    async def tenant_model() -> Model:
        return (await state.tenants.get(principal.tenant_id, principal.tenant_version)).model

    async def introspect(read_again: bool) -> object:  # noqa: FBT001 - the signature of Lent
        if read_again:
            await state.tenants.refresh(principal.tenant_id)
        query_schema, _ = await state.tenants.role_schemas(principal)
        return orjson.Fragment(query_schema.body)

    async def refresh(tenant_id: int) -> None:
        state.principals.drop_tenant(tenant_id)
        try:
            await state.tenants.refresh(tenant_id)
        except PublicError as error:
            # The change is stored, and nothing older is used: principals know the version that they need.
            log.warning("a changed tenant could not be read", tenant=tenant_id, code=error.code)

    async def issue_token(role_id: int) -> str:
        return await role_token(state, principal, role_id)

    async def hold_back() -> None:
        if not principal.bypasses_policy:
            await state.limiter.hit_role(address, principal.tenant_id)

    async def tenant_database() -> TenantDatabase:
        return (await state.tenants.get(principal.tenant_id, principal.tenant_version)).database

    passwords = state.passwords
    return Lent(
        tenant_model,
        introspect,
        refresh,
        issue_token,
        passwords.hash,
        passwords.verify,
        hold_back,
        tenant_database,
    )


class ArgumentInvalid(PublicError):
    """An argument whose value does not fit its type."""

    code = "BAD_USER_INPUT"


def publish_execution(error: GraphQLError) -> PublicError:
    """What may be shown of an error that an execution ran into; what was not written to be shown becomes an id."""
    # What graphql-core says by itself during execution is about the arguments that the caller wrote.
    return publish(error.original_error) if error.original_error else ArgumentInvalid(clip(error.message))


def wire_errors(errors: Sequence[GraphQLError], public: Sequence[PublicError]) -> list[JsonObject]:
    """The members of `errors`: what may be shown, with where it happened."""
    members: list[JsonObject] = []
    for error, shown in zip(errors, public, strict=True):
        locations = [(place.line, place.column) for place in error.locations or ()]
        members += graphql_errors(shown, path=error.path, locations=locations)
    return members
