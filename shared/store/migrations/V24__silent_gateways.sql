-- A gateway that was killed is told from one that ended in good order: somebody else notes its end, and its row says that it
-- only fell silent. One that was frozen writes its row anew, without that.

CREATE OR REPLACE FUNCTION note_silent_gateways(own uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    patience CONSTANT interval := '5 seconds';
    since timestamptz;
    newest timestamptz;
BEGIN
    -- One at a time: each gap is noted once.
    PERFORM pg_advisory_xact_lock(hashtext('silent gateways'));
    WITH silent AS (
        UPDATE instances SET ended_at = seen_at, state = state || '{"silent": true}'
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
