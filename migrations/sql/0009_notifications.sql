-- Notifications: their language and zone, and what Novu's trigger takes besides: the actor, contexts, who is left out of a
-- topic, and the profiles of recipients. Workflows: whether contexts are sent, and the result of a check.
SET search_path = pg_catalog, pg_temp;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification IN SHARE UPDATE EXCLUSIVE MODE;
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification_workflow IN ACCESS EXCLUSIVE MODE;
LOCK TABLE notify.ent_notification IN ACCESS EXCLUSIVE MODE;

ALTER TABLE notify.ent_notification_workflow
    ADD COLUMN send_context BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN checked_status TEXT
        CONSTRAINT ent_notification_workflow_checked_check CHECK (checked_status IN ('OK', 'WARNING', 'ERROR')),
    ADD COLUMN checked_error TEXT;
COMMENT ON COLUMN notify.ent_notification_workflow.send_context IS
    'Whether Novu gets the context of its notifications. Contexts belong to all enterprises of the environment.';
COMMENT ON COLUMN notify.ent_notification_workflow.checked_status IS
    'The result of the check after its last change: OK, WARNING or ERROR; null: not checked yet.';
COMMENT ON COLUMN notify.ent_notification_workflow.checked_error IS 'What the check found, in a sentence.';
CREATE OR REPLACE TRIGGER keep_updated_at
    BEFORE INSERT OR UPDATE OF enterprise_id, name, description, workflow_type, workflow_key, default_channels,
        payload_schema, template_overrides, send_context, publish_status, deactivated, created_at, updated_at
    ON notify.ent_notification_workflow
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
CREATE TRIGGER forget_check
    BEFORE INSERT OR UPDATE OF enterprise_id, workflow_type, workflow_key, default_channels, payload_schema,
        template_overrides, publish_status, deactivated
    ON notify.ent_notification_workflow
    FOR EACH ROW EXECUTE FUNCTION notify.forget_check();

-- No CHECK: PostgreSQL would read all rows now, and check it at every update of the worker.
ALTER TABLE notify.ent_notification
    ADD COLUMN locale TEXT,
    ADD COLUMN time_zone TEXT,
    ADD COLUMN actor TEXT,
    ADD COLUMN context JSONB,
    ADD COLUMN exclude TEXT[],
    ADD COLUMN subscribers JSONB;
COMMENT ON COLUMN notify.ent_notification.locale IS
    'The language of its texts, such as de_CH; null: that of its enterprise, else DEFAULT_LOCALE.';
COMMENT ON COLUMN notify.ent_notification.time_zone IS
    'The zone of the times in its texts, such as Europe/Zurich; null: that of its enterprise, else DEFAULT_TIME_ZONE.';
COMMENT ON COLUMN notify.ent_notification.actor IS 'The subscriber id of who caused it; Novu shows the avatar.';
COMMENT ON COLUMN notify.ent_notification.context IS
    'Contexts for Novu: {"project": "p-17"} or {"project": {"id": "p-17", "data": {}}}. Sent only if the workflow has '
    'send_context. 16 KB at most.';
COMMENT ON COLUMN notify.ent_notification.exclude IS
    'Subscriber ids that a topic among the recipients does not reach; 1,000 at most.';
COMMENT ON COLUMN notify.ent_notification.subscribers IS
    'Profiles by recipient: {"user-1": {"email": "a@example.org", "firstName": "Ann"}}. Novu creates or updates these '
    'subscribers. 1 MB at most.';

CREATE FUNCTION notify.is_time_zone(name text) RETURNS boolean LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    -- PostgreSQL also takes europe/zurich, and rules such as FOO/BAR+3, which Python does not. It answers with the name of its list,
    -- and with a rule in capitals.
    RETURN is_time_zone.name = 'UTC' OR is_time_zone.name ~ '^[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+$'
        AND is_time_zone.name ~ '[a-z]' AND set_config('TimeZone', is_time_zone.name, true) = is_time_zone.name;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION notify.is_time_zone IS 'Whether a text is UTC or a zone such as Europe/Zurich.';

CREATE FUNCTION notify.is_context(given jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_typeof(given) = 'object' AND octet_length(given::text) <= 16384 AND NOT EXISTS (
        SELECT FROM jsonb_each(CASE jsonb_typeof(given) WHEN 'object' THEN given END) AS context (type, value)
        WHERE CASE jsonb_typeof(value)
            WHEN 'string' THEN value = '""'
            WHEN 'object' THEN coalesce(jsonb_typeof(value -> 'id'), '') <> 'string' OR value -> 'id' = '""'
                OR jsonb_typeof(value -> 'data') <> 'object' OR value - '{id,data}'::text[] <> '{}'
            ELSE true END)
$$;
COMMENT ON FUNCTION notify.is_context IS 'Whether each member is an id, or an object of an id and perhaps data.';

CREATE FUNCTION notify.are_profiles(given jsonb, recipients text[]) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_typeof(given) = 'object' AND octet_length(given::text) <= 1048576 AND NOT EXISTS (
        SELECT FROM jsonb_each(CASE jsonb_typeof(given) WHEN 'object' THEN given END) AS subscriber (id, profile)
        WHERE jsonb_typeof(profile) <> 'object' OR starts_with(id, 'topic:') OR id NOT IN (SELECT unnest(recipients))
            OR EXISTS (
                SELECT FROM jsonb_each(CASE jsonb_typeof(profile) WHEN 'object' THEN profile END) AS member (name, value)
                WHERE CASE
                    WHEN name IN ('email', 'phone', 'firstName', 'lastName', 'locale', 'timezone', 'avatar')
                        THEN jsonb_typeof(value) <> 'string'
                    WHEN name = 'data' THEN jsonb_typeof(value) <> 'object'
                    ELSE true END))
$$;
COMMENT ON FUNCTION notify.are_profiles IS
    'Whether each member is the profile of a recipient: email, phone, firstName, lastName, locale, timezone, avatar, data.';

-- The name sorts after check_content, which has trimmed the recipients, and before the guards.
CREATE FUNCTION notify.check_optional() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fault text[];
    actors text[];
    excluded text[];
BEGIN
    IF NEW.payload ? 'xnovu' THEN
        PERFORM notify.refuse('ent_notification_reserved_check', 'notification: payload has the name xnovu',
            'The name is reserved: only the worker writes it. Write another name.');
    ELSIF num_nonnulls(NEW.locale, NEW.time_zone, NEW.actor, NEW.context, NEW.exclude, NEW.subscribers) = 0 THEN
        RETURN NEW;
    END IF;
    actors := (notify.read_recipients(ARRAY[NEW.actor])).usable;
    excluded := (notify.read_recipients(NEW.exclude)).usable;
    fault := CASE
        WHEN NOT notify.is_locale(NEW.locale)
            THEN ARRAY['locale', 'locale is no language', 'Write for example de or de_CH.']
        WHEN NOT notify.is_time_zone(NEW.time_zone)
            THEN ARRAY['time_zone', 'time_zone is no time zone', 'Write for example Europe/Zurich.']
        WHEN NEW.actor IS NOT NULL AND (actors IS NULL OR starts_with(actors[1], 'topic:'))
            THEN ARRAY['actor', 'actor is no subscriber id', 'Write the id of a subscriber at Novu, at most 255 bytes.']
        WHEN NOT notify.is_context(NEW.context)
            THEN ARRAY['context', 'context is not an object of contexts with at most 16384 bytes',
                'Write an id for each type: {"project": "p-17"}.']
        WHEN NEW.exclude IS NOT NULL AND (excluded IS NULL OR cardinality(excluded) > 1000
                OR EXISTS (SELECT FROM unnest(excluded) AS id WHERE starts_with(id, 'topic:')))
            THEN ARRAY['exclude', 'exclude is not a list of 1 to 1000 subscriber ids',
                'Leave it null if the topics reach all their subscribers.']
        WHEN NOT notify.are_profiles(NEW.subscribers, NEW.recipients)
            THEN ARRAY['subscribers', 'subscribers has more than 1048576 bytes, or a member that is no profile of a recipient',
                'Write {"user-1": {"email": "a@example.org"}}; a profile has email, phone, firstName, lastName, locale, '
                    'timezone and avatar as texts, and data as an object.']
        END;
    IF fault IS NOT NULL THEN
        PERFORM notify.refuse(format('ent_notification_%s_check', fault[1]), 'notification: ' || fault[2], fault[3]);
    END IF;
    NEW.actor := actors[1];
    NEW.exclude := excluded;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.check_optional IS
    'Trigger: refuse in a sentence a reserved name in the payload, and columns that are mostly null and that Novu could not use.';
CREATE TRIGGER check_optional
    BEFORE INSERT OR UPDATE OF payload, recipients, locale, time_zone, actor, context, exclude, subscribers
    ON notify.ent_notification FOR EACH ROW EXECUTE FUNCTION notify.check_optional();

CREATE OR REPLACE FUNCTION notify.guard_frozen() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    move text := OLD.notification_status || ' > ' || NEW.notification_status;
    renamed boolean := NEW.transaction_id <> OLD.transaction_id AND move <> 'RETRACTED > PENDING';
BEGIN
    -- `xnovu db new-deployment` gives every notification that is not SENT another transaction_id. We recognise its
    -- transaction because it has written the row of notify.deployment, which only xnovu_worker may do. The check is a
    -- separate statement because a tenant may not even read the table.
    IF renamed AND OLD.notification_status <> 'SENT' AND NEW.notification_status NOT IN ('PROCESSING', 'SENT')
        AND NEW.transaction_id ~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    THEN
        renamed := NOT EXISTS (SELECT FROM notify.deployment WHERE xmin = pg_current_xact_id()::xid);
    END IF;
    IF (NEW.id, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.created_at)
        OR renamed
        OR OLD.attempt > 0 AND (NEW.enterprise_id, NEW.notification_workflow_id, NEW.recipients, NEW.payload,
            NEW.channels, NEW.overrides, NEW.locale, NEW.time_zone, NEW.actor, NEW.context, NEW.exclude, NEW.subscribers)
            IS DISTINCT FROM (OLD.enterprise_id, OLD.notification_workflow_id, OLD.recipients, OLD.payload,
            OLD.channels, OLD.overrides, OLD.locale, OLD.time_zone, OLD.actor, OLD.context, OLD.exclude, OLD.subscribers)
    THEN
        RAISE EXCEPTION 'notification %: its content does not change once it has been claimed', OLD.id
            USING ERRCODE = 'check_violation',
                HINT = 'The first claim freezes enterprise, workflow, recipients, payload, channels, overrides and what else '
                    'Novu gets (id, created_at and transaction_id are always fixed). Retract the notification and insert another.';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER guard_frozen
    BEFORE UPDATE OF id, created_at, transaction_id, enterprise_id, notification_workflow_id, recipients, payload,
        channels, overrides, locale, time_zone, actor, context, exclude, subscribers ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_frozen();

-- An actor is a subscriber too. Profiles are those of recipients, and whom a topic leaves out is not addressed.
CREATE OR REPLACE FUNCTION notify.guard_bounds() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM notify.ent_enterprise AS e WHERE e.enterprise_id = NEW.enterprise_id)
        AND NOT notify.is_within_bounds(NEW.enterprise_id, NEW.notification_workflow_id,
            NEW.recipients || array_remove(ARRAY[NEW.actor], NULL))
    THEN
        RAISE EXCEPTION 'notification: its workflow, actor or a recipient is outside the bounds of enterprise "%"', NEW.enterprise_id
            USING ERRCODE = 'check_violation', HINT = 'notify.ent_enterprise has the bounds; an administrator sets them.';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER guard_bounds
    AFTER INSERT OR UPDATE OF enterprise_id, notification_workflow_id, recipients, actor ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_bounds();

-- An enterprise's language and zone are used where a notification has none, so they keep to the same rules.
CREATE FUNCTION notify.check_language() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT notify.is_locale(NEW.locale) THEN
        PERFORM notify.refuse('ent_enterprise_locale_check', 'enterprise: locale is no language',
            'Write for example de or de_CH; null is for DEFAULT_LOCALE.');
    ELSIF NOT notify.is_time_zone(NEW.time_zone) THEN
        PERFORM notify.refuse('ent_enterprise_time_zone_check', 'enterprise: time_zone is no time zone',
            'Write for example Europe/Zurich; null is for DEFAULT_TIME_ZONE.');
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.check_language IS 'Trigger: refuse in a sentence a locale or a time_zone that does not exist.';
CREATE TRIGGER check_language BEFORE INSERT OR UPDATE OF locale, time_zone ON notify.ent_enterprise
    FOR EACH ROW EXECUTE FUNCTION notify.check_language();

REVOKE ALL ON FUNCTION notify.check_optional, notify.check_language FROM PUBLIC;
GRANT INSERT (locale, time_zone, actor, context, exclude, subscribers),
    UPDATE (locale, time_zone, actor, context, exclude, subscribers) ON notify.ent_notification TO xnovu_producer;
GRANT INSERT (send_context), UPDATE (send_context) ON notify.ent_notification_workflow TO xnovu_producer;

CREATE OR REPLACE VIEW notify.my_notifications WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, channels, overrides,
    tags, priority, dedup_key, publish_status, deactivated, scheduled_for, expires_at, notification_status, transaction_id,
    attempt, failure_count, next_attempt_at, retract_requested_at, processed_at, retracted_at, error_details,
    retraction_reason, created_at, updated_at, locale, time_zone, actor, context, exclude, subscribers
FROM notify.ent_notification
WHERE enterprise_id = (SELECT notify.current_enterprise());
CREATE OR REPLACE VIEW notify.my_workflows WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, description, workflow_type, workflow_key, default_channels, payload_schema,
    template_overrides, publish_status, deactivated, created_at, updated_at, send_context, checked_status, checked_error
FROM notify.ent_notification_workflow
WHERE enterprise_id = (SELECT notify.current_enterprise())
    OR enterprise_id IS NULL AND (SELECT notify.current_enterprise()) <> '';
-- A column means the same in a view as in its table.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('COMMENT ON COLUMN notify.%I.%I IS %L', pair.view_name, seen.attname,
            col_description(origin.attrelid, origin.attnum))
        FROM (VALUES ('my_notifications', 'notify.ent_notification'::regclass),
            ('my_workflows', 'notify.ent_notification_workflow'::regclass)) AS pair (view_name, table_id)
        JOIN pg_attribute AS seen ON seen.attrelid = to_regclass('notify.' || pair.view_name)
        JOIN pg_attribute AS origin ON origin.attname = seen.attname AND origin.attrelid = pair.table_id
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
