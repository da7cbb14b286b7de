-- The role of the operator's page, xnovu_reader, which reads the rows of all enterprises and writes nothing.
-- And what the page shows that no table had: counts of each minute, and how each worker is.
SET search_path = pg_catalog, pg_temp;

-- Roles belong to the whole server, so another database may have made the role already.
DO $$
DECLARE
    statement text;
    statements text[] := '{}';
BEGIN
    IF to_regrole('xnovu_reader') IS NULL THEN
        statements := ARRAY['CREATE ROLE xnovu_reader NOLOGIN;', format('GRANT xnovu_reader TO %I;', current_user)];
    ELSIF NOT pg_has_role(current_user, 'xnovu_reader', 'USAGE') THEN
        statements := ARRAY[format('GRANT xnovu_reader TO %I;', current_user)];
    END IF;
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'roles: the login % may not create the roles of xnovu-poller', quote_ident(current_user)
        USING ERRCODE = 'insufficient_privilege',
            HINT = E'Nothing was changed. Let an administrator run these statements, then migrate again:\n    '
                || array_to_string(statements, E'\n    ');
END $$;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification, notify.ent_notification_delivery, notify.ent_notification_event,
    notify.ent_notification_rule, notify.ent_notification_template, notify.ent_notification_workflow,
    notify.ent_enterprise, notify.ent_enterprise_limit, notify.ent_audit, notify.pause, notify.brake_count
    IN ACCESS EXCLUSIVE MODE;

CREATE TABLE notify.minute (
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_new INTEGER,
    due_scheduled INTEGER,
    due_failed INTEGER,
    in_flight INTEGER,
    oldest_due_seconds DOUBLE PRECISION,
    sent BIGINT DEFAULT 0 NOT NULL,
    failed BIGINT DEFAULT 0 NOT NULL,
    dead BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT minute_pkey PRIMARY KEY (began_at)
);
COMMENT ON TABLE notify.minute IS
    'A row for each minute of the last days, for the charts of the operator''s page. The workers add what they did; the chore '
    '`statistics` writes what waits, and deletes old rows.';
COMMENT ON COLUMN notify.minute.began_at IS 'The beginning of the minute.';
COMMENT ON COLUMN notify.minute.due_new IS 'Rows that the new loop owns and that are due; the count stops at 10,000. Null: not counted.';
COMMENT ON COLUMN notify.minute.due_scheduled IS 'The same of the scheduled loop.';
COMMENT ON COLUMN notify.minute.due_failed IS 'The same of the failed loop.';
COMMENT ON COLUMN notify.minute.in_flight IS 'Rows PROCESSING; the count stops at 10,000.';
COMMENT ON COLUMN notify.minute.oldest_due_seconds IS
    'For how long the oldest due row that is not paused had been due; null: no row was due, or it was not measured.';
COMMENT ON COLUMN notify.minute.sent IS 'Notifications that became SENT.';
COMMENT ON COLUMN notify.minute.failed IS 'Attempts that failed.';
COMMENT ON COLUMN notify.minute.dead IS 'Notifications that became DEAD.';

CREATE TABLE notify.worker_report (
    worker TEXT COLLATE "C" NOT NULL,
    version TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    reported_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    health JSONB NOT NULL,
    gate JSONB NOT NULL,
    CONSTRAINT worker_report_pkey PRIMARY KEY (worker),
    CONSTRAINT worker_report_worker_check CHECK (octet_length(worker) BETWEEN 1 AND 255),
    CONSTRAINT worker_report_health_check CHECK (jsonb_typeof(health) = 'object'),
    CONSTRAINT worker_report_gate_check CHECK (jsonb_typeof(gate) = 'object')
);
COMMENT ON TABLE notify.worker_report IS
    'How each worker was when it last reported, a few times a minute. The chore `statistics` deletes reports of a day ago.';
COMMENT ON COLUMN notify.worker_report.worker IS 'The machine and the process.';
COMMENT ON COLUMN notify.worker_report.version IS 'The version of the program.';
COMMENT ON COLUMN notify.worker_report.started_at IS 'When it reported first.';
COMMENT ON COLUMN notify.worker_report.reported_at IS 'When it reported last.';
COMMENT ON COLUMN notify.worker_report.health IS 'What it answers to /health.';
COMMENT ON COLUMN notify.worker_report.gate IS 'Its gate to Novu, and the breakers that are open, as in /status.';

-- Only workers and the page: no tenant may see them.
ALTER TABLE notify.minute ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.worker_report ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON notify.minute TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.worker_report TO xnovu_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.minute, notify.worker_report TO xnovu_worker;

CREATE POLICY reader ON notify.ent_notification FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.ent_notification_delivery FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.ent_notification_event FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.ent_notification_rule FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.ent_notification_template FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.ent_notification_workflow FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.ent_enterprise FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.ent_enterprise_limit FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.ent_audit FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.pause FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.brake_count FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.minute FOR SELECT TO xnovu_reader USING (true);
CREATE POLICY reader ON notify.worker_report FOR SELECT TO xnovu_reader USING (true);

-- Neither the bindings of tenants' logins nor keys.
GRANT USAGE ON SCHEMA notify TO xnovu_reader;
GRANT SELECT ON notify.ent_notification, notify.ent_notification_delivery, notify.ent_notification_event,
    notify.ent_notification_rule, notify.ent_notification_template, notify.ent_notification_workflow,
    notify.ent_enterprise, notify.ent_enterprise_limit, notify.ent_audit, notify.pause, notify.brake_count,
    notify.minute, notify.worker_report, notify.chore, notify.deployment, notify.workflow_sync, notify.alembic_version
    TO xnovu_reader;
