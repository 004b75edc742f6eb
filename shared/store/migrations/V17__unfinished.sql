-- How old the oldest event without an end is, and what campuses are called: for the gateways' metrics, which must be
-- true while no worker runs. A gateway may ask these functions, and read no row of a log, a letter or a campus.

-- What failed or was put off, by campus. No partition is scanned for it: each gives the first row of a campus. Days that are made from now on
-- get theirs with it; those that are there, which may be large, get it `CONCURRENTLY` from whoever migrates.
CREATE INDEX webhook_logs_retrying ON ONLY webhook_logs (campus_id, received_at) WHERE status = 'retrying';

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

REVOKE ALL ON FUNCTION events_taken_until() FROM PUBLIC;
REVOKE ALL ON FUNCTION campus_names() FROM PUBLIC;
