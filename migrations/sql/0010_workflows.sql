-- What `xnovu workflows sync` wrote to Novu last, so that it can see what a person has changed there since; and a wake-up
-- when a workflow changes, so that Novu follows at once where WORKFLOW_SYNC is on.
SET search_path = pg_catalog, pg_temp;

CREATE TABLE notify.workflow_sync (
    workflow_key TEXT COLLATE "C" NOT NULL,
    identifier TEXT NOT NULL,
    written JSONB NOT NULL,
    answered JSONB NOT NULL,
    written_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT workflow_sync_pkey PRIMARY KEY (workflow_key)
);
COMMENT ON TABLE notify.workflow_sync IS 'The workflows that were written to Novu, each as it was last written.';
COMMENT ON COLUMN notify.workflow_sync.workflow_key IS 'The workflow_key of its rows.';
COMMENT ON COLUMN notify.workflow_sync.identifier IS 'The identifier that Novu gave it; it should be the workflow_key.';
COMMENT ON COLUMN notify.workflow_sync.written IS 'The part of the workflow that is ours, as it was sent to Novu.';
COMMENT ON COLUMN notify.workflow_sync.answered IS
    'The same part as Novu answered. If Novu shows another later, a person has changed it.';
COMMENT ON COLUMN notify.workflow_sync.written_at IS 'When it was last written.';
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.workflow_sync TO xnovu_worker;

SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification_workflow IN SHARE ROW EXCLUSIVE MODE;

-- The chores run when a rule changes; they look at the workflows too. The columns of the machine do not count.
CREATE TRIGGER wake
    AFTER INSERT OR DELETE OR UPDATE OF name, workflow_type, workflow_key, default_channels, payload_schema,
        template_overrides, publish_status, deactivated
    ON notify.ent_notification_workflow FOR EACH STATEMENT EXECUTE FUNCTION notify.wake_rules();
COMMENT ON FUNCTION notify.wake_rules IS 'Trigger: notify xnovu_rules that a rule or a workflow has changed.';
