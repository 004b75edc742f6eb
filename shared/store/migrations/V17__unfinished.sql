-- How old the oldest event without an end is, and what campuses are called: for the gateways' metrics, which must be
-- true while no worker runs. A gateway may ask these functions, and read no row of a log, a letter or a campus.

-- What failed or was put off. No partition is scanned for it: each gives its first row. Days that are made from now on
-- get theirs with it; those that are there, which may be large, get it `CONCURRENTLY` from whoever migrates.
CREATE INDEX webhook_logs_retrying ON ONLY webhook_logs (received_at) WHERE status = 'retrying';

-- In seconds; 0 without any. Without those that an operator replays: they had come to an end, and are as old as they were
-- then. Of so many replays that somebody would have to look at them for long, it is not known: null.
--
-- What is `retrying` changes faster than what the planner knows of it, so only the way by the index is left to it; a letter
-- is looked up by its id alone.
CREATE FUNCTION oldest_retrying_event_age() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT CASE
        WHEN oldest.received_at IS NOT NULL THEN extract(epoch FROM now() - oldest.received_at)
        WHEN NOT EXISTS (SELECT FROM webhook_logs WHERE status = 'retrying' ORDER BY received_at OFFSET 10000) THEN 0
    END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (
        SELECT first.received_at
        FROM (SELECT id, received_at FROM webhook_logs WHERE status = 'retrying' ORDER BY received_at LIMIT 10000) AS first
        WHERE (SELECT status FROM dead_letters WHERE id = first.id) IS DISTINCT FROM 'replaying'
        ORDER BY first.received_at
        LIMIT 1) AS oldest ON true
$$;

-- The work queue is first in, first out: what waits in it was received after the newest event that a worker has taken,
-- and after the moment when a gateway found it empty. Each program tells its own in its row.
CREATE FUNCTION events_taken_until() RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT max((state ->> 'events_taken_until')::timestamptz) FROM instances
$$;

CREATE FUNCTION campus_names() RETURNS TABLE (campus_id uuid, name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id, name FROM campuses
$$;

REVOKE ALL ON FUNCTION oldest_retrying_event_age() FROM PUBLIC;
REVOKE ALL ON FUNCTION events_taken_until() FROM PUBLIC;
REVOKE ALL ON FUNCTION campus_names() FROM PUBLIC;
