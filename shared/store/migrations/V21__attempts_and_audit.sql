-- What each delivery went through before its end, and who changed what.

-- A row for each failed attempt, for the first putting off, the death and each replay of a delivery; none where all
-- goes well. It belongs to the row of webhook_logs with the same day and id, and goes with it.
CREATE TABLE delivery_attempts (
    delivery_id  uuid NOT NULL,
    received_at  timestamptz NOT NULL, -- the delivery's
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempt      integer NOT NULL,     -- attempts that had failed by then, this one included
    kind         text NOT NULL CHECK (kind IN ('failed', 'put_off_first', 'dead', 'replayed', 'reopened')),
    cause        text,                 -- null where nothing failed: a paused campus, a core that is only slow
    reason       text,
    next_at      timestamptz,          -- when it is tried again
    instance     text,                 -- who wrote it: host/id, the id as in instances
    operation_id uuid
) PARTITION BY RANGE (received_at);
CREATE INDEX delivery_attempts_delivery ON delivery_attempts (delivery_id, at);
CREATE TABLE delivery_attempts_default PARTITION OF delivery_attempts DEFAULT;

-- The days that the log has already.
DO $$
DECLARE
    day date;
BEGIN
    FOR day IN
        SELECT to_date(right(c.relname, 8), 'YYYYMMDD') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'webhook_logs'::regclass AND c.relname ~ '^webhook_logs_\d{8}$'
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF delivery_attempts FOR VALUES FROM (%L) TO (%L)',
                       'delivery_attempts_' || to_char(day, 'YYYYMMDD'),
                       day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    END LOOP;
END $$;

-- Days of both tables are made and dropped together. As before, a day waits where somebody reads for long. What is
-- counted are days of webhook_logs.
CREATE OR REPLACE FUNCTION make_webhook_log_partitions(first date, last date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    made integer := 0;
    day date;
    parent text;
    partition text;
    day_begins timestamptz;
    day_ends timestamptz;
BEGIN
    -- Two at once would make the same partition.
    IF NOT pg_try_advisory_xact_lock(hashtext('webhook_logs partitions')) THEN
        RETURN 0;
    END IF;
    FOR day, parent IN
        SELECT d::date, t.name FROM generate_series(first, last, '1 day') AS d,
            (VALUES (1, 'webhook_logs'), (2, 'delivery_attempts')) AS t(place, name)
        ORDER BY d, t.place
    LOOP
        partition := parent || '_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        day_begins := day::timestamp AT TIME ZONE 'UTC';
        day_ends := (day + 1)::timestamp AT TIME ZONE 'UTC';
        BEGIN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, parent);
            EXECUTE format('WITH moved AS (DELETE FROM %I WHERE received_at >= %L AND received_at < %L RETURNING *)
                            INSERT INTO %I SELECT * FROM moved',
                           parent || '_default', day_begins, day_ends, partition);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           parent, partition, day_begins, day_ends);
        EXCEPTION WHEN lock_not_available THEN
            RETURN made;
        END;
        IF parent = 'webhook_logs' THEN
            made := made + 1;
        END IF;
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
        WHERE i.inhparent IN ('webhook_logs'::regclass, 'delivery_attempts'::regclass)
          AND c.relname ~ '_\d{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < oldest
        ORDER BY right(c.relname, 8), c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %I', partition);
        EXCEPTION WHEN lock_not_available THEN
            RETURN dropped;
        END;
        IF partition LIKE 'webhook\_logs\_%' THEN
            dropped := dropped + 1;
        END IF;
    END LOOP;
    BEGIN
        DELETE FROM webhook_logs_default WHERE received_at < oldest::timestamp AT TIME ZONE 'UTC';
        DELETE FROM delivery_attempts_default WHERE received_at < oldest::timestamp AT TIME ZONE 'UTC';
    EXCEPTION WHEN lock_not_available THEN
        NULL; -- the next time
    END;
    RETURN dropped;
END $$;

-- How many days of `first` to `last` are missing, and how many before `oldest` are there still.
CREATE OR REPLACE FUNCTION waiting_webhook_log_partitions(first date, last date, oldest date) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT count(*) FROM generate_series(first, last, '1 day') AS day
            WHERE to_regclass('webhook_logs_' || to_char(day, 'YYYYMMDD')) IS NULL
               OR to_regclass('delivery_attempts_' || to_char(day, 'YYYYMMDD')) IS NULL)::integer
         + (SELECT count(DISTINCT right(c.relname, 8)) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent IN ('webhook_logs'::regclass, 'delivery_attempts'::regclass)
              AND c.relname ~ '_\d{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < oldest)::integer
$$;

-- Every change that somebody made or tried to make. Rows are added and read; nobody changes one, and only retention
-- takes one away.
CREATE TABLE operator_log (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(), -- programs may not choose it
    who          text NOT NULL,                      -- user@host, or a login of the console
    via          text NOT NULL CHECK (via IN ('console', 'faithctl', 'reconciler')),
    role         text NOT NULL DEFAULT session_user, -- of the database; programs may not choose it
    address      text,                               -- where they came from
    action       text NOT NULL,                      -- as the command is called: campus set
    campus_id    uuid,
    subject      jsonb NOT NULL DEFAULT '{}',        -- filters, counts, ids, old and new values; never a secret
    result       text NOT NULL CHECK (result IN ('done', 'failed', 'refused', 'stopped')),
    operation_id uuid
);
CREATE INDEX operator_log_at ON operator_log (at, id);
CREATE INDEX operator_log_campus ON operator_log (campus_id, at, id);

-- Also for the owner of the table. The two functions below say within their transaction what they do.
CREATE FUNCTION keep_operator_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    doing CONSTANT text := coalesce(current_setting('faithtracker.operator_log', true), '');
BEGIN
    IF TG_OP = 'DELETE' AND doing = 'retention' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND doing = 'erasure' AND to_jsonb(NEW) - 'subject' = to_jsonb(OLD) - 'subject' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'operator_log is not changed: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON operator_log
    FOR EACH ROW EXECUTE FUNCTION keep_operator_log();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON operator_log
    FOR EACH STATEMENT EXECUTE FUNCTION keep_operator_log();
ALTER TABLE operator_log ENABLE ALWAYS TRIGGER keep_rows;
ALTER TABLE operator_log ENABLE ALWAYS TRIGGER keep_all;

-- Retention. Whoever took over the reconciler cannot wipe out what was done lately: the newest month stays whatever
-- is asked for. Answers how many rows went.
CREATE FUNCTION forget_operator_log(retention interval) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM set_config('faithtracker.operator_log', 'retention', true);
    DELETE FROM operator_log WHERE at < now() - greatest(retention, interval '30 days');
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    PERFORM set_config('faithtracker.operator_log', '', true);
    RETURN forgotten;
END $$;

-- A subject without a member's id. Ids of members are in it under these keys alone.
CREATE FUNCTION without_member(subject jsonb, member text, is_member boolean) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
BEGIN
    RETURN CASE jsonb_typeof(subject)
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(key, without_member(value, member, key IN ('member', 'members'))), '{}')
            FROM jsonb_each(subject))
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(without_member(value, member, is_member) ORDER BY place), '[]')
            FROM jsonb_array_elements(subject) WITH ORDINALITY AS element(value, place))
        WHEN 'string' THEN CASE WHEN is_member AND subject #>> '{}' = member THEN '"(erased)"' ELSE subject END
        ELSE subject
    END;
END $$;

-- The only change of a row that there is: a member's id is taken out, where the same transaction has noted that
-- somebody was erased. Answers how many rows it was in.
CREATE FUNCTION erase_from_operator_log(campus uuid, member text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    erased bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM operator_log
                   WHERE action = 'erase' AND campus_id = campus AND xmin = pg_current_xact_id()::xid) THEN
        RAISE EXCEPTION 'operator_log is not changed: no erasure is noted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('faithtracker.operator_log', 'erasure', true);
    UPDATE operator_log SET subject = without_member(subject, member, false)
    WHERE (campus_id = campus OR campus_id IS NULL)
      AND position(to_jsonb(member)::text IN subject::text) > 0
      AND without_member(subject, member, false) <> subject;
    GET DIAGNOSTICS erased = ROW_COUNT;
    PERFORM set_config('faithtracker.operator_log', '', true);
    RETURN erased;
END $$;

REVOKE ALL ON FUNCTION forget_operator_log(interval) FROM PUBLIC;
REVOKE ALL ON FUNCTION erase_from_operator_log(uuid, text) FROM PUBLIC;
