-- Templates: their language, defaults and format, the layouts and partials that each uses, and the result of a check. What
-- `variables_description` held were defaults; from now on it describes them.
SET search_path = pg_catalog, pg_temp;

-- Writers of templates wait for this file: less than a second for 10,000 templates of 10 KB.
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification_template IN ACCESS EXCLUSIVE MODE;

ALTER TABLE notify.ent_notification_template
    ADD COLUMN locale TEXT,
    ADD COLUMN defaults JSONB DEFAULT '{}'::jsonb NOT NULL
        CONSTRAINT ent_notification_template_defaults_check CHECK (jsonb_typeof(defaults) = 'object'),
    ADD COLUMN format TEXT
        CONSTRAINT ent_notification_template_format_check CHECK (format IN ('html', 'text')),
    ADD COLUMN trusted BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN uses TEXT[],
    ADD COLUMN checked_status TEXT
        CONSTRAINT ent_notification_template_checked_check CHECK (checked_status IN ('OK', 'WARNING', 'ERROR')),
    ADD COLUMN checked_error TEXT;
COMMENT ON COLUMN notify.ent_notification_template.locale IS
    'Its language, such as de or de_CH; null: any. A text in de_CH is looked for as de_CH, then de, then null.';
COMMENT ON COLUMN notify.ent_notification_template.defaults IS
    'Values for names that neither the payload nor we give. 64 KB at most.';
COMMENT ON COLUMN notify.ent_notification_template.variables_description IS
    'What each variable means, for people; nothing reads it.';
COMMENT ON COLUMN notify.ent_notification_template.format IS
    'html or text; null: html for EMAIL, text for the others. Only EMAIL and IN_APP show HTML.';
COMMENT ON COLUMN notify.ent_notification_template.trusted IS
    'Whether the filter n may write HTML that is not escaped, only sanitised. An administrator sets it.';
COMMENT ON COLUMN notify.ent_notification_template.uses IS
    'The keys of the layouts and partials that its subject and body may name; a trigger sets it.';
COMMENT ON COLUMN notify.ent_notification_template.checked_status IS
    'The result of the check after its last change: OK, WARNING or ERROR; null: not checked yet.';
COMMENT ON COLUMN notify.ent_notification_template.checked_error IS 'What the check found, in a sentence.';

-- A column of its own and no generated one: that would write every row anew, while all writers wait.
CREATE FUNCTION notify.template_uses(subject text, body text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN coalesce(subject, '') || body LIKE '%<\%i%' THEN (
        SELECT array_agg(key) FROM (
            SELECT DISTINCT coalesce(found[1], found[2]) COLLATE "C" AS key
            FROM regexp_matches(coalesce(subject, '') || body, 'file\s*=\s*(?:"([^"]{1,255})"|''([^'']{1,255})'')', 'g') AS found
            ORDER BY key LIMIT 64
        ) AS named) END
$$;
COMMENT ON FUNCTION notify.template_uses IS
    'Return the keys that a subject and a body may name by <%inherit file="…"/> and <%include file="…"/>, 64 at most: some of them may be '
    'mere text.';

-- What a template held as descriptions were its defaults; workers of the version before still read them there. And a draft may
-- have been written for layouts beforehand. The triggers would take most of the time, and change nothing.
ALTER TABLE notify.ent_notification_template DISABLE TRIGGER USER;
UPDATE notify.ent_notification_template SET defaults = variables_description WHERE variables_description <> '{}';
UPDATE notify.ent_notification_template SET uses = notify.template_uses(subject_template, body_template)
WHERE coalesce(subject_template, '') || body_template LIKE '%<\%i%';
ALTER TABLE notify.ent_notification_template ENABLE TRIGGER USER;

-- The lengths are those that templates/ accepts, or a template could be written and never be sent.
CREATE OR REPLACE FUNCTION notify.check_template() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_new CONSTANT boolean := TG_OP = 'INSERT';
    fault text[];
BEGIN
    IF is_new THEN
        PERFORM notify.check_enterprise(NEW.enterprise_id);
    END IF;
    NEW.locale := replace(NEW.locale, '-', '_');
    fault := CASE
        WHEN octet_length(NEW.enterprise_id) NOT BETWEEN 1 AND 255
                AND (is_new OR NEW.enterprise_id IS DISTINCT FROM OLD.enterprise_id)
            THEN ARRAY['enterprise', 'enterprise_id does not have 1 to 255 bytes', 'Null is for all enterprises.']
        WHEN coalesce(char_length(NEW.name), 1001) > 1000 AND (is_new OR NEW.name IS DISTINCT FROM OLD.name)
            THEN ARRAY['name', 'name is null or longer than 1000 characters', 'It is a label for people.']
        WHEN coalesce(octet_length(NEW.template_key), 0) NOT BETWEEN 1 AND 255
                AND (is_new OR NEW.template_key IS DISTINCT FROM OLD.template_key)
            THEN ARRAY['key', 'template_key does not have 1 to 255 bytes', 'A workflow names the template by this key.']
        WHEN NOT notify.is_locale(NEW.locale)
            THEN ARRAY['locale', 'locale is no language', 'Write for example de or de_CH; null is for any.']
        WHEN char_length(NEW.subject_template) > 4000
                AND (is_new OR NEW.subject_template IS DISTINCT FROM OLD.subject_template)
            THEN ARRAY['subject', 'subject_template is longer than 4000 characters', 'A subject is a single line.']
        WHEN NEW.channel_type = 'EMAIL' AND coalesce(octet_length(NEW.body_template), 262145) > 262144
                AND (is_new OR NEW.body_template IS DISTINCT FROM OLD.body_template)
            THEN ARRAY['body', 'body_template is null or longer than 262144 bytes', 'Link to images instead of embedding them.']
        WHEN NEW.channel_type <> 'EMAIL' AND coalesce(char_length(NEW.body_template), 65537) > 65536
                AND (is_new OR NEW.body_template IS DISTINCT FROM OLD.body_template)
            THEN ARRAY['body', 'body_template is null or longer than 65536 characters', 'Link to images instead of embedding them.']
        WHEN (coalesce(jsonb_typeof(NEW.defaults), '') <> 'object' OR octet_length(NEW.defaults::text) > 65536)
                AND (is_new OR NEW.defaults IS DISTINCT FROM OLD.defaults)
            THEN ARRAY['defaults', 'defaults is not a JSON object of at most 65536 bytes',
                'Write an object: {"name": "the default value"}.']
        WHEN (coalesce(jsonb_typeof(NEW.variables_description), '') <> 'object'
                OR octet_length(NEW.variables_description::text) > 65536)
                AND (is_new OR NEW.variables_description IS DISTINCT FROM OLD.variables_description)
            THEN ARRAY['variables', 'variables_description is not a JSON object of at most 65536 bytes',
                'Write an object: {"name": "what it means"}.']
        WHEN NEW.format NOT IN ('html', 'text')
            THEN ARRAY['format', 'format is neither html nor text', 'Null is for the usual format of the channel.']
        WHEN NEW.format = 'html' AND NEW.channel_type NOT IN ('EMAIL', 'IN_APP')
                OR NEW.format = 'text' AND NEW.channel_type = 'EMAIL'
            THEN ARRAY['format', format('%s has no format %s', NEW.channel_type, NEW.format),
                'EMAIL is html, IN_APP is html or text, the others are text.']
        END;
    IF fault IS NOT NULL THEN
        PERFORM notify.refuse(format('ent_notification_template_%s_check', fault[1]), 'template: ' || fault[2], fault[3]);
    END IF;
    IF is_new OR (NEW.subject_template, NEW.body_template, NEW.uses)
            IS DISTINCT FROM (OLD.subject_template, OLD.body_template, OLD.uses) THEN
        NEW.uses := notify.template_uses(NEW.subject_template, NEW.body_template);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.check_template IS
    'Trigger: refuse in a sentence a template that is too large, or has no key; set uses.';

CREATE FUNCTION notify.is_locale(name text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT is_locale.name ~ '^[a-z]{2,3}([_-][A-Z][a-z]{3})?([_-]([A-Z]{2}|[0-9]{3}))?$'
$$;
COMMENT ON FUNCTION notify.is_locale IS 'Whether a text is a language, with its script and country if any: de, de_CH, zh_Hant_TW.';

-- The check's own columns do not count as a change.
CREATE FUNCTION notify.forget_check() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.checked_status := NULL;
    NEW.checked_error := NULL;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.forget_check IS 'Trigger: forget the result of the check when the row changes.';
CREATE OR REPLACE TRIGGER keep_updated_at
    BEFORE INSERT OR UPDATE OF enterprise_id, name, template_key, channel_type, locale, subject_template, body_template,
        variables_description, defaults, format, trusted, uses, publish_status, deactivated, created_at, updated_at
    ON notify.ent_notification_template
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
CREATE TRIGGER forget_check
    BEFORE INSERT OR UPDATE OF enterprise_id, template_key, channel_type, locale, subject_template, body_template, defaults,
        format, trusted, publish_status, deactivated
    ON notify.ent_notification_template
    FOR EACH ROW EXECUTE FUNCTION notify.forget_check();

-- A key has a row for each language.
DROP INDEX notify.ent_notification_template_own, notify.ent_notification_template_global;
CREATE UNIQUE INDEX ent_notification_template_own ON notify.ent_notification_template
    (enterprise_id text_pattern_ops, template_key text_pattern_ops, channel_type, (coalesce(locale, '')) text_pattern_ops);
CREATE UNIQUE INDEX ent_notification_template_global ON notify.ent_notification_template
    (template_key text_pattern_ops, channel_type, (coalesce(locale, '')) text_pattern_ops) WHERE enterprise_id IS NULL;

CREATE OR REPLACE VIEW notify.my_templates WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, template_key, channel_type, subject_template, body_template, variables_description,
    publish_status, deactivated, created_at, updated_at, locale, defaults, format, trusted, checked_status, checked_error
FROM notify.ent_notification_template
WHERE enterprise_id = (SELECT notify.current_enterprise())
    OR enterprise_id IS NULL AND (SELECT notify.current_enterprise()) <> '';
-- A column means the same in a view as in its table.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('COMMENT ON COLUMN notify.my_templates.%I IS %L', seen.attname,
            col_description(origin.attrelid, origin.attnum))
        FROM pg_attribute AS seen
        JOIN pg_attribute AS origin ON origin.attname = seen.attname
            AND origin.attrelid = 'notify.ent_notification_template'::regclass
        WHERE seen.attrelid = 'notify.my_templates'::regclass
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

DROP FUNCTION notify.save_template;
CREATE FUNCTION notify.save_template(
    template_key text,
    channel_type notify.channel_type,
    body_template text,
    subject_template text DEFAULT NULL,
    name text DEFAULT NULL,
    variables_description jsonb DEFAULT '{}',
    publish_status notify.publish_status DEFAULT 'DRAFT',
    deactivated boolean DEFAULT false,
    locale text DEFAULT NULL,
    defaults jsonb DEFAULT '{}',
    format text DEFAULT NULL
) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO notify.ent_notification_template AS kept (enterprise_id, template_key, channel_type, body_template,
        subject_template, name, variables_description, publish_status, deactivated, locale, defaults, format)
    VALUES (notify.require_enterprise(), save_template.template_key, save_template.channel_type,
        save_template.body_template, save_template.subject_template,
        coalesce(save_template.name, save_template.template_key), save_template.variables_description,
        save_template.publish_status, save_template.deactivated, save_template.locale, save_template.defaults,
        save_template.format)
    ON CONFLICT (enterprise_id, template_key, channel_type, coalesce(locale, '')) DO UPDATE SET
        body_template = excluded.body_template, subject_template = excluded.subject_template, name = excluded.name,
        variables_description = excluded.variables_description, publish_status = excluded.publish_status,
        deactivated = excluded.deactivated, defaults = excluded.defaults, format = excluded.format
    RETURNING kept.id
$$;
COMMENT ON FUNCTION notify.save_template IS
    'Insert a template of your enterprise, or replace your template of this key, channel and locale; return its id.';

-- The functions that a trigger calls with the writer's rights stay open to PUBLIC, as in 0003_rights.sql: they read no table.
REVOKE ALL ON FUNCTION notify.save_template, notify.forget_check FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.save_template TO xnovu_tenant, xnovu_producer;
GRANT INSERT (locale, defaults, format), UPDATE (locale, defaults, format)
    ON notify.ent_notification_template TO xnovu_producer;
