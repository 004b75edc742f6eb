-- One row for each delivery, updated in place to its end. A partition for each UTC day is made
-- ahead, and dropped whole after retention.

CREATE TABLE webhook_logs (
    id              uuid NOT NULL, -- the delivery
    campus_id       uuid NOT NULL,
    event_id        text COLLATE "C" NOT NULL,
    event_type      text NOT NULL,
    member_id       text COLLATE "C",
    payload         jsonb NOT NULL, -- the allow-listed fields
    signature_valid boolean NOT NULL,
    received_at     timestamptz NOT NULL,
    status          text NOT NULL CHECK (status IN ('processed', 'filtered', 'ignored', 'duplicate',
                        'stale', 'retrying', 'dead', 'discarded', 'rejected')),
    message         text,
    error           text,
    attempts        integer NOT NULL DEFAULT 0,
    processed_at    timestamptz,
    trace_id        text,
    PRIMARY KEY (received_at, id)
) PARTITION BY RANGE (received_at);

-- For duplicates, and for `faithctl deliveries show`.
CREATE INDEX webhook_logs_event ON webhook_logs (event_id, campus_id);
-- For a member's deliveries.
CREATE INDEX webhook_logs_member ON webhook_logs (member_id, campus_id) WHERE member_id IS NOT NULL;

-- So that no day can be missing: a row without a partition would fail as if it were its own fault.
CREATE TABLE webhook_logs_default PARTITION OF webhook_logs DEFAULT;

-- Makes the partitions of `first` to `last`. Rows of such a day that fell into the default
-- partition meanwhile move into the new one. Answers how many were made.
CREATE FUNCTION make_webhook_log_partitions(first date, last date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made integer := 0;
    day date;
    partition text;
    day_begins timestamptz;
    day_ends timestamptz;
BEGIN
    -- Two at once would make the same partition.
    PERFORM pg_advisory_xact_lock(hashtext('webhook_logs partitions'));
    FOR day IN SELECT generate_series(first, last, '1 day')::date LOOP
        partition := 'webhook_logs_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        day_begins := day::timestamp AT TIME ZONE 'UTC';
        day_ends := (day + 1)::timestamp AT TIME ZONE 'UTC';
        EXECUTE format('CREATE TABLE %I (LIKE webhook_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
        EXECUTE format('WITH moved AS (DELETE FROM webhook_logs_default
                            WHERE received_at >= %L AND received_at < %L RETURNING *)
                        INSERT INTO %I SELECT * FROM moved', day_begins, day_ends, partition);
        EXECUTE format('ALTER TABLE webhook_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       partition, day_begins, day_ends);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- Drops the partitions of days that ended before `oldest`, and such rows of the default partition.
-- Answers how many partitions were dropped.
CREATE FUNCTION drop_webhook_log_partitions(oldest date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    dropped integer := 0;
    partition text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('webhook_logs partitions'));
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'webhook_logs'::regclass
          AND c.relname ~ '^webhook_logs_\d{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < oldest
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM webhook_logs_default WHERE received_at < oldest::timestamp AT TIME ZONE 'UTC';
    RETURN dropped;
END $$;

REVOKE ALL ON FUNCTION make_webhook_log_partitions(date, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION drop_webhook_log_partitions(date) FROM PUBLIC;
