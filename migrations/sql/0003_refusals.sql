-- How the schema refuses a value: in a sentence that names the column, the rule and the way out. PostgreSQL's own
-- errors print the whole row, with its payload.
SET search_path = pg_catalog, pg_temp;

-- VOLATILE, although it only raises: the planner would evaluate an immutable call with constants when it plans.
CREATE FUNCTION notify.refuse(rule text, sentence text, hint text) RETURNS boolean LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% (%)', refuse.sentence, refuse.rule
        USING ERRCODE = 'check_violation', SCHEMA = 'notify', CONSTRAINT = refuse.rule, HINT = refuse.hint;
END $$;
COMMENT ON FUNCTION notify.refuse IS
    'Raise check_violation in a sentence that prints no row. It never returns; boolean, so that a CHECK can call it.';

-- The domains keep their rules: these hold even where triggers are off. NOT VALID, so that no table is read: the
-- rows that are there satisfy the same rules.
ALTER DOMAIN notify.payload DROP CONSTRAINT ent_notification_payload_check;
ALTER DOMAIN notify.payload ADD CONSTRAINT ent_notification_payload_check
    CHECK (VALUE IS NULL OR jsonb_typeof(VALUE) = 'object' OR notify.refuse('ent_notification_payload_check',
        'notification: payload is not a JSON object', 'Write an object: {"order": 42}.')) NOT VALID;
ALTER DOMAIN notify.recipients DROP CONSTRAINT ent_notification_recipients_check;
ALTER DOMAIN notify.recipients ADD CONSTRAINT ent_notification_recipients_check
    CHECK (VALUE IS NULL OR cardinality(VALUE) > 0 AND array_position(VALUE, NULL) IS NULL AND '' <> ALL (VALUE)
        OR notify.refuse('ent_notification_recipients_check',
            'notification: recipients is an empty list, or one of them is null or empty',
            'Name at least one subscriber id, or topic:KEY.')) NOT VALID;

-- Novu trims ids, drops what it cannot use without an error, and refuses a whole event for an empty topic. So trim here,
-- and refuse every text that is no id. The blanks are Unicode's, with the marks that people cannot see and copy along.
CREATE FUNCTION notify.read_recipients(given text[], OUT usable text[], OUT fault text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    blanks CONSTANT text := E' \t\n\x0b\f\r' || U&'\0085\00A0\00AD\1680\180E\2000\2001\2002\2003\2004\2005\2006\2007'
        || U&'\2008\2009\200A\200B\200C\200D\200E\200F\2028\2029\202F\205F\2060\3000\FEFF';
BEGIN
    IF coalesce(cardinality(given), 0) = 0 THEN
        fault := 'is an empty list';
        RETURN;
    ELSIF cardinality(given) > 10000 THEN
        fault := format('has %s entries, more than 10000', cardinality(given));
        RETURN;
    -- Plain ids, each once: by far the most frequent list needs no closer look.
    ELSIF array_ndims(given) = 1 AND array_lower(given, 1) = 1
        AND array_to_string(given, ' ', '') ~ '^[A-Za-z0-9@._|+-]+( [A-Za-z0-9@._|+-]+)*$'
        AND (SELECT count(DISTINCT r COLLATE "C") = cardinality(given) AND max(octet_length(r)) <= 255
            FROM unnest(given) AS listed (r))
    THEN
        usable := given;
        RETURN;
    END IF;
    SELECT array_agg(entry ORDER BY position),
        (array_agg(format('number %s %s', position, problem) ORDER BY position) FILTER (WHERE problem IS NOT NULL))[1]
    INTO usable, fault
    FROM (
        -- Each recipient once, at its first place.
        SELECT entry, min(place) AS position, CASE
            WHEN entry IS NULL THEN 'is null'
            WHEN entry = '' THEN 'is blank'
            WHEN entry = 'topic:' THEN 'is a topic without a key'
            WHEN octet_length(entry) > 255 THEN 'is longer than 255 bytes'
            WHEN entry ~ U&'[\0001-\001F\007F-\009F\2028\2029]' THEN 'has a line break or another control character inside'
            WHEN entry ~ '^([[{]\s*(["[{]|[]}]$)|\[object |".*"$)' THEN 'is JSON or an object as text'
        END AS problem
        FROM (
            SELECT place, CASE WHEN starts_with(trimmed, 'topic:') THEN 'topic:' || btrim(substr(trimmed, 7), blanks)
                ELSE trimmed END AS entry
            FROM (
                SELECT ordinality AS place, btrim(recipient, blanks) AS trimmed
                FROM unnest(given) WITH ORDINALITY AS listed (recipient, ordinality)
            ) AS listed
        ) AS entries
        GROUP BY entry
    ) AS distinct_entries;
    IF fault IS NOT NULL THEN
        usable := NULL;
    END IF;
END $$;
COMMENT ON FUNCTION notify.read_recipients IS
    'Return recipients trimmed, each once and in order; or null, and the fault of the first that is unusable.';

-- Without it, a session that forgot its enterprise would hear that its workflow does not exist, or that a policy
-- refuses the row.
CREATE FUNCTION notify.check_enterprise(enterprise_id text) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named text;
BEGIN
    IF check_enterprise.enterprise_id IS NULL OR NOT row_security_active('notify.ent_notification')
        OR NOT pg_has_role(current_user, 'xnovu_producer', 'USAGE') OR pg_has_role(current_user, 'xnovu_worker', 'USAGE')
    THEN
        RETURN;
    END IF;
    named := NULLIF(notify.named_enterprise(), '');
    IF named IS DISTINCT FROM check_enterprise.enterprise_id THEN
        RAISE EXCEPTION 'enterprise "%": this session acts for % (row-level security)', check_enterprise.enterprise_id,
            coalesce('the enterprise "' || named || '"', 'no enterprise')
            USING ERRCODE = 'insufficient_privilege',
                HINT = 'First run SELECT set_config(''app.current_enterprise_id'', ''<the enterprise>'', true) '
                    'in the same transaction.';
    END IF;
END $$;
COMMENT ON FUNCTION notify.check_enterprise IS
    'Raise an error if a producer acts for another enterprise, or for none.';
