-- The configuration is part of every read of a core: what was read under one is not written under
-- the next.

-- Moves with each change of what is synced, and how; `version` moves with every change, and programs
-- open their cores anew by it. What one began with is what a write is compared with, and what an id
-- decided is remembered with.
ALTER TABLE sync_configs ADD COLUMN synced_version bigint NOT NULL DEFAULT 1;
-- Where `version` stands: what was remembered under it stays good.
ALTER TABLE sync_configs DISABLE TRIGGER stamp_sync_config;
UPDATE sync_configs SET synced_version = version;
ALTER TABLE sync_configs ENABLE TRIGGER stamp_sync_config;

-- The lock on a campus's configuration: held shared by whoever writes members, until the commit, and
-- alone by whoever changes what is synced. An advisory lock and not one on the row: writers come one
-- after another without a gap, and share locks of rows let them overtake a change that waits for ever.
CREATE FUNCTION sync_config_lock(campus uuid) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended('sync configuration of ' || campus::text, 0)
$$;

-- What is not named here counts as synced: a column that is added later can only be too careful.
CREATE OR REPLACE FUNCTION stamp_sync_config() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    outcome CONSTANT text[] := '{last_sync_at,last_sync_status,last_sync_message}';
    beside CONSTANT text[] := '{webhook_secret_sealed,webhook_secret_set_at,previous_secret_sealed,
        previous_secret_expires_at,api_password_sealed,rate_limit,reconciliation_enabled,
        reconciliation_time,reconcile_every,updated_at,version}';
    was jsonb := to_jsonb(OLD) - outcome;
    becomes jsonb := to_jsonb(NEW) - outcome;
BEGIN
    IF becomes IS DISTINCT FROM was THEN
        NEW.version := OLD.version + 1;
        NEW.updated_at := now();
    END IF;
    IF becomes - beside IS DISTINCT FROM was - beside THEN
        PERFORM pg_advisory_xact_lock(sync_config_lock(OLD.campus_id));
        NEW.synced_version := OLD.synced_version + 1;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION lock_deleted_sync_config() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(sync_config_lock(OLD.campus_id));
    RETURN OLD;
END $$;
CREATE TRIGGER lock_deleted_sync_config BEFORE DELETE ON sync_configs
    FOR EACH ROW EXECUTE FUNCTION lock_deleted_sync_config();

-- Birthdays begin at midnight there. Whoever changes a campus need have no right to its sync.
CREATE FUNCTION stamp_time_zone() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE sync_configs SET synced_version = synced_version + 1 WHERE campus_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_time_zone AFTER UPDATE OF timezone ON campuses
    FOR EACH ROW WHEN (NEW.timezone IS DISTINCT FROM OLD.timezone) EXECUTE FUNCTION stamp_time_zone();

-- The configuration that an event was decided under: `filtered` is an answer of that one alone.
ALTER TABLE webhook_logs ADD COLUMN config_version bigint;

-- Whoever is active has neither a reason nor a date of an archive. One that was left standing would make
-- the next archive, by a person, look like one of ours.
CREATE FUNCTION forget_lifted_archive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.archived_at := NULL;
    NEW.archived_reason := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER forget_lifted_archive BEFORE INSERT OR UPDATE ON members
    FOR EACH ROW WHEN (NOT NEW.is_archived AND (NEW.archived_at IS NOT NULL OR NEW.archived_reason IS NOT NULL))
    EXECUTE FUNCTION forget_lifted_archive();
UPDATE members SET archived_at = NULL, archived_reason = NULL
    WHERE NOT is_archived AND (archived_at IS NOT NULL OR archived_reason IS NOT NULL);
