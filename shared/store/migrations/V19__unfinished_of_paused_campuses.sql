-- An operator who pauses a campus knows that its events wait: they are not what an alert is for, and would hide others.

CREATE OR REPLACE FUNCTION oldest_retrying_event_age() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off
    -- A way that is not left counts as a costly one, worth compiling for.
    SET jit = off AS $$
    WITH first AS NOT MATERIALIZED (
        SELECT id, received_at FROM webhook_logs
        WHERE status = 'retrying'
          AND campus_id <> ALL (ARRAY(SELECT campus_id FROM sync_configs WHERE paused_at IS NOT NULL))
        ORDER BY received_at
        LIMIT 10001)
    SELECT CASE
        WHEN oldest.received_at IS NOT NULL THEN extract(epoch FROM now() - oldest.received_at)
        WHEN NOT EXISTS (SELECT FROM first OFFSET 10000) THEN 0
    END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (
        SELECT received_at FROM first
        WHERE (SELECT status FROM dead_letters WHERE id = first.id) IS DISTINCT FROM 'replaying'
        ORDER BY received_at
        LIMIT 1) AS oldest ON true
$$;
