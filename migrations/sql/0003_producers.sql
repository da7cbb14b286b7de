-- What programs may write into the tables: how large each column may be, and recipients that Novu can use. Each refusal
-- is a sentence.
SET search_path = pg_catalog, pg_temp;

ALTER TABLE notify.ent_enterprise ADD COLUMN payload_bytes INTEGER
    CONSTRAINT ent_enterprise_payload_check CHECK (payload_bytes BETWEEN 1048576 AND 20971520);
COMMENT ON COLUMN notify.ent_enterprise.payload_bytes IS
    'The largest payload of a notification, in bytes as text; null: 1048576.';

-- Triggers, not CHECKs: a row from before these rules goes on, because the triggers check a value only when it is
-- written. The names sort before those of the guards, which must see what these triggers have trimmed.
-- The bounds: a worker holds a claim's payloads in memory (1 MB: a PDF of 750 KB as an attachment; Novu itself takes
-- 512 KB without attachments); 10,000 recipients are a hundred calls; a key with its enterprise must fit an index page.
CREATE FUNCTION notify.check_notification() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_new CONSTANT boolean := TG_OP = 'INSERT';
    missing text;
    fault text[];
    found_recipients record;
BEGIN
    IF num_nulls(NEW.enterprise_id, NEW.name, NEW.payload, NEW.recipients, NEW.priority, NEW.publish_status,
            NEW.deactivated) > 0
    THEN
        missing := CASE WHEN NEW.enterprise_id IS NULL THEN 'enterprise_id' WHEN NEW.name IS NULL THEN 'name'
            WHEN NEW.payload IS NULL THEN 'payload' WHEN NEW.recipients IS NULL THEN 'recipients'
            WHEN NEW.priority IS NULL THEN 'priority' WHEN NEW.publish_status IS NULL THEN 'publish_status'
            ELSE 'deactivated' END;
        RAISE EXCEPTION 'notification: % is null', missing
            USING ERRCODE = 'not_null_violation', SCHEMA = 'notify', TABLE = 'ent_notification', COLUMN = missing,
                HINT = 'Write a value, or leave the column out if it has a default.';
    END IF;
    IF is_new AND current_setting('app.current_enterprise_id', true) IS DISTINCT FROM NEW.enterprise_id THEN
        PERFORM notify.check_enterprise(NEW.enterprise_id);
    END IF;
    -- The cheap half of each condition comes first: nearly all values pass it.
    fault := CASE
        WHEN octet_length(NEW.enterprise_id) NOT BETWEEN 1 AND 255
                AND (is_new OR NEW.enterprise_id <> OLD.enterprise_id)
            THEN ARRAY['enterprise', 'enterprise_id does not have 1 to 255 bytes', 'Write the id of the tenant.']
        WHEN char_length(NEW.name) > 1000 AND (is_new OR NEW.name <> OLD.name)
            THEN ARRAY['name', 'name is longer than 1000 characters', 'It is a label for people; the text goes into the payload.']
        WHEN NEW.priority NOT BETWEEN 0 AND 9
            THEN ARRAY['priority', format('priority is %s', NEW.priority), 'It lies between 0 and 9; higher is sent first.']
        WHEN NEW.channels IS NOT NULL AND (cardinality(NEW.channels) NOT BETWEEN 1 AND 5
                OR array_position(NEW.channels, NULL) IS NOT NULL)
                AND (is_new OR NEW.channels IS DISTINCT FROM OLD.channels)
            THEN ARRAY['channels', 'channels is an empty list, has a null, or more than five entries',
                'Leave it null for the channels of the workflow.']
        WHEN octet_length(NEW.dedup_key) NOT BETWEEN 1 AND 1024
                AND (is_new OR NEW.dedup_key IS DISTINCT FROM OLD.dedup_key)
            THEN ARRAY['dedup', 'dedup_key does not have 1 to 1024 bytes', 'Leave it null if the notification has no key.']
        WHEN NEW.overrides IS NOT NULL
                AND (jsonb_typeof(NEW.overrides) <> 'object' OR octet_length(NEW.overrides::text) > 65536)
                AND (is_new OR NEW.overrides IS DISTINCT FROM OLD.overrides)
            THEN ARRAY['overrides', 'overrides is not a JSON object of at most 65536 bytes',
                'It holds settings for Novu; the text and attachments go into the payload.']
        WHEN NEW.tags IS NOT NULL AND (cardinality(NEW.tags) > 100 OR octet_length(array_to_string(NEW.tags, '')) > 16384)
                AND (is_new OR NEW.tags IS DISTINCT FROM OLD.tags)
            THEN ARRAY['tags', 'tags has more than 100 entries, or more than 16384 bytes', 'Write fewer tags.']
        WHEN octet_length(NEW.payload::text) > 1048576 AND (is_new OR NEW.payload <> OLD.payload)
                AND octet_length(NEW.payload::text) > notify.payload_bytes(NEW.enterprise_id)
            THEN ARRAY['payload', format('payload has %s bytes, more than %s', octet_length(NEW.payload::text),
                    notify.payload_bytes(NEW.enterprise_id)),
                'Send a link instead of a large attachment. An administrator may allow this enterprise more: '
                    'ent_enterprise.payload_bytes.']
        END;
    -- A single plain id, by far the most frequent list, needs no second look.
    IF fault IS NULL AND (is_new OR NEW.recipients <> OLD.recipients)
        AND NOT (cardinality(NEW.recipients) = 1 AND array_lower(NEW.recipients, 1) = 1
            AND octet_length(NEW.recipients[1]) <= 255 AND NEW.recipients[1] ~ '^[A-Za-z0-9@._|+-]+$')
    THEN
        found_recipients := notify.read_recipients(NEW.recipients);
        NEW.recipients := coalesce(found_recipients.usable, NEW.recipients);
        fault := ARRAY['recipients', 'recipients ' || found_recipients.fault,
            'Each is a Novu subscriber id or topic:KEY, at most 255 bytes; at most 10000 in all.'];
    END IF;
    IF fault[2] IS NOT NULL THEN
        PERFORM notify.refuse(format('ent_notification_%s_check', fault[1]), 'notification: ' || fault[2], fault[3]);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.check_notification IS
    'Trigger: trim the recipients, and refuse in a sentence a value that is too large or that Novu could not use.';

-- It runs with the caller's rights, and no producer may read the row of another enterprise. It is called for large payloads
-- only.
CREATE FUNCTION notify.payload_bytes(enterprise_id text) RETURNS integer LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(own.payload_bytes), 1048576) FROM notify.ent_enterprise AS own
    WHERE own.enterprise_id = payload_bytes.enterprise_id
$$;
COMMENT ON FUNCTION notify.payload_bytes IS 'Return the largest payload that an enterprise may write, in bytes.';

-- No WHEN: PostgreSQL would read and prepare its condition anew for each statement, which costs ten times the call.
CREATE TRIGGER check_content
    BEFORE INSERT OR UPDATE OF enterprise_id, name, payload, recipients, channels, overrides, tags, priority, dedup_key,
        publish_status, deactivated ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.check_notification();

-- The lengths are those that templates/verify.py accepts, or a template could be written and never be sent.
CREATE FUNCTION notify.check_template() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_new CONSTANT boolean := TG_OP = 'INSERT';
    fault text[];
BEGIN
    IF is_new THEN
        PERFORM notify.check_enterprise(NEW.enterprise_id);
    END IF;
    fault := CASE
        WHEN octet_length(NEW.enterprise_id) NOT BETWEEN 1 AND 255
                AND (is_new OR NEW.enterprise_id IS DISTINCT FROM OLD.enterprise_id)
            THEN ARRAY['enterprise', 'enterprise_id does not have 1 to 255 bytes', 'Null is for all enterprises.']
        WHEN coalesce(char_length(NEW.name), 1001) > 1000 AND (is_new OR NEW.name IS DISTINCT FROM OLD.name)
            THEN ARRAY['name', 'name is null or longer than 1000 characters', 'It is a label for people.']
        WHEN coalesce(octet_length(NEW.template_key), 0) NOT BETWEEN 1 AND 255
                AND (is_new OR NEW.template_key IS DISTINCT FROM OLD.template_key)
            THEN ARRAY['key', 'template_key does not have 1 to 255 bytes', 'A workflow names the template by this key.']
        WHEN char_length(NEW.subject_template) > 4000
                AND (is_new OR NEW.subject_template IS DISTINCT FROM OLD.subject_template)
            THEN ARRAY['subject', 'subject_template is longer than 4000 characters', 'A subject is a single line.']
        WHEN coalesce(char_length(NEW.body_template), 65537) > 65536
                AND (is_new OR NEW.body_template IS DISTINCT FROM OLD.body_template)
            THEN ARRAY['body', 'body_template is null or longer than 65536 characters', 'Link to images instead of embedding them.']
        WHEN (coalesce(jsonb_typeof(NEW.variables_description), '') <> 'object'
                OR octet_length(NEW.variables_description::text) > 65536)
                AND (is_new OR NEW.variables_description IS DISTINCT FROM OLD.variables_description)
            THEN ARRAY['variables', 'variables_description is not a JSON object of at most 65536 bytes',
                'Write an object: {"name": "the default value"}.']
        END;
    IF fault IS NOT NULL THEN
        PERFORM notify.refuse(format('ent_notification_template_%s_check', fault[1]), 'template: ' || fault[2], fault[3]);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.check_template IS 'Trigger: refuse in a sentence a template that is too large, or has no key.';
CREATE TRIGGER check_content BEFORE INSERT OR UPDATE ON notify.ent_notification_template
    FOR EACH ROW EXECUTE FUNCTION notify.check_template();

CREATE FUNCTION notify.check_workflow() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_new CONSTANT boolean := TG_OP = 'INSERT';
    fault text[];
BEGIN
    IF is_new THEN
        PERFORM notify.check_enterprise(NEW.enterprise_id);
    END IF;
    fault := CASE
        WHEN octet_length(NEW.enterprise_id) NOT BETWEEN 1 AND 255
                AND (is_new OR NEW.enterprise_id IS DISTINCT FROM OLD.enterprise_id)
            THEN ARRAY['enterprise', 'enterprise_id does not have 1 to 255 bytes', 'Null is for all enterprises.']
        WHEN coalesce(char_length(NEW.name), 1001) > 1000 AND (is_new OR NEW.name IS DISTINCT FROM OLD.name)
            THEN ARRAY['name', 'name is null or longer than 1000 characters', 'It is a label for people.']
        WHEN octet_length(NEW.description) > 16384 AND (is_new OR NEW.description IS DISTINCT FROM OLD.description)
            THEN ARRAY['description', 'description is longer than 16384 bytes', 'It is for people.']
        WHEN coalesce(octet_length(NEW.workflow_key), 0) NOT BETWEEN 1 AND 255
                AND (is_new OR NEW.workflow_key IS DISTINCT FROM OLD.workflow_key)
            THEN ARRAY['key', 'workflow_key does not have 1 to 255 bytes', 'Write the identifier of the workflow at Novu.']
        WHEN (NEW.default_channels IS NULL OR cardinality(NEW.default_channels) > 5
                OR array_position(NEW.default_channels, NULL) IS NOT NULL)
                AND (is_new OR NEW.default_channels IS DISTINCT FROM OLD.default_channels)
            THEN ARRAY['channels', 'default_channels is null, has a null, or more than five entries',
                'Write for example {EMAIL,SMS}.']
        WHEN NEW.payload_schema IS NOT NULL
                AND (jsonb_typeof(NEW.payload_schema) <> 'object' OR octet_length(NEW.payload_schema::text) > 65536)
                AND (is_new OR NEW.payload_schema IS DISTINCT FROM OLD.payload_schema)
            THEN ARRAY['schema', 'payload_schema is not a JSON object of at most 65536 bytes',
                'Write a JSON Schema, or null for any payload.']
        WHEN (coalesce(jsonb_typeof(NEW.template_overrides), '') <> 'object'
                OR octet_length(NEW.template_overrides::text) > 16384)
                AND (is_new OR NEW.template_overrides IS DISTINCT FROM OLD.template_overrides)
            THEN ARRAY['overrides', 'template_overrides is not a JSON object of at most 16384 bytes',
                'Write a template''s key for each channel: {"EMAIL": "welcome"}.']
        END;
    IF fault IS NOT NULL THEN
        PERFORM notify.refuse(format('ent_notification_workflow_%s_check', fault[1]), 'workflow: ' || fault[2], fault[3]);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.check_workflow IS 'Trigger: refuse in a sentence a workflow that is too large, or has no key.';
CREATE TRIGGER check_content BEFORE INSERT OR UPDATE ON notify.ent_notification_workflow
    FOR EACH ROW EXECUTE FUNCTION notify.check_workflow();

-- The worker writes rules too, so the trigger names its columns.
CREATE FUNCTION notify.check_rule() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fault text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM notify.check_enterprise(NEW.enterprise_id);
    END IF;
    fault := CASE
        WHEN coalesce(octet_length(NEW.enterprise_id), 0) NOT BETWEEN 1 AND 255
            THEN ARRAY['enterprise', 'enterprise_id does not have 1 to 255 bytes', 'Write the id of the tenant.']
        WHEN coalesce(char_length(NEW.name), 1001) > 1000
            THEN ARRAY['name', 'name is null or longer than 1000 characters', 'Each notification of the rule carries this name.']
        WHEN coalesce(jsonb_typeof(NEW.trigger_config), '') <> 'object' OR octet_length(NEW.trigger_config::text) > 16384
            THEN ARRAY['config', 'trigger_config is not a JSON object of at most 2048 bytes',
                'Write the times: {"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"}.']
        WHEN coalesce(jsonb_typeof(NEW.rule_payload), '') <> 'object' OR octet_length(NEW.rule_payload::text) > 1048576
            THEN ARRAY['payload', 'rule_payload is not a JSON object of at most 1048576 bytes',
                'Write the recipients and the payload: {"recipients": ["user-17"], "order": 42}.']
        END;
    IF fault IS NOT NULL THEN
        PERFORM notify.refuse(format('ent_notification_rule_%s_check', fault[1]), 'rule: ' || fault[2], fault[3]);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.check_rule IS 'Trigger: refuse in a sentence a rule that is too large or has no enterprise.';
CREATE TRIGGER check_content
    BEFORE INSERT OR UPDATE OF enterprise_id, name, trigger_config, rule_payload ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.check_rule();

REVOKE ALL ON FUNCTION notify.check_notification, notify.check_template, notify.check_workflow, notify.check_rule,
    notify.payload_bytes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.payload_bytes TO xnovu_producer, xnovu_worker;
