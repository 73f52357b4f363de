"""What changes tenants, roles, classes and rules, and who comes and goes, is noted in the audit.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    # What changed, whoever changed it and by whatever way: `ostiary.actor` is the role, or empty for the operator.
    """
    create function ostiary.note_change() returns trigger language plpgsql as $$
    declare
        was jsonb :=
            case when tg_op <> 'INSERT' then to_jsonb(old) - array['password_hash', 'sealed_dsn', 'version'] end;
        is_now jsonb :=
            case when tg_op <> 'DELETE' then to_jsonb(new) - array['password_hash', 'sealed_dsn', 'version'] end;
        row_now jsonb := coalesce(is_now, was);
    begin
        if tg_op = 'UPDATE' then
            select jsonb_object_agg(each.key, each.value) filter (where is_now -> each.key is distinct from each.value),
                   jsonb_object_agg(each.key, is_now -> each.key)
                       filter (where is_now -> each.key is distinct from each.value)
              into was, is_now
              from jsonb_each(was) as each;
            if was is null then
                return null;
            end if;
        end if;
        insert into ostiary.audit (tenant_id, role_id, action, kind, subject_id, before, after)
        values ((row_now ->> 'tenant_id')::integer, nullif(current_setting('ostiary.actor', true), '')::integer,
                case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'update' else 'delete' end,
                tg_argv[0], (row_now ->> tg_argv[1])::integer, was, is_now);
        return null;
    end
    $$
    """,
    *(
        f"""
        create trigger {table}_is_noted after insert or update or delete on ostiary.{table}
            for each row execute function ostiary.note_change('{kind}', '{key}')
        """
        for table, kind, key in (
            ("tenant", "tenant", "tenant_id"),
            ("role", "role", "role_id"),
            ("role_class", "role_class", "class_id"),
            ("role_membership", "membership", "class_id"),
            ("policy_rule", "policy_rule", "rule_id"),
        )
    ),
    """
    create function ostiary.note_session() returns trigger language plpgsql as $$
    begin
        insert into ostiary.audit (tenant_id, role_id, action, kind, subject_id)
        values (new.tenant_id, coalesce(nullif(current_setting('ostiary.actor', true), '')::integer, new.role_id),
                case tg_op when 'INSERT' then 'login' else 'logout' end, 'session', new.role_id);
        return null;
    end
    $$
    """,
    """
    create trigger session_is_noted after insert on ostiary.session
        for each row execute function ostiary.note_session()
    """,
    """
    create trigger session_end_is_noted after update of ended_at on ostiary.session
        for each row when (old.ended_at is null and new.ended_at is not null)
        execute function ostiary.note_session()
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop function ostiary.note_change cascade")
    op.execute("drop function ostiary.note_session cascade")
