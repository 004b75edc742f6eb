-- A paused campus: its webhooks are accepted and wait, nothing of it is fetched or written.
ALTER TABLE sync_configs
    ADD COLUMN paused_at timestamptz, -- null: it is not
    ADD COLUMN paused_by text;

-- What was decided stays good over a pause: it is no change of what is synced. Who writes members looks at `paused_at` in the
-- claim, under the lock that a pause waits for; so nothing is written of what was read before it.
CREATE OR REPLACE FUNCTION stamp_sync_config() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    outcome CONSTANT text[] := '{last_sync_at,last_sync_status,last_sync_message}';
    beside CONSTANT text[] := '{webhook_secret_sealed,webhook_secret_set_at,previous_secret_sealed,
        previous_secret_expires_at,api_password_sealed,rate_limit,reconciliation_enabled,
        reconciliation_time,reconcile_every,paused_at,paused_by,updated_at,version}';
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
    ELSIF NEW.paused_at IS DISTINCT FROM OLD.paused_at THEN
        PERFORM pg_advisory_xact_lock(sync_config_lock(OLD.campus_id));
    END IF;
    RETURN NEW;
END $$;
