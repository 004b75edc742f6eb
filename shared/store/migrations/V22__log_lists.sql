-- Lists of deliveries, the newest first, by what they are filtered by: each ends at the rows that it shows, however many there
-- are. Days that are made from now on get theirs with them; those that are there, which may be large, get them `CONCURRENTLY`
-- from whoever migrates.
--
-- An event that comes to a good end at once is an entry in the first alone, in the transaction that inserts its row: most events
-- are updates. What else a list filters by is in the index where that is small, so that it is found without the row.
CREATE INDEX webhook_logs_campus ON ONLY webhook_logs (campus_id, received_at, id);
CREATE INDEX webhook_logs_status ON ONLY webhook_logs (status, received_at, id, campus_id, event_type)
    WHERE status <> 'processed';
CREATE INDEX webhook_logs_type ON ONLY webhook_logs (event_type, received_at, id, campus_id)
    WHERE event_type <> 'member.updated';

-- What came to its end long after its receipt. Everything else that ended lately was received lately.
CREATE INDEX webhook_logs_late ON ONLY webhook_logs (processed_at)
    WHERE processed_at - received_at > interval '5 minutes';

-- As before, campus by campus, but of those alone that have something retrying, and with a plan that is kept: planning over
-- all days takes longer than the answer, and each gateway asks every few seconds.
CREATE OR REPLACE FUNCTION oldest_retrying_event_age() RETURNS double precision
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
    SET jit = off AS $$
BEGIN
    RETURN (
        WITH RECURSIVE retrying AS (
            SELECT (SELECT log.campus_id FROM webhook_logs AS log
                    WHERE log.status = 'retrying' ORDER BY log.campus_id LIMIT 1) AS campus_id
            UNION ALL
            SELECT (SELECT log.campus_id FROM webhook_logs AS log
                    WHERE log.status = 'retrying' AND log.campus_id > retrying.campus_id
                    ORDER BY log.campus_id LIMIT 1)
            FROM retrying WHERE retrying.campus_id IS NOT NULL
        )
        SELECT CASE
            WHEN min(oldest.received_at) IS NOT NULL THEN extract(epoch FROM now() - min(oldest.received_at))
            WHEN bool_or(oldest.received_at IS NULL AND EXISTS (
                     SELECT FROM webhook_logs AS log
                     WHERE log.status = 'retrying' AND log.campus_id = retrying.campus_id
                     ORDER BY log.received_at OFFSET 10000)) IS NOT TRUE THEN 0
        END
        FROM retrying
        JOIN sync_configs AS campus ON campus.campus_id = retrying.campus_id AND campus.paused_at IS NULL
        LEFT JOIN LATERAL (
            SELECT first.received_at
            FROM (SELECT log.id, log.received_at FROM webhook_logs AS log
                  WHERE log.status = 'retrying' AND log.campus_id = retrying.campus_id
                  ORDER BY log.received_at LIMIT 10000) AS first
            WHERE (SELECT letter.status FROM dead_letters AS letter WHERE letter.id = first.id)
                  IS DISTINCT FROM 'replaying'
            ORDER BY first.received_at
            LIMIT 1) AS oldest ON true);
END $$;
