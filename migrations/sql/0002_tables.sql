-- Two tables that only an administrator writes: which enterprise a tenant's login is bound to, and the facts about an
-- enterprise, with the bounds of what it may address at Novu.
SET search_path = pg_catalog, pg_temp;

CREATE TABLE notify.tenant_login (
    login TEXT COLLATE "C" NOT NULL,
    enterprise_id TEXT NOT NULL,
    login_oid OID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT tenant_login_pkey PRIMARY KEY (login),
    CONSTRAINT tenant_login_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255)
);
CREATE INDEX tenant_login_oid ON notify.tenant_login (login_oid);
COMMENT ON TABLE notify.tenant_login IS
    'The logins that tenants hold, each bound to one enterprise, even if it sets app.current_enterprise_id. Only the '
    'owner of the schema and superusers write it. A login of xnovu_tenant without a row sees nothing.';
COMMENT ON COLUMN notify.tenant_login.login IS 'Name of the login, exactly as in pg_roles.';
COMMENT ON COLUMN notify.tenant_login.enterprise_id IS 'The only enterprise that the login can see and write for.';
COMMENT ON COLUMN notify.tenant_login.login_oid IS
    'The role that had this name when it was bound; a trigger sets it. If the login is renamed or made anew, or the '
    'database restored elsewhere, the login sees nothing until UPDATE notify.tenant_login SET login = ''…'' binds it again.';
COMMENT ON COLUMN notify.tenant_login.created_at IS 'When the login was bound.';

CREATE FUNCTION notify.bind_login() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.login_oid := to_regrole(quote_ident(NEW.login));
    IF NEW.login_oid IS NULL THEN
        RAISE EXCEPTION 'login "%": there is no role of this name', NEW.login
            USING ERRCODE = 'undefined_object', HINT = 'Write the name exactly as pg_roles has it, without quotes.';
    END IF;
    -- The worker's rights reach all rows, so a binding would promise what does not hold.
    IF pg_has_role(NEW.login_oid, 'xnovu_worker', 'MEMBER') THEN
        RAISE EXCEPTION 'login "%": it has the rights of xnovu_worker, so no enterprise bounds it', NEW.login
            USING ERRCODE = 'check_violation', HINT = 'Revoke xnovu_worker from it first; no superuser can be bound.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.bind_login IS
    'Trigger: remember which role has the name of the login; refuse a login that no enterprise can bound.';
CREATE TRIGGER bind_login BEFORE INSERT OR UPDATE ON notify.tenant_login
    FOR EACH ROW EXECUTE FUNCTION notify.bind_login();

CREATE TABLE notify.ent_enterprise (
    enterprise_id TEXT COLLATE "C" NOT NULL,
    name TEXT,
    locale TEXT,
    time_zone TEXT,
    brand JSONB DEFAULT '{}'::jsonb NOT NULL,
    subscriber_prefix TEXT,
    topic_prefix TEXT,
    workflow_keys TEXT[],
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT ent_enterprise_pkey PRIMARY KEY (enterprise_id),
    CONSTRAINT ent_enterprise_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    CONSTRAINT ent_enterprise_brand_check CHECK (jsonb_typeof(brand) = 'object'),
    CONSTRAINT ent_enterprise_prefix_check CHECK (subscriber_prefix <> '' AND topic_prefix <> ''),
    CONSTRAINT ent_enterprise_workflow_keys_check CHECK (array_position(workflow_keys, NULL) IS NULL)
);
COMMENT ON TABLE notify.ent_enterprise IS
    'The facts about an enterprise. Its subscribers, topics and workflow keys share one namespace at Novu with those of '
    'all enterprises: the last three columns bound it to its own. No row: no bounds.';
COMMENT ON COLUMN notify.ent_enterprise.enterprise_id IS 'The enterprise.';
COMMENT ON COLUMN notify.ent_enterprise.name IS 'Name for people.';
COMMENT ON COLUMN notify.ent_enterprise.locale IS 'Language of its recipients, such as de-CH; null: the default.';
COMMENT ON COLUMN notify.ent_enterprise.time_zone IS 'Time zone of its recipients, such as Europe/Zurich; null: the default.';
COMMENT ON COLUMN notify.ent_enterprise.brand IS 'Values for its templates: logo, colours, addresses.';
COMMENT ON COLUMN notify.ent_enterprise.subscriber_prefix IS
    'The beginning of each subscriber id that it may address; null: any.';
COMMENT ON COLUMN notify.ent_enterprise.topic_prefix IS 'The beginning of each topic key that it may address; null: any.';
COMMENT ON COLUMN notify.ent_enterprise.workflow_keys IS
    'The workflow keys that its own workflows may have; null: any. Global workflows are always allowed.';
COMMENT ON COLUMN notify.ent_enterprise.created_at IS 'When the row was inserted.';
COMMENT ON COLUMN notify.ent_enterprise.updated_at IS 'When the row was last written; a trigger sets it.';
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_enterprise
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
