-- Undo the revision of this number, so that the schema is as it was before it. Rows stay as far as the older schema can hold
-- them: a template in a language gets the key with that language.
SET search_path = pg_catalog, pg_temp;

DROP TRIGGER check_language ON notify.ent_enterprise;
DROP TRIGGER check_optional ON notify.ent_notification;
DROP FUNCTION notify.check_optional, notify.check_language, notify.is_context, notify.are_profiles, notify.is_time_zone;
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
            NEW.channels, NEW.overrides) IS DISTINCT FROM (OLD.enterprise_id, OLD.notification_workflow_id,
            OLD.recipients, OLD.payload, OLD.channels, OLD.overrides)
    THEN
        RAISE EXCEPTION 'notification %: its content does not change once it has been claimed', OLD.id
            USING ERRCODE = 'check_violation',
                HINT = 'The first claim freezes enterprise, workflow, recipients, payload, channels and overrides (id, '
                    'created_at and transaction_id are always fixed). Retract the notification and insert another.';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER guard_frozen
    BEFORE UPDATE OF id, created_at, transaction_id, enterprise_id, notification_workflow_id, recipients, payload,
        channels, overrides ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_frozen();

CREATE OR REPLACE FUNCTION notify.guard_bounds() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM notify.ent_enterprise AS e WHERE e.enterprise_id = NEW.enterprise_id)
        AND NOT notify.is_within_bounds(NEW.enterprise_id, NEW.notification_workflow_id, NEW.recipients)
    THEN
        RAISE EXCEPTION 'notification: its workflow or a recipient is outside the bounds of enterprise "%"', NEW.enterprise_id
            USING ERRCODE = 'check_violation', HINT = 'notify.ent_enterprise has the bounds; an administrator sets them.';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER guard_bounds
    AFTER INSERT OR UPDATE OF enterprise_id, notification_workflow_id, recipients ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_bounds();

DROP VIEW notify.my_notifications;
CREATE VIEW notify.my_notifications WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, channels, overrides,
    tags, priority, dedup_key, publish_status, deactivated, scheduled_for, expires_at, notification_status, transaction_id,
    attempt, failure_count, next_attempt_at, retract_requested_at, processed_at, retracted_at, error_details,
    retraction_reason, created_at, updated_at
FROM notify.ent_notification
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON VIEW notify.my_notifications IS 'The notifications of your enterprise.';
DROP VIEW notify.my_workflows;
CREATE VIEW notify.my_workflows WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, description, workflow_type, workflow_key, default_channels, payload_schema,
    template_overrides, publish_status, deactivated, created_at, updated_at
FROM notify.ent_notification_workflow
WHERE enterprise_id = (SELECT notify.current_enterprise())
    OR enterprise_id IS NULL AND (SELECT notify.current_enterprise()) <> '';
COMMENT ON VIEW notify.my_workflows IS 'The workflows of your enterprise, and global rows.';
DROP VIEW notify.my_templates;
CREATE VIEW notify.my_templates WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, template_key, channel_type, subject_template, body_template, variables_description,
    publish_status, deactivated, created_at, updated_at
FROM notify.ent_notification_template
WHERE enterprise_id = (SELECT notify.current_enterprise())
    OR enterprise_id IS NULL AND (SELECT notify.current_enterprise()) <> '';
COMMENT ON VIEW notify.my_templates IS 'The templates of your enterprise, and global rows.';
GRANT SELECT ON notify.my_notifications, notify.my_workflows, notify.my_templates TO xnovu_tenant, xnovu_producer;

DROP TRIGGER forget_check ON notify.ent_notification_workflow;
DROP TRIGGER forget_check ON notify.ent_notification_template;
DROP FUNCTION notify.forget_check;
CREATE OR REPLACE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_notification_workflow
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
CREATE OR REPLACE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_notification_template
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
CREATE OR REPLACE FUNCTION notify.check_template() RETURNS trigger LANGUAGE plpgsql
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

DROP FUNCTION notify.save_template, notify.is_locale, notify.template_uses;
CREATE FUNCTION notify.save_template(
    template_key text,
    channel_type notify.channel_type,
    body_template text,
    subject_template text DEFAULT NULL,
    name text DEFAULT NULL,
    variables_description jsonb DEFAULT '{}',
    publish_status notify.publish_status DEFAULT 'DRAFT',
    deactivated boolean DEFAULT false
) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO notify.ent_notification_template AS kept (enterprise_id, template_key, channel_type, body_template,
        subject_template, name, variables_description, publish_status, deactivated)
    VALUES (notify.require_enterprise(), save_template.template_key, save_template.channel_type,
        save_template.body_template, save_template.subject_template,
        coalesce(save_template.name, save_template.template_key), save_template.variables_description,
        save_template.publish_status, save_template.deactivated)
    ON CONFLICT (enterprise_id, template_key, channel_type) DO UPDATE SET
        body_template = excluded.body_template, subject_template = excluded.subject_template, name = excluded.name,
        variables_description = excluded.variables_description, publish_status = excluded.publish_status,
        deactivated = excluded.deactivated
    RETURNING kept.id
$$;
COMMENT ON FUNCTION notify.save_template IS
    'Insert a template of your enterprise, or replace your template of this key and channel; return its id.';
REVOKE ALL ON FUNCTION notify.save_template FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.save_template TO xnovu_tenant, xnovu_producer;

UPDATE notify.ent_notification_template SET variables_description = defaults,
    template_key = concat_ws('@', template_key, locale);
DROP INDEX notify.ent_notification_template_own, notify.ent_notification_template_global;
CREATE UNIQUE INDEX ent_notification_template_own ON notify.ent_notification_template
    (enterprise_id text_pattern_ops, template_key text_pattern_ops, channel_type);
CREATE UNIQUE INDEX ent_notification_template_global ON notify.ent_notification_template
    (template_key text_pattern_ops, channel_type) WHERE enterprise_id IS NULL;
ALTER TABLE notify.ent_notification_template
    DROP COLUMN locale,
    DROP COLUMN defaults,
    DROP COLUMN format,
    DROP COLUMN trusted,
    DROP COLUMN uses,
    DROP COLUMN checked_status,
    DROP COLUMN checked_error;
COMMENT ON COLUMN notify.ent_notification_template.variables_description IS
    'The variables of the template; each value is the default where the payload has none.';
ALTER TABLE notify.ent_notification_workflow
    DROP COLUMN send_context,
    DROP COLUMN checked_status,
    DROP COLUMN checked_error;
ALTER TABLE notify.ent_notification
    DROP COLUMN locale,
    DROP COLUMN time_zone,
    DROP COLUMN actor,
    DROP COLUMN context,
    DROP COLUMN exclude,
    DROP COLUMN subscribers;
