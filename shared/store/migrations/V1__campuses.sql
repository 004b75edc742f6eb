-- Campuses and how each is synced. FaithTracker's own tables have more columns in a full
-- installation; these are the ones that the member sync relies on.

CREATE TABLE campuses (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text NOT NULL,
    timezone   text NOT NULL DEFAULT 'UTC',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sync_configs (
    campus_id                  uuid PRIMARY KEY REFERENCES campuses (id) ON DELETE CASCADE,
    core_church_id             text NOT NULL UNIQUE CHECK (core_church_id <> ''),
    api_base_url               text NOT NULL,
    api_path_prefix            text NOT NULL DEFAULT '/api',
    api_login_path             text NOT NULL DEFAULT '/auth/login',
    api_members_path           text NOT NULL DEFAULT '/members/',
    api_email                  text NOT NULL,
    api_password_sealed        bytea NOT NULL,
    webhook_secret_sealed      bytea NOT NULL,
    webhook_secret_set_at      timestamptz NOT NULL DEFAULT now(),
    previous_secret_sealed     bytea,
    previous_secret_expires_at timestamptz,
    is_enabled                 boolean NOT NULL DEFAULT true,
    filter_mode                text NOT NULL DEFAULT 'include' CHECK (filter_mode IN ('include', 'exclude')),
    filter_rules               jsonb NOT NULL DEFAULT '[]',
    rate_limit                 integer CHECK (rate_limit > 0), -- events a second; null: no limit
    reconciliation_enabled     boolean NOT NULL DEFAULT true,
    reconciliation_time        time NOT NULL DEFAULT '03:00',  -- in the campus's time zone
    archive_limit              integer NOT NULL DEFAULT 5 CHECK (archive_limit BETWEEN 0 AND 100), -- percent
    default_country            text NOT NULL DEFAULT 'ID',     -- for phone numbers without a country
    last_sync_at               timestamptz,
    last_sync_status           text,
    last_sync_message          text,
    updated_at                 timestamptz NOT NULL DEFAULT now(),
    version                    bigint NOT NULL DEFAULT 1       -- of the configuration, not of last_sync_*
);

-- A webhook is looked up by church id first and campus id second: a church id that is another
-- campus's id would take that campus's webhooks.
CREATE FUNCTION refuse_ambiguous_church_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM campuses WHERE id::text = NEW.core_church_id AND id <> NEW.campus_id) THEN
        RAISE EXCEPTION 'core_church_id % is the id of another campus', NEW.core_church_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_ambiguous_church_id BEFORE INSERT OR UPDATE OF core_church_id ON sync_configs
    FOR EACH ROW EXECUTE FUNCTION refuse_ambiguous_church_id();

CREATE FUNCTION refuse_ambiguous_campus_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM sync_configs WHERE core_church_id = NEW.id::text AND campus_id <> NEW.id) THEN
        RAISE EXCEPTION 'campus id % is the core_church_id of another campus', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_ambiguous_campus_id BEFORE INSERT OR UPDATE OF id ON campuses
    FOR EACH ROW EXECUTE FUNCTION refuse_ambiguous_campus_id();

-- A change of what a program reads moves the version and is told to whoever listens. NOTIFY takes
-- a global lock at commit, so nothing that happens for each event may do this.
CREATE FUNCTION stamp_sync_config() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - '{last_sync_at,last_sync_status,last_sync_message}'::text[]
        IS DISTINCT FROM to_jsonb(OLD) - '{last_sync_at,last_sync_status,last_sync_message}'::text[] THEN
        NEW.version := OLD.version + 1;
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stamp_sync_config BEFORE UPDATE ON sync_configs
    FOR EACH ROW EXECUTE FUNCTION stamp_sync_config();

CREATE FUNCTION tell_campus_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('campus_changed', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_campus_changed
    AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF
        core_church_id, api_base_url, api_path_prefix, api_login_path, api_members_path, api_email,
        api_password_sealed, webhook_secret_sealed, previous_secret_sealed,
        previous_secret_expires_at, is_enabled, filter_mode, filter_rules, rate_limit,
        reconciliation_enabled, reconciliation_time, archive_limit, default_country
    ON sync_configs FOR EACH STATEMENT EXECUTE FUNCTION tell_campus_changed();
CREATE TRIGGER tell_campus_changed AFTER INSERT OR UPDATE OR DELETE ON campuses
    FOR EACH STATEMENT EXECUTE FUNCTION tell_campus_changed();

-- The core's access token, shared by all workers of an installation (one login for all).
CREATE TABLE core_tokens (
    campus_id    uuid PRIMARY KEY REFERENCES campuses (id) ON DELETE CASCADE,
    token_sealed bytea,                        -- null: log in
    version      bigint NOT NULL DEFAULT 0,    -- moves with every new token, never back
    obtained_at  timestamptz,
    expires_at   timestamptz,
    lease_until  timestamptz,                  -- someone is logging in until then at the latest
    not_before   timestamptz                   -- no login before: the last one was refused
);

-- Logins of the last minute to each core host, failed ones included: the core allows five.
CREATE TABLE core_logins (
    host         text NOT NULL,
    attempted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON core_logins (host, attempted_at);
