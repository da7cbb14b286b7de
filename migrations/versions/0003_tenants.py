"""The tenants: two group roles, row-level security, grants by column, and the views."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROLES = ("xnovu_tenant", "xnovu_worker")

# The setting reads '' after a transaction that set it locally; '' is no tenant, and sees nothing.
TENANT = "NULLIF(current_setting('app.current_enterprise_id', true), '')"

POLICIES = f"""
ALTER TABLE notify.ent_notification ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_notification_rule ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_notification_delivery ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_notification_workflow ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_notification_template ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON notify.ent_notification TO xnovu_tenant
    USING (enterprise_id = {TENANT}) WITH CHECK (enterprise_id = {TENANT});
CREATE POLICY tenant ON notify.ent_notification_rule TO xnovu_tenant
    USING (enterprise_id = {TENANT}) WITH CHECK (enterprise_id = {TENANT});
CREATE POLICY tenant ON notify.ent_notification_delivery FOR SELECT TO xnovu_tenant
    USING (enterprise_id = {TENANT});
CREATE POLICY tenant ON notify.ent_notification_workflow TO xnovu_tenant
    USING (enterprise_id = {TENANT}) WITH CHECK (enterprise_id = {TENANT});
CREATE POLICY tenant ON notify.ent_notification_template TO xnovu_tenant
    USING (enterprise_id = {TENANT}) WITH CHECK (enterprise_id = {TENANT});
CREATE POLICY tenant_reads_global ON notify.ent_notification_workflow FOR SELECT TO xnovu_tenant
    USING (enterprise_id IS NULL AND {TENANT} IS NOT NULL);
CREATE POLICY tenant_reads_global ON notify.ent_notification_template FOR SELECT TO xnovu_tenant
    USING (enterprise_id IS NULL AND {TENANT} IS NOT NULL);

CREATE POLICY worker ON notify.ent_notification TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_notification_rule TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_notification_delivery TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_notification_workflow TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_notification_template TO xnovu_worker USING (true) WITH CHECK (true);
"""

GRANTS = """
GRANT USAGE ON SCHEMA notify TO xnovu_tenant, xnovu_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA notify TO xnovu_worker;
REVOKE INSERT, UPDATE, DELETE ON notify.alembic_version FROM xnovu_worker;
REVOKE INSERT, DELETE ON notify.deployment FROM xnovu_worker;

GRANT SELECT ON notify.ent_notification, notify.ent_notification_rule, notify.ent_notification_delivery,
    notify.ent_notification_workflow, notify.ent_notification_template TO xnovu_tenant;
GRANT INSERT (enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, channels,
        overrides, tags, priority, dedup_key, publish_status, deactivated, scheduled_for, expires_at),
    UPDATE (name, notification_workflow_id, payload, recipients, channels, overrides, tags, priority, dedup_key,
        publish_status, deactivated, scheduled_for, expires_at)
    ON notify.ent_notification TO xnovu_tenant;
GRANT INSERT, UPDATE, DELETE ON notify.ent_notification_rule, notify.ent_notification_template TO xnovu_tenant;
-- To delete a workflow scans all notifications for it; a tenant unpublishes it instead.
GRANT INSERT, UPDATE ON notify.ent_notification_workflow TO xnovu_tenant;
"""

# A view runs with its owner's rights on PostgreSQL 14, so each filters by the tenant itself.
VIEWS = f"""
CREATE VIEW notify.v_workflow_stats AS
SELECT enterprise_id, workflow_type, count(*) AS workflow_count,
    count(*) FILTER (WHERE publish_status = 'PUBLISH') AS published_count
FROM notify.ent_notification_workflow
WHERE NOT deactivated
    AND (pg_has_role(current_user, 'xnovu_worker', 'USAGE') OR enterprise_id = {TENANT}
        OR enterprise_id IS NULL AND {TENANT} IS NOT NULL)
GROUP BY enterprise_id, workflow_type;

CREATE VIEW notify.v_notification_stats AS
SELECT enterprise_id, notification_status, count(*) AS notification_count,
    date_trunc('hour', created_at) AS hour_bucket
FROM notify.ent_notification
WHERE created_at >= now() - interval '24 hours'
    AND (pg_has_role(current_user, 'xnovu_worker', 'USAGE') OR enterprise_id = {TENANT})
GROUP BY enterprise_id, notification_status, date_trunc('hour', created_at);

GRANT SELECT ON notify.v_workflow_stats, notify.v_notification_stats TO xnovu_tenant, xnovu_worker;
"""

INVOKER = """
ALTER VIEW notify.v_workflow_stats SET (security_invoker = true);
ALTER VIEW notify.v_notification_stats SET (security_invoker = true);
"""

# Roles belong to the whole cluster: another database may still need them, or another login own them.
DROP_ROLES = """
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['xnovu_tenant', 'xnovu_worker'] LOOP
        BEGIN
            EXECUTE format('DROP OWNED BY %I', name);
            EXECUTE format('DROP ROLE %I', name);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            RAISE NOTICE 'role % stays: another database needs it, or this login may not drop it', name;
        END;
    END LOOP;
END $$;
"""


def _make_roles() -> None:
    """Make the roles that are missing and join them, or say what an administrator has to run."""
    connection = op.get_bind()
    login = connection.scalar(sa.text("SELECT quote_ident(current_user)"))
    asked = []
    for role in ROLES:
        exists = connection.scalar(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
        member = exists and connection.scalar(
            sa.text("SELECT pg_has_role(current_user, :role, 'USAGE')"), {"role": role}
        )
        if not exists:
            asked.append(f"CREATE ROLE {role} NOLOGIN;")
        if not member:
            asked.append(f"GRANT {role} TO {login};")
    for statement in asked:
        try:
            with connection.begin_nested():
                connection.execute(sa.text(statement))
        except sa.exc.ProgrammingError as error:
            raise CommandError(
                f"the login {login} may not make the roles of xnovu-poller; nothing was changed by this migration."
                " Let an administrator run these statements, then migrate again:\n    " + "\n    ".join(asked)
            ) from error


def upgrade() -> None:
    _make_roles()
    for statements in (POLICIES, VIEWS, GRANTS):
        op.execute(statements)
    if (op.get_bind().dialect.server_version_info or ()) >= (15,):
        op.execute(INVOKER)


def downgrade() -> None:
    op.execute("DROP VIEW notify.v_workflow_stats, notify.v_notification_stats")
    for table in ("", "_rule", "_delivery", "_workflow", "_template"):
        op.execute(f"DROP POLICY tenant ON notify.ent_notification{table}")
        op.execute(f"DROP POLICY worker ON notify.ent_notification{table}")
        op.execute(
            f"ALTER TABLE notify.ent_notification{table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY"
        )
    op.execute("DROP POLICY tenant_reads_global ON notify.ent_notification_workflow")
    op.execute("DROP POLICY tenant_reads_global ON notify.ent_notification_template")
    # A role that stays is not to see without policies what it saw with them.
    op.execute(
        """
        REVOKE ALL ON ALL TABLES IN SCHEMA notify FROM xnovu_tenant, xnovu_worker;
        REVOKE ALL ON SCHEMA notify FROM xnovu_tenant, xnovu_worker;
        """
    )
    op.execute(DROP_ROLES)
