"""The limits of an enterprise; and indexes by age that no claim takes for those by priority."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# The setting reads '' after a transaction that set it locally; '' is no tenant, and sees nothing.
TENANT = "NULLIF(current_setting('app.current_enterprise_id', true), '')"

LIMIT = f"""
CREATE TABLE notify.ent_enterprise_limit (
    enterprise_id TEXT NOT NULL,
    rate DOUBLE PRECISION,
    in_flight INTEGER,
    tokens DOUBLE PRECISION,
    counted_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT ent_enterprise_limit_pkey PRIMARY KEY (enterprise_id),
    CONSTRAINT ent_enterprise_limit_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    CONSTRAINT ent_enterprise_limit_rate_check CHECK (rate BETWEEN 0.001 AND 1000000),
    CONSTRAINT ent_enterprise_limit_in_flight_check CHECK (in_flight > 0)
);
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_enterprise_limit
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();

ALTER TABLE notify.ent_enterprise_limit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notify.ent_enterprise_limit FOR SELECT TO xnovu_tenant USING (enterprise_id = {TENANT});
CREATE POLICY worker ON notify.ent_enterprise_limit TO xnovu_worker USING (true) WITH CHECK (true);
GRANT SELECT ON notify.ent_enterprise_limit TO xnovu_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.ent_enterprise_limit TO xnovu_worker;
"""

# Of two indexes with one condition the planner may take the wrong one. A condition that holds for every row, and that a
# claim states only where it means the age, makes that impossible.
BY_AGE = """
DROP INDEX notify.ent_notification_new_age, notify.ent_notification_scheduled_age, notify.ent_notification_failed_age;
CREATE INDEX ent_notification_new_age ON notify.ent_notification (enterprise_id, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated{every};
CREATE INDEX ent_notification_scheduled_age ON notify.ent_notification (enterprise_id, scheduled_for, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated{every};
CREATE INDEX ent_notification_failed_age ON notify.ent_notification (enterprise_id, next_attempt_at, id)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated{every};
"""


def upgrade() -> None:
    op.execute(LIMIT)
    op.execute(BY_AGE.replace("{every}", " AND priority >= 0"))


def downgrade() -> None:
    op.execute(BY_AGE.replace("{every}", ""))
    op.execute("DROP TABLE notify.ent_enterprise_limit")
