"""CONTROL_MODEL: roles, classes and rules, described to the engine of `/query` as if they were a tenant's tables.

Its tables are the views of the control database's schema `roles_pbac` (`db/migrations`), whose columns are named as
on the wire. The names of the three that rules can have as targets are the targets' names.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from db.catalog import Column, PgType, Table, TableName
from schema.expression.predicate import AnyOf, ColumnOf, Compare, Constant, PrincipalValue, any_of
from schema.grants import ColumnView
from schema.model import Entity, Junction, Model, Relation, Sight, Sights

INTEGER: Final = PgType("integer", "int4")
BIGINT: Final = PgType("bigint", "int8")
BOOLEAN: Final = PgType("boolean", "bool")
TEXT: Final = PgType("text", "text")
DOUBLE: Final = PgType("double precision", "float8")
TIMESTAMP: Final = PgType("timestamp with time zone", "timestamptz")
JSONB: Final = PgType("jsonb", "jsonb")
INTEGERS: Final = PgType("integer[]", "_int4", kind="array", element=INTEGER)
TEXTS: Final = PgType("text[]", "_text", kind="array", element=TEXT)

ROLES: Final = TableName("roles_pbac", "roles")
ROLE_CLASSES: Final = TableName("roles_pbac", "role_classes")
POLICY_RULES: Final = TableName("roles_pbac", "policy_rules")
MEMBERSHIPS: Final = TableName("roles_pbac", "memberships")
AUDIT: Final = TableName("roles_pbac", "audit")
TENANTS: Final = TableName("roles_pbac", "tenants")
ROLE_CONTACTINFO: Final = TableName("roles_pbac", "role_contactinfo")
TENANT_CONTACTINFO: Final = TableName("roles_pbac", "tenant_contactinfo")
CAPABILITIES: Final = TableName("roles_pbac", "capabilities")
PACKAGES: Final = TableName("roles_pbac", "packages")
PACKAGE_FUNCTIONS: Final = TableName("roles_pbac", "package_functions")


_CONTACT_COLUMNS: Final[dict[str, PgType]] = dict.fromkeys(
    ("address", "city", "stateprov", "mailcd", "phone", "email"), TEXT
)


def build_control_model() -> Model:
    """The model. `normal` of roles is for filters alone: no object type shows it."""
    entities = [
        entity(
            "role",
            ROLES,
            key="roleid",
            columns={
                "roleid": INTEGER,
                "login": TEXT,
                "name": TEXT,
                "tenantid": INTEGER,
                "parentid": INTEGER,
                "creatorid": INTEGER,
                "createtime": TIMESTAMP,
                "deleted": BOOLEAN,
                "capabilities": TEXTS,
                "password_createtime": TIMESTAMP,
                "password_setby": INTEGER,
                "normal": BOOLEAN,
            },
            relations=[
                Relation(
                    "classes",
                    ROLE_CLASSES,
                    ("tenantid", "roleid"),
                    ("tenantid", "classid"),
                    many=True,
                    junction=Junction(MEMBERSHIPS, ("tenantid", "roleid"), ("tenantid", "classid")),
                ),
                Relation("children", ROLES, ("roleid",), ("parentid",), many=True),
                Relation("parent", ROLES, ("parentid",), ("roleid",), many=False),
                Relation("tenant", TENANTS, ("tenantid",), ("tenantid",), many=False),
                Relation("contactinfo", ROLE_CONTACTINFO, ("roleid",), ("roleid",), many=False),
            ],
        ),
        entity(
            "role_class",
            ROLE_CLASSES,
            key="classid",
            columns={
                "classid": INTEGER,
                "name": TEXT,
                "tenantid": INTEGER,
                "creatorid": INTEGER,
                "createtime": TIMESTAMP,
                "inherit": TEXT,
            },
            relations=[
                Relation(
                    "members",
                    ROLES,
                    ("tenantid", "classid"),
                    ("tenantid", "roleid"),
                    many=True,
                    junction=Junction(MEMBERSHIPS, ("tenantid", "classid"), ("tenantid", "roleid")),
                )
            ],
        ),
        entity(
            "policy_rule",
            POLICY_RULES,
            key="ruleid",
            columns={
                "ruleid": INTEGER,
                "tenantid": INTEGER,
                "name": TEXT,
                "filter": TEXT,
                "creatorid": INTEGER,
                "createtime": TIMESTAMP,
                "capabilities": TEXTS,
                "roles": INTEGERS,
                "classes": INTEGERS,
                "targets": TEXTS,
                "read_columns": TEXTS,
                "write_columns": TEXTS,
                "forced": JSONB,
                "defaults": JSONB,
                "masks": JSONB,
                "valid_from": TIMESTAMP,
                "valid_until": TIMESTAMP,
                "aggregates": TEXT,
                "min_group_size": INTEGER,
                "group_columns": TEXTS,
                "max_rows": INTEGER,
                "max_seconds": DOUBLE,
            },
        ),
        entity(
            "tenant",
            TENANTS,
            key="tenantid",
            columns={
                "tenantid": INTEGER,
                "name": TEXT,
                "platform": TEXT,
                "host": TEXT,
                "database": TEXT,
                "credential": TEXT,
                "createtime": TIMESTAMP,
                "packagelist": TEXTS,
            },
            relations=[Relation("contactinfo", TENANT_CONTACTINFO, ("tenantid",), ("tenantid",), many=False)],
        ),
        entity(
            "capability",
            CAPABILITIES,
            key="capability",
            columns={"capability": TEXT, "package": TEXT, "description": TEXT, "subset": TEXT},
        ),
        entity(
            "package",
            PACKAGES,
            key="package",
            columns={"package": TEXT, "description": TEXT, "licensecost": DOUBLE},
        ),
        entity(
            "audit_entry",
            AUDIT,
            key="entryid",
            columns={
                "entryid": BIGINT,
                "tenantid": INTEGER,
                "happened": TIMESTAMP,
                "roleid": INTEGER,
                "action": TEXT,
                "kind": TEXT,
                "subjectid": INTEGER,
                "before": JSONB,
                "after": JSONB,
            },
        ),
        entity("package_function", PACKAGE_FUNCTIONS, key="name", columns={"name": TEXT, "package": TEXT}),
        entity(
            "role_contactinfo",
            ROLE_CONTACTINFO,
            key="roleid",
            columns={"roleid": INTEGER, "tenantid": INTEGER} | _CONTACT_COLUMNS,
            relations=[Relation("role", ROLES, ("roleid",), ("roleid",), many=False)],
        ),
        entity(
            "tenant_contactinfo",
            TENANT_CONTACTINFO,
            key="tenantid",
            columns={"tenantid": INTEGER} | _CONTACT_COLUMNS,
            relations=[Relation("tenant", TENANTS, ("tenantid",), ("tenantid",), many=False)],
        ),
    ]
    whole = _model(entities)
    return _model([_with_claims(each, whole) if each.name == "role" else each for each in entities])


def _model(entities: list[Entity]) -> Model:
    return Model(
        entities=MappingProxyType({each.name: each for each in entities}),
        by_table=MappingProxyType({each.table.name: each for each in entities}),
    )


def _with_claims(role: Entity, whole: Model) -> Entity:
    """The roles with what is seen of their claims: one's own, and by root and administrators all. Whoever may see a
    role need not know what root says of it."""
    claims = Column("claims", JSONB)
    sees = any_of(
        Compare(ColumnOf("roleid", INTEGER), "=", PrincipalValue("roleid", INTEGER)),
        AnyOf(Constant("admin", TEXT), PrincipalValue("capabilities", TEXTS)),
    )
    sight = Sight("seen_claims", claims, ColumnView(sees))
    return replace(
        role,
        columns=MappingProxyType({**role.columns, "claims": replace(claims, name=sight.name)}),
        sights=Sights(whole, (sight,)),
    )


def entity(
    name: str, table: TableName, *, key: str, columns: Mapping[str, PgType], relations: list[Relation] | None = None
) -> Entity:
    described = tuple(Column(column, type_, not_null=column == key) for column, type_ in columns.items())
    return Entity(
        name=name,
        table=Table(table, described, primary_key=(key,), kind="view"),
        columns=MappingProxyType({column.name: column for column in described}),
        relations=MappingProxyType({relation.name: relation for relation in relations or []}),
    )


CONTROL_MODEL: Final = build_control_model()
