-- Making and dropping days of the log locks it for a moment, and whoever asks for such a lock makes
-- everybody wait who comes after. Where somebody reads for long (a `pg_dump`), a day waits, and not
-- the events: a tenth of a second at most, and again in some minutes.
--
-- `DETACH … CONCURRENTLY` is not to be had: Postgres has it only where there is no default partition.

CREATE OR REPLACE FUNCTION make_webhook_log_partitions(first date, last date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    made integer := 0;
    day date;
    partition text;
    day_begins timestamptz;
    day_ends timestamptz;
BEGIN
    -- Two at once would make the same partition.
    IF NOT pg_try_advisory_xact_lock(hashtext('webhook_logs partitions')) THEN
        RETURN 0;
    END IF;
    FOR day IN SELECT generate_series(first, last, '1 day')::date LOOP
        partition := 'webhook_logs_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        day_begins := day::timestamp AT TIME ZONE 'UTC';
        day_ends := (day + 1)::timestamp AT TIME ZONE 'UTC';
        BEGIN
            EXECUTE format('CREATE TABLE %I (LIKE webhook_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
            EXECUTE format('WITH moved AS (DELETE FROM webhook_logs_default
                                WHERE received_at >= %L AND received_at < %L RETURNING *)
                            INSERT INTO %I SELECT * FROM moved', day_begins, day_ends, partition);
            EXECUTE format('ALTER TABLE webhook_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           partition, day_begins, day_ends);
        EXCEPTION WHEN lock_not_available THEN
            RETURN made;
        END;
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION drop_webhook_log_partitions(oldest date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    dropped integer := 0;
    partition text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('webhook_logs partitions')) THEN
        RETURN 0;
    END IF;
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'webhook_logs'::regclass
          AND c.relname ~ '^webhook_logs_\d{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < oldest
        ORDER BY c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %I', partition);
        EXCEPTION WHEN lock_not_available THEN
            RETURN dropped;
        END;
        dropped := dropped + 1;
    END LOOP;
    BEGIN
        DELETE FROM webhook_logs_default WHERE received_at < oldest::timestamp AT TIME ZONE 'UTC';
    EXCEPTION WHEN lock_not_available THEN
        NULL; -- the next time
    END;
    RETURN dropped;
END $$;

-- How many days of `first` to `last` are missing, and how many before `oldest` are there still.
CREATE FUNCTION waiting_webhook_log_partitions(first date, last date, oldest date) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT count(*) FROM generate_series(first, last, '1 day') AS day
            WHERE to_regclass('webhook_logs_' || to_char(day, 'YYYYMMDD')) IS NULL)::integer
         + (SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'webhook_logs'::regclass AND c.relname ~ '^webhook_logs_\d{8}$'
              AND to_date(right(c.relname, 8), 'YYYYMMDD') < oldest)::integer
$$;
REVOKE ALL ON FUNCTION waiting_webhook_log_partitions(date, date, date) FROM PUBLIC;
