-- The audit: a line for each action of a person on notifications, with who did it and how many it changed. No tenant and no
-- producer reads it.
SET search_path = pg_catalog, pg_temp;

CREATE TABLE notify.ent_audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    login TEXT DEFAULT session_user NOT NULL,
    enterprise_id TEXT,
    filters JSONB DEFAULT '{}'::jsonb NOT NULL,
    reason TEXT,
    counted BIGINT,
    changed BIGINT DEFAULT 0 NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT ent_audit_pkey PRIMARY KEY (id),
    CONSTRAINT ent_audit_action_check CHECK (octet_length(action) BETWEEN 1 AND 255),
    CONSTRAINT ent_audit_actor_check CHECK (octet_length(actor) BETWEEN 1 AND 255),
    CONSTRAINT ent_audit_filters_check CHECK (jsonb_typeof(filters) = 'object'),
    CONSTRAINT ent_audit_counts_check CHECK (least(counted, changed) >= 0)
);
COMMENT ON TABLE notify.ent_audit IS
    'What people did: who, what, with which filters, and how many rows it changed. Only the worker''s role and superusers '
    'read it. Lines are deleted after RETENTION_DAYS.';
COMMENT ON COLUMN notify.ent_audit.id IS 'Primary key.';
COMMENT ON COLUMN notify.ent_audit.action IS 'What was done, such as retract or revive.';
COMMENT ON COLUMN notify.ent_audit.actor IS 'Who did it: the value of --actor, or the user of the operating system.';
COMMENT ON COLUMN notify.ent_audit.login IS 'The login of the database with which it was done.';
COMMENT ON COLUMN notify.ent_audit.enterprise_id IS 'The enterprise whose rows were chosen; null: rows of any enterprise.';
COMMENT ON COLUMN notify.ent_audit.filters IS
    'Which rows were chosen: by filters, by ids (the first hundred), or all. That there was a filter by recipient, without '
    'the recipient.';
COMMENT ON COLUMN notify.ent_audit.reason IS 'Why, as the person wrote it.';
COMMENT ON COLUMN notify.ent_audit.counted IS
    'How many rows were counted before. The count stops at a bound, so there may have been more.';
COMMENT ON COLUMN notify.ent_audit.changed IS
    'How many rows were changed. It is written with each batch, so it is true also if the action was interrupted.';
COMMENT ON COLUMN notify.ent_audit.started_at IS 'When it was confirmed and began.';
COMMENT ON COLUMN notify.ent_audit.finished_at IS 'When it ended; null: it is under way, or was interrupted.';

ALTER TABLE notify.ent_audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON notify.ent_audit TO xnovu_worker USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON notify.ent_audit TO xnovu_worker;
GRANT INSERT (action, actor, enterprise_id, filters, reason, counted), UPDATE (changed, finished_at)
    ON notify.ent_audit TO xnovu_worker;
