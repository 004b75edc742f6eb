-- Which programs run, and what no gateway could take: a gap is due to be reconciled.

-- A row for each start of a program, which it refreshes itself.
CREATE TABLE instances (
    id         uuid PRIMARY KEY,
    program    text NOT NULL CHECK (program IN ('gateway', 'worker', 'reconciler', 'console')),
    version    text NOT NULL,
    host       text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,                 -- in good order, or when somebody noticed
    state      jsonb NOT NULL DEFAULT '{}'  -- ready, and the reasons why not
) WITH (fillfactor = 50);

-- What a campus missed and was not reconciled for since: events that were refused once they were
-- verified, and times without a gateway. FaithFlow does not send again.
CREATE TABLE intake_gaps (
    campus_id     uuid PRIMARY KEY REFERENCES campuses (id) ON DELETE CASCADE,
    first_at      timestamptz,                -- null: none waits
    last_at       timestamptz,
    refused       bigint NOT NULL DEFAULT 0,  -- events that are known to be missed
    reconciled_at timestamptz                 -- when the last run for a gap began
) WITH (fillfactor = 50);

-- Null is every campus. A gateway may note what it refused, and read nothing.
CREATE FUNCTION note_intake_gap(campus uuid, first timestamptz, last timestamptz, events bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO intake_gaps AS gap (campus_id, first_at, last_at, refused)
    SELECT campus_id, first, last, events FROM sync_configs
    WHERE campus_id = campus OR (campus IS NULL AND is_enabled)
    ORDER BY campus_id
    ON CONFLICT (campus_id) DO UPDATE SET
        first_at = least(gap.first_at, excluded.first_at),
        last_at = greatest(gap.last_at, excluded.last_at),
        refused = gap.refused + excluded.refused
$$;

-- What waits is not over while a gateway is not ready. Rows that somebody else writes now are told
-- of the next time.
CREATE FUNCTION prolong_intake_gaps() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE intake_gaps SET last_at = now() WHERE campus_id IN (
        SELECT campus_id FROM intake_gaps WHERE last_at < now() - interval '10 seconds'
        ORDER BY campus_id FOR UPDATE SKIP LOCKED)
$$;

-- Notes for every campus the time since a gateway was last seen that has not ended in good order, and,
-- where a gateway asks that has just come back, the time without any. `own` is that gateway's; null is
-- somebody else.
CREATE FUNCTION note_silent_gateways(own uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    patience CONSTANT interval := '5 seconds';
    since timestamptz;
    newest timestamptz;
BEGIN
    -- One at a time: each gap is noted once.
    PERFORM pg_advisory_xact_lock(hashtext('silent gateways'));
    WITH silent AS (
        UPDATE instances SET ended_at = seen_at
        WHERE program = 'gateway' AND id IS DISTINCT FROM own AND ended_at IS NULL
          AND seen_at < clock_timestamp() - patience
        RETURNING seen_at
    )
    SELECT min(seen_at) INTO since FROM silent;
    IF own IS NOT NULL THEN
        SELECT max(seen_at) INTO newest FROM instances WHERE program = 'gateway';
        IF newest < clock_timestamp() - patience THEN
            since := least(since, newest);
        END IF;
    END IF;
    IF since IS NOT NULL THEN
        PERFORM note_intake_gap(NULL, since, clock_timestamp(), 0);
    END IF;
END $$;

REVOKE ALL ON FUNCTION note_intake_gap(uuid, timestamptz, timestamptz, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION prolong_intake_gaps() FROM PUBLIC;
REVOKE ALL ON FUNCTION note_silent_gateways(uuid) FROM PUBLIC;

-- A campus can be reconciled more often than nightly; moments before `scheduled_from` were not due.
ALTER TABLE sync_configs
    ADD COLUMN reconcile_every interval CHECK (reconcile_every BETWEEN '5 minutes' AND '1 day'),
    ADD COLUMN scheduled_from  timestamptz NOT NULL DEFAULT now();
ALTER TABLE sync_configs DISABLE TRIGGER stamp_sync_config;
UPDATE sync_configs s SET scheduled_from = c.created_at FROM campuses c WHERE c.id = s.campus_id;
ALTER TABLE sync_configs ENABLE TRIGGER stamp_sync_config;

-- Another time of day, or another zone, makes no run due that was not: what has passed of it has
-- passed. After `stamp_sync_config`, by its name: none of this is a change of what is synced.
CREATE FUNCTION stamp_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.scheduled_from := now();
    RETURN NEW;
END $$;
CREATE TRIGGER stamp_sync_schedule BEFORE UPDATE ON sync_configs FOR EACH ROW
    WHEN (NEW.reconciliation_time IS DISTINCT FROM OLD.reconciliation_time
          OR NEW.reconcile_every IS DISTINCT FROM OLD.reconcile_every)
    EXECUTE FUNCTION stamp_schedule();

CREATE OR REPLACE FUNCTION stamp_time_zone() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE sync_configs SET synced_version = synced_version + 1, scheduled_from = now()
        WHERE campus_id = NEW.id;
    RETURN NULL;
END $$;
