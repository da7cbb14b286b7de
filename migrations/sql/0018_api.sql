-- The API: the role xnovu_api, its keys, the buckets of its rate limits, and the function that admits a request.
-- What it does with notifications is in 0018_notifications.sql.
SET search_path = pg_catalog, pg_temp;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification_event, notify.pause IN ACCESS EXCLUSIVE MODE;

-- A producer that names the enterprise of each transaction. Roles belong to the whole server, so another database may have
-- made it already.
DO $$
DECLARE
    statement text;
    statements text[] := '{}';
BEGIN
    IF to_regrole('xnovu_api') IS NULL THEN
        statements := ARRAY['CREATE ROLE xnovu_api NOLOGIN;', 'GRANT xnovu_producer TO xnovu_api;'];
    ELSIF NOT pg_has_role('xnovu_api', 'xnovu_producer', 'USAGE') THEN
        statements := ARRAY['GRANT xnovu_producer TO xnovu_api;'];
    END IF;
    IF to_regrole('xnovu_api') IS NULL OR NOT pg_has_role(current_user, 'xnovu_api', 'USAGE') THEN
        statements := statements || format('GRANT xnovu_api TO %I;', current_user);
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

CREATE TABLE notify.api_key (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    prefix TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    enterprise_id TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_by TEXT DEFAULT session_user NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_prefix UNIQUE (prefix),
    CONSTRAINT api_key_prefix_check CHECK (prefix ~ '^[a-z0-9]{12}$'),
    CONSTRAINT api_key_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT api_key_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    CONSTRAINT api_key_name_check CHECK (char_length(name) BETWEEN 1 AND 1000),
    CONSTRAINT api_key_scopes_check CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['send', 'read', 'operate'])
);
COMMENT ON TABLE notify.api_key IS
    'The keys of the API. A key itself is not kept, only its SHA-256. The API''s login cannot read the table. Write it with '
    '`xnovu api key`.';
COMMENT ON COLUMN notify.api_key.id IS 'Primary key.';
COMMENT ON COLUMN notify.api_key.prefix IS 'The part of the key by which it is found and named; no secret.';
COMMENT ON COLUMN notify.api_key.hash IS 'SHA-256 of the secret part, which has 256 random bits.';
COMMENT ON COLUMN notify.api_key.enterprise_id IS 'The enterprise for which the key acts.';
COMMENT ON COLUMN notify.api_key.name IS 'A label for people: who has the key.';
COMMENT ON COLUMN notify.api_key.scopes IS 'What it may do: send, read, operate.';
COMMENT ON COLUMN notify.api_key.created_at IS 'When it was made.';
COMMENT ON COLUMN notify.api_key.created_by IS 'The login that made it.';
COMMENT ON COLUMN notify.api_key.expires_at IS 'It is not accepted from then on; null: it does not expire.';
COMMENT ON COLUMN notify.api_key.last_used_at IS 'When it was last accepted, to the minute; null: never.';
COMMENT ON COLUMN notify.api_key.revoked_at IS 'It is not accepted since then; null: it is not revoked.';

-- UNLOGGED: after a crash all buckets are full, which harms nobody, and no request waits for the disk.
CREATE UNLOGGED TABLE notify.rate_bucket (
    name TEXT COLLATE "C" NOT NULL,
    tokens DOUBLE PRECISION NOT NULL,
    counted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT rate_bucket_pkey PRIMARY KEY (name)
) WITH (fillfactor = 50);
COMMENT ON TABLE notify.rate_bucket IS
    'The token buckets of the API''s rate limits: of each key, each address, and the wrong keys of each address.';
COMMENT ON COLUMN notify.rate_bucket.name IS 'What it limits: `key 17`, `address 192.0.2.1` or `wrong 192.0.2.1`.';
COMMENT ON COLUMN notify.rate_bucket.tokens IS 'How many requests it had left at counted_at.';
COMMENT ON COLUMN notify.rate_bucket.counted_at IS 'When its tokens were counted.';

ALTER TABLE notify.api_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.rate_bucket ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON notify.api_key TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.rate_bucket TO xnovu_worker USING (true) WITH CHECK (true);
GRANT SELECT ON notify.api_key TO xnovu_worker;
GRANT INSERT (prefix, hash, enterprise_id, name, scopes, expires_at), UPDATE (last_used_at, revoked_at)
    ON notify.api_key TO xnovu_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.rate_bucket TO xnovu_worker;

-- The story of a notification needs its incidents. It asks for pauses too, which no tenant may see: there is no policy, so
-- the API finds none.
GRANT SELECT ON notify.alembic_version, notify.ent_notification_event, notify.pause TO xnovu_api;
CREATE POLICY api ON notify.ent_notification_event FOR SELECT TO xnovu_api
    USING (enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))));

CREATE FUNCTION notify.take_token(bucket text, rate double precision, burst double precision) RETURNS double precision
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    left_over double precision;
BEGIN
    INSERT INTO notify.rate_bucket AS b (name, tokens, counted_at) VALUES (bucket, burst - 1, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET counted_at = clock_timestamp(),
        tokens = least(burst, b.tokens + rate * greatest(0, extract(epoch FROM clock_timestamp() - b.counted_at))) - 1
    WHERE b.tokens + rate * greatest(0, extract(epoch FROM clock_timestamp() - b.counted_at)) >= 1
    RETURNING b.tokens INTO left_over;
    IF NOT FOUND THEN
        left_over := (SELECT least(-1e-3, b.tokens - 1 + rate * greatest(0, extract(epoch FROM clock_timestamp() - b.counted_at)))
            FROM notify.rate_bucket AS b WHERE b.name = bucket);
    END IF;
    RETURN coalesce(left_over, -1e-3);
END $$;
COMMENT ON FUNCTION notify.take_token IS
    'Take a token of a bucket that gets `rate` tokens a second and holds `burst`; return how many are left. Below zero: there '
    'was none, and so much of a token is missing.';

-- The comparison is of hashes of both hashes with a random salt, so its time shows nothing of the key's hash.
CREATE FUNCTION notify.admit_request(
    prefix text,
    hash bytea,
    address text,
    key_rate double precision,
    address_rate double precision,
    wrong_rate double precision,
    burst_seconds double precision
) RETURNS TABLE (refusal text, left_over double precision, key_id bigint, enterprise_id text, scopes text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    salt CONSTANT bytea := uuid_send(gen_random_uuid());
    found_key record;
BEGIN
    -- Buckets that are full again. An hour is longer than any needs for that.
    IF random() < 0.001 THEN
        DELETE FROM notify.rate_bucket AS b WHERE b.name = ANY (ARRAY(
            SELECT old.name FROM notify.rate_bucket AS old WHERE old.counted_at < clock_timestamp() - interval '1 hour'
            LIMIT 1000 FOR UPDATE SKIP LOCKED));
    END IF;
    left_over := notify.take_token('address ' || address, address_rate, address_rate * burst_seconds);
    IF left_over < 0 THEN
        refusal := 'address';
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT k.id, k.enterprise_id, k.scopes, k.last_used_at INTO found_key FROM notify.api_key AS k
    WHERE k.prefix = admit_request.prefix AND sha256(salt || k.hash) = sha256(salt || admit_request.hash)
        AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp());
    IF NOT FOUND THEN
        left_over := notify.take_token('wrong ' || address, wrong_rate, greatest(1, wrong_rate * burst_seconds));
        refusal := CASE WHEN left_over < 0 THEN 'wrong' ELSE 'key' END;
        RETURN NEXT;
        RETURN;
    END IF;
    left_over := notify.take_token('key ' || found_key.id, key_rate, key_rate * burst_seconds);
    refusal := CASE WHEN left_over < 0 THEN 'rate' END;
    key_id := found_key.id;
    enterprise_id := found_key.enterprise_id;
    scopes := found_key.scopes;
    IF coalesce(found_key.last_used_at < clock_timestamp() - interval '1 minute', true) THEN
        -- Never wait for another request that writes the same.
        UPDATE notify.api_key AS k SET last_used_at = clock_timestamp()
        WHERE k.id = (SELECT used.id FROM notify.api_key AS used WHERE used.id = found_key.id FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION notify.admit_request IS
    'Find the key of a request to the API, and take a token of its buckets. `refusal` is null if it may go on; else `key` (no '
    'such key), or the bucket that is empty: `address`, `wrong` or `rate`.';

CREATE FUNCTION notify.count_workflows() RETURNS TABLE (workflow_type notify.workflow_type, number bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.workflow_type, count(*) FROM notify.ent_notification_workflow AS w
    WHERE w.publish_status = 'PUBLISH' AND NOT w.deactivated GROUP BY w.workflow_type
$$;
COMMENT ON FUNCTION notify.count_workflows IS 'How many workflows of each type are published, of all enterprises, for the health of the API.';

REVOKE ALL ON FUNCTION notify.take_token, notify.admit_request, notify.count_workflows FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.admit_request, notify.count_workflows TO xnovu_api;
