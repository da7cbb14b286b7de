-- The rules' columns for their notifications, the mark of a change that no schedule follows yet, a bound for new
-- trigger_configs, and the time of a firing on its notification.
SET search_path = pg_catalog, pg_temp;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification IN SHARE UPDATE EXCLUSIVE MODE;
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification_rule, notify.ent_notification IN ACCESS EXCLUSIVE MODE;

ALTER TABLE notify.ent_notification_rule
    ADD COLUMN channels notify.channel_type[]
        CONSTRAINT ent_notification_rule_channels_check
        CHECK (channels IS NULL OR (cardinality(channels) > 0 AND array_position(channels, NULL) IS NULL)),
    ADD COLUMN priority SMALLINT DEFAULT 0 NOT NULL
        CONSTRAINT ent_notification_rule_priority_check CHECK (priority BETWEEN 0 AND 9),
    -- The same bound as for a notification, or no firing could insert it.
    ADD COLUMN overrides JSONB
        CONSTRAINT ent_notification_rule_overrides_check
        CHECK (overrides IS NULL OR (jsonb_typeof(overrides) = 'object' AND octet_length(overrides::text) <= 65536)),
    ADD COLUMN expires_after INTERVAL
        CONSTRAINT ent_notification_rule_expiry_check
        CHECK (expires_after > interval '0 s' AND expires_after <= interval '366 days'),
    ADD COLUMN followed_at TIMESTAMP WITH TIME ZONE;

-- A firing whose notification the table refuses.
ALTER TABLE notify.ent_notification_rule
    DROP CONSTRAINT ent_notification_rule_outcome_check,
    ADD CONSTRAINT ent_notification_rule_outcome_check
        CHECK (last_outcome IN ('created', 'repeated', 'inactive', 'no_recipients', 'refused', 'gone'));
COMMENT ON COLUMN notify.ent_notification_rule.last_outcome IS
    'How the last firing ended. created: it made its notification. repeated: the same firing had made it before. inactive: '
    'the rule was off by then. no_recipients: the payload names none. refused: the table refuses such a notification. gone: '
    'the row had been deleted.';
COMMENT ON COLUMN notify.ent_notification_rule.channels IS
    'Channels of its notifications; null: the workflow''s default_channels.';
COMMENT ON COLUMN notify.ent_notification_rule.priority IS 'Priority of its notifications, 0 to 9.';
COMMENT ON COLUMN notify.ent_notification_rule.overrides IS
    'Passed on to Novu as the overrides of its notifications. 64 KB at most.';
COMMENT ON COLUMN notify.ent_notification_rule.expires_after IS
    'How long after the time of a firing its notification expires; null: never. 366 days at most.';
COMMENT ON COLUMN notify.ent_notification_rule.followed_at IS
    'The updated_at of the row that its schedule follows. Any other value, or null: a change waits for the next comparison.';

-- The changes that no schedule follows yet, of each enterprise by age: a comparison begins with them.
CREATE INDEX ent_notification_rule_unfollowed ON notify.ent_notification_rule (enterprise_id text_pattern_ops, updated_at, id)
    WHERE followed_at IS DISTINCT FROM updated_at;

-- The new columns are the author's too.
DROP TRIGGER keep_updated_at ON notify.ent_notification_rule;
CREATE TRIGGER keep_updated_at
    BEFORE INSERT OR UPDATE OF enterprise_id, name, notification_workflow_id, trigger_type, trigger_config,
        rule_payload, channels, priority, overrides, expires_after, publish_status, deactivated, created_at, updated_at
    ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();

-- Sentences instead of PostgreSQL's own errors, which print the row with its payload. The bound of trigger_config is here
-- only: a CHECK would also refuse what the worker records on an older row that is larger. Such a row becomes INVALID, and
-- its author shortens it.
CREATE FUNCTION notify.guard_rule() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fault text[] := CASE
        WHEN octet_length(NEW.trigger_config::text) > 2048
                AND (TG_OP = 'INSERT' OR NEW.trigger_config IS DISTINCT FROM OLD.trigger_config)
            THEN ARRAY['config', format('trigger_config has %s bytes, more than 2048',
                octet_length(NEW.trigger_config::text)), 'Write several rules instead of one with many times.']
        WHEN cardinality(NEW.channels) = 0 OR array_position(NEW.channels, NULL) IS NOT NULL
            THEN ARRAY['channels', 'channels is empty or has a null', 'Null means the channels of the workflow.']
        WHEN NEW.priority NOT BETWEEN 0 AND 9
            THEN ARRAY['priority', format('priority is %s', NEW.priority), 'Write 0 to 9; a higher number goes first.']
        WHEN NEW.overrides IS NOT NULL
                AND (jsonb_typeof(NEW.overrides) <> 'object' OR octet_length(NEW.overrides::text) > 65536)
            THEN ARRAY['overrides', 'overrides is not a JSON object of at most 65536 bytes',
                'Write an object: {"email": {"replyTo": "desk@example.org"}}.']
        WHEN NEW.expires_after <= interval '0 s' OR NEW.expires_after > interval '366 days'
            THEN ARRAY['expiry', format('expires_after is %s', NEW.expires_after),
                'Write a positive interval of at most 366 days.']
    END;
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'rule: % (ent_notification_rule_%_check)', fault[2], fault[1]
            USING ERRCODE = 'check_violation', SCHEMA = 'notify',
                CONSTRAINT = format('ent_notification_rule_%s_check', fault[1]), HINT = fault[3];
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.guard_rule IS
    'Trigger: refuse in a sentence a trigger_config of more than 2048 bytes, and values that no notification could have.';
CREATE TRIGGER guard_rule
    BEFORE INSERT OR UPDATE OF trigger_config, channels, priority, overrides, expires_after
    ON notify.ent_notification_rule FOR EACH ROW EXECUTE FUNCTION notify.guard_rule();
COMMENT ON COLUMN notify.ent_notification_rule.trigger_config IS
    'The times: {"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"} or {"at": "2030-01-01T09:00:00+08:00"}. 2 KB at most.';

ALTER TABLE notify.ent_notification ADD COLUMN fired_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN notify.ent_notification.fired_at IS
    'The time for which its rule fired, without jitter and delay; null: no rule made it. Novu and templates get it as '
    'payload.xnovu.fired_at.';
