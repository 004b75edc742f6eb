-- The age of the oldest event that failed or was put off, for the gateways' metrics. Without those of paused campuses: an
-- operator who pauses a campus knows that its events wait; they are not what an alert is for, and would hide others.
--
-- In seconds; 0 without any. Without those that an operator replays: they had come to an end, and are as old as they were
-- then. Where nothing else is found, and a campus has so many replays that somebody would have to look at them for long,
-- it is not known: null.
--
-- By campus, so that no row of a paused one is passed over: it may have millions. What is `retrying` changes faster than
-- what the planner knows of it, so only the way by the index is left to it; a letter is looked up by its id alone.
CREATE FUNCTION oldest_retrying_event_age() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off
    -- A way that is not left counts as a costly one, worth compiling for.
    SET jit = off AS $$
    SELECT CASE
        WHEN min(oldest.received_at) IS NOT NULL THEN extract(epoch FROM now() - min(oldest.received_at))
        WHEN bool_or(oldest.received_at IS NULL AND EXISTS (
                 SELECT FROM webhook_logs AS log
                 WHERE log.status = 'retrying' AND log.campus_id = campus.campus_id
                 ORDER BY log.received_at OFFSET 10000)) IS NOT TRUE THEN 0
    END
    FROM sync_configs AS campus
    LEFT JOIN LATERAL (
        SELECT first.received_at
        FROM (SELECT log.id, log.received_at FROM webhook_logs AS log
              WHERE log.status = 'retrying' AND log.campus_id = campus.campus_id
              ORDER BY log.received_at LIMIT 10000) AS first
        WHERE (SELECT letter.status FROM dead_letters AS letter WHERE letter.id = first.id) IS DISTINCT FROM 'replaying'
        ORDER BY first.received_at
        LIMIT 1) AS oldest ON true
    WHERE campus.paused_at IS NULL
$$;
REVOKE ALL ON FUNCTION oldest_retrying_event_age() FROM PUBLIC;
