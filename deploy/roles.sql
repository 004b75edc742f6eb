-- One role for each program, with the least rights it works with. Idempotent; applied after
-- `faithctl migrate` by the owner of the tables:
--
--     psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f deploy/roles.sql
--
-- `faithctl doctor` reads the grants below, and names those that are missing.
-- The roles have no password yet: ALTER ROLE faith_gateway PASSWORD '…'; and so on.

-- All or nothing: the rights are taken before they are given, and running programs must not notice.
BEGIN;
-- One at a time: two that grant on one table at the same moment fail.
SELECT pg_advisory_xact_lock(hashtext('faithtracker member sync roles'));

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['faith_gateway', 'faith_worker', 'faith_reconciler', 'faith_console',
                              'faith_admin'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- it exists, or someone makes it at this moment
        END;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO faith_gateway, faith_worker, faith_reconciler, faith_console, faith_admin;

-- Start from nothing, so that a right taken out of this file is taken away.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM faith_gateway, faith_worker, faith_reconciler, faith_console, faith_admin;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM faith_gateway, faith_worker, faith_reconciler, faith_console, faith_admin;

-- The gateway reads secrets and switches, and no member at all.
GRANT SELECT (campus_id, core_church_id, webhook_secret_sealed, webhook_secret_set_at,
              previous_secret_sealed, previous_secret_expires_at, is_enabled, rate_limit, version)
    ON sync_configs TO faith_gateway;

-- Who changed what: entries are added, and their moment and role are Postgres's own word. faithctl reads them; a worker
-- adds those of operations, a reconciler those of runs that somebody asked for. Nobody changes or deletes one: the
-- reconciler forgets what is old, and an erasure takes a member's id out, each by a function that can do only that.
GRANT INSERT (id, who, via, address, action, campus_id, subject, result, operation_id)
    ON operator_log TO faith_worker, faith_reconciler, faith_console, faith_admin;
GRANT EXECUTE ON FUNCTION forget_operator_log(interval) TO faith_reconciler;
GRANT EXECUTE ON FUNCTION erase_from_operator_log(uuid, text) TO faith_admin;

-- Each program tells that it runs, in rows of its own.
GRANT SELECT, INSERT, UPDATE ON instances TO faith_gateway, faith_worker, faith_reconciler, faith_console;
ALTER TABLE instances ENABLE ROW LEVEL SECURITY;
DO $$
DECLARE
    program text;
BEGIN
    FOREACH program IN ARRAY ARRAY['gateway', 'worker', 'reconciler', 'console'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON instances', program || '_rows');
        EXECUTE format('CREATE POLICY %I ON instances TO %I USING (program = %L)',
                       program || '_rows', 'faith_' || program, program);
    END LOOP;
END $$;
DROP POLICY IF EXISTS read_all ON instances;
CREATE POLICY read_all ON instances FOR SELECT TO faith_reconciler, faith_console, faith_admin USING (true);
DROP POLICY IF EXISTS forget ON instances;
CREATE POLICY forget ON instances FOR DELETE TO faith_reconciler USING (true);
-- What it could not take, of whichever campus, without reading any.
GRANT EXECUTE ON FUNCTION note_intake_gap(uuid, timestamptz, timestamptz, bigint) TO faith_gateway;
GRANT EXECUTE ON FUNCTION prolong_intake_gaps() TO faith_gateway;
GRANT EXECUTE ON FUNCTION note_silent_gateways(uuid) TO faith_gateway, faith_reconciler;
-- For its metrics: moments, and what campuses are called.
GRANT EXECUTE ON FUNCTION oldest_retrying_event_age() TO faith_gateway;
GRANT EXECUTE ON FUNCTION events_taken_until() TO faith_gateway;
GRANT EXECUTE ON FUNCTION campus_names() TO faith_gateway;

-- The worker and the reconciler write the synced columns of members, and nothing else of them:
-- engagement, contact, notes and care events are FaithTracker's. Webhook secrets are the gateway's.
GRANT SELECT ON campuses TO faith_worker, faith_reconciler;
GRANT SELECT (campus_id, core_church_id, api_base_url, api_path_prefix, api_login_path, api_members_path,
              api_email, api_password_sealed, is_enabled, paused_at, filter_mode, filter_rules, link_members,
              reconciliation_enabled, reconciliation_time, reconcile_every, scheduled_from, archive_limit,
              default_country,
              last_sync_at, last_sync_status, last_sync_message, updated_at, version, synced_version)
    ON sync_configs TO faith_worker, faith_reconciler;
GRANT SELECT, INSERT, UPDATE ON core_tokens TO faith_worker, faith_reconciler;
GRANT SELECT, INSERT, DELETE ON core_logins TO faith_worker, faith_reconciler;
GRANT SELECT (id, campus_id, external_member_id, name, phone, gender, birth_date, age, photo_url, category,
              is_archived, archived_at, archived_reason, created_at, updated_at)
    ON members TO faith_worker, faith_reconciler;
GRANT INSERT (campus_id, external_member_id, name, phone, gender, birth_date, age, photo_url, category,
              is_archived, archived_at, archived_reason, updated_at)
    ON members TO faith_worker, faith_reconciler;
-- A person who is here already gets the core's id, care history and all.
GRANT UPDATE (external_member_id, name, phone, gender, birth_date, age, photo_url, category,
              is_archived, archived_at, archived_reason, updated_at)
    ON members TO faith_worker, faith_reconciler;
GRANT SELECT, INSERT, UPDATE, DELETE ON member_photos TO faith_worker, faith_reconciler;
GRANT SELECT, INSERT, UPDATE ON member_sync TO faith_worker, faith_reconciler;
GRANT INSERT ON member_links TO faith_worker, faith_reconciler;
GRANT USAGE ON SEQUENCE observation TO faith_worker, faith_reconciler;
GRANT SELECT, INSERT, UPDATE ON webhook_logs TO faith_worker;
GRANT SELECT, INSERT, UPDATE ON dead_letters TO faith_worker;
-- What deliveries went through; it looks whether that is noted already.
GRANT SELECT, INSERT ON delivery_attempts TO faith_worker;
-- The worker counts whom the sync filter archives by events.
GRANT SELECT, INSERT ON sync_changes TO faith_worker;

-- The reconciler keeps its runs, and the days of the log.
GRANT UPDATE (last_sync_at, last_sync_status, last_sync_message) ON sync_configs TO faith_reconciler;
GRANT SELECT, INSERT, UPDATE ON sync_logs TO faith_reconciler;
GRANT SELECT, INSERT, UPDATE ON intake_gaps TO faith_reconciler;
GRANT DELETE ON instances TO faith_reconciler;
GRANT SELECT, INSERT, DELETE ON sync_changes TO faith_reconciler;
GRANT SELECT, INSERT, UPDATE, DELETE ON reconciled_rows TO faith_reconciler;
-- It forgets letters that came to an end, without looking into them.
GRANT SELECT (status, dead_at, replayed_at, resolved_at, discarded_at), DELETE ON dead_letters TO faith_reconciler;
-- What is worth a look, and the messages that tell people of it. It reads what `faithctl status` shows.
GRANT SELECT, INSERT, UPDATE, DELETE ON problems, notifications TO faith_reconciler;
GRANT SELECT (id, campus_id, member_id, received_at, processed_at, status, error) ON webhook_logs TO faith_reconciler;
GRANT SELECT (id, cause, replay_count) ON dead_letters TO faith_reconciler;
GRANT SELECT (webhook_secret_set_at) ON sync_configs TO faith_reconciler;
-- What operators ask for is carried out by workers and reconcilers, each of its own kinds: who asks decides no progress.
GRANT SELECT ON operations TO faith_worker, faith_reconciler, faith_admin;
GRANT UPDATE (state, matched, done, skipped, unreadable, outcome, error, lease_by, lease_until)
    ON operations TO faith_worker, faith_reconciler;
GRANT DELETE ON operations TO faith_reconciler;
GRANT INSERT (id, kind, request_id, by, role, cutoff, filters, ids, limit_n, rate, note, matched, via), UPDATE (state, rate)
    ON operations TO faith_admin;
ALTER TABLE operations ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS read_all ON operations;
CREATE POLICY read_all ON operations FOR SELECT TO faith_worker, faith_reconciler, faith_admin USING (true);
DROP POLICY IF EXISTS request ON operations;
CREATE POLICY request ON operations FOR INSERT TO faith_admin WITH CHECK (true);
DROP POLICY IF EXISTS control ON operations;
CREATE POLICY control ON operations FOR UPDATE TO faith_admin USING (true);
DROP POLICY IF EXISTS of_workers ON operations;
CREATE POLICY of_workers ON operations FOR UPDATE TO faith_worker
    USING (kind IN ('replay', 'discard', 'restore', 'resync'));
DROP POLICY IF EXISTS of_reconcilers ON operations;
CREATE POLICY of_reconcilers ON operations FOR UPDATE TO faith_reconciler
    USING (kind IN ('reconcile', 'reconcile_dry_run', 'allow_archives'));
DROP POLICY IF EXISTS forget ON operations;
CREATE POLICY forget ON operations FOR DELETE TO faith_reconciler USING (ended_at IS NOT NULL);
GRANT EXECUTE ON FUNCTION erase_from_operations(uuid, text) TO faith_admin;
-- The core's list is compared in a temporary table.
DO $$ BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO faith_reconciler', current_database());
END $$;
GRANT EXECUTE ON FUNCTION make_webhook_log_partitions(date, date) TO faith_reconciler;
GRANT EXECUTE ON FUNCTION drop_webhook_log_partitions(date) TO faith_reconciler;
GRANT EXECUTE ON FUNCTION waiting_webhook_log_partitions(date, date, date) TO faith_reconciler;

-- The console faces browsers: it reads what it shows, and neither a secret, nor a member, nor what an event carries. It
-- writes who logs in, and what they chose.
GRANT SELECT ON campuses, sync_logs TO faith_console;
GRANT SELECT (campus_id, is_enabled, paused_at, reconciliation_enabled, last_sync_at, last_sync_status, webhook_secret_set_at)
    ON sync_configs TO faith_console;
GRANT SELECT (campus_id, not_before) ON core_tokens TO faith_console;
GRANT SELECT (id, campus_id, event_id, event_type, member_id, received_at, status, error, attempts, processed_at, trace_id)
    ON webhook_logs TO faith_console;
GRANT SELECT (id, event_id, campus_id, event_type, member_id, cause, dead_at, status, replay_count)
    ON dead_letters TO faith_console;
GRANT SELECT ON operators TO faith_console;
GRANT UPDATE (password_phc, password_set_at, language, timezone, theme, shortcuts, last_login_at)
    ON operators TO faith_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_sessions TO faith_console;
GRANT SELECT, DELETE ON operator_links TO faith_console;
GRANT UPDATE (used_at) ON operator_links TO faith_console;
GRANT SELECT, INSERT, DELETE ON operator_login_attempts TO faith_console;

-- faithctl, all but `migrate`.
GRANT SELECT, INSERT, UPDATE ON operators TO faith_admin;
GRANT SELECT, DELETE ON operator_sessions TO faith_admin;
GRANT SELECT, INSERT, DELETE ON operator_links TO faith_admin;
GRANT SELECT, INSERT, UPDATE ON campuses, sync_configs TO faith_admin;
GRANT SELECT, INSERT, UPDATE ON core_tokens TO faith_admin;
GRANT SELECT, INSERT, DELETE ON core_logins TO faith_admin;
GRANT SELECT ON members, member_sync, sync_logs TO faith_admin;
GRANT SELECT, UPDATE ON webhook_logs, dead_letters TO faith_admin;
GRANT DELETE ON webhook_logs, delivery_attempts, dead_letters, sync_changes, reconciled_rows, member_links TO faith_admin; -- erase
GRANT SELECT ON ALL TABLES IN SCHEMA public TO faith_admin;

COMMIT;
