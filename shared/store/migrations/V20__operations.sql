-- What an operator asked for, and a worker or a reconciler carries out: it outlives the terminal that it was asked at, and
-- whichever program has begun it.

CREATE TABLE operations (
    id          uuid PRIMARY KEY,          -- a UUIDv7
    kind        text NOT NULL CHECK (kind IN ('replay', 'discard', 'restore', 'resync', 'reconcile', 'reconcile_dry_run',
                    'allow_archives')),
    request_id  uuid NOT NULL UNIQUE,      -- who asks twice by accident has asked once
    by          text NOT NULL,
    role        text NOT NULL,
    via         text NOT NULL DEFAULT 'faithctl' CHECK (via IN ('console', 'faithctl')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    cutoff      timestamptz NOT NULL DEFAULT clock_timestamp(), -- what died, or came, later is left for the next
    filters     jsonb,                     -- named like the columns that they are about
    ids         uuid[] CHECK (cardinality(ids) <= 1000),
    limit_n     integer CHECK (limit_n > 0), -- at most so many; of allow_archives the number that was held
    rate        integer CHECK (rate > 0),  -- a second; null: as fast as it goes
    note        text,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'paused', 'stopping', 'stopped',
                    'done', 'failed')),
    matched     bigint,                    -- null: not counted yet
    done        bigint NOT NULL DEFAULT 0,
    skipped     bigint NOT NULL DEFAULT 0, -- matched, and something else became of it meanwhile
    unreadable  bigint NOT NULL DEFAULT 0, -- matched, and holds no event
    outcome     jsonb,
    error       text,                      -- why it failed, or what it waits for
    lease_by    uuid,                      -- the instance that carries it out, as long as it renews its lease
    lease_until timestamptz,
    started_at  timestamptz,
    ended_at    timestamptz
);
CREATE INDEX operations_under_way ON operations (created_at, id)
    WHERE state IN ('waiting', 'running', 'paused', 'stopping');
CREATE INDEX operations_ended ON operations (ended_at) WHERE ended_at IS NOT NULL;

-- Which operation took a letter last: so it can say what became of its letters. When a letter was opened again: whoever was
-- asked before has not counted it. When it was discarded: it is kept for as long as the log from then on, and can be opened
-- again. Whoever migrates makes the index, while letters are written.
SET LOCAL lock_timeout = '2s';
ALTER TABLE dead_letters ADD COLUMN operation_id uuid, ADD COLUMN opened_at timestamptz,
    ADD COLUMN discarded_at timestamptz;

-- An end is final, has its moment and no lease. Whoever may not hold a lease can ask, and decides no end but that of what
-- nobody carries out. No table of a session's own stands for the real one.
CREATE FUNCTION guard_operation() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    ends CONSTANT text[] := '{stopped,done,failed}';
BEGIN
    IF OLD.state = ANY (ends) AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'operation % has ended: %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('running', 'done', 'failed') AND NEW.state <> OLD.state
       AND NOT (NEW.state = 'running' AND OLD.state = 'paused' AND OLD.lease_until > clock_timestamp())
       AND NOT has_column_privilege('public.operations', 'lease_by', 'UPDATE') THEN
        RAISE EXCEPTION 'only who carries an operation out decides that it is %', NEW.state
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.state = 'stopped' AND OLD.state <> 'stopped' AND OLD.lease_until > clock_timestamp()
       AND NOT has_column_privilege('public.operations', 'lease_by', 'UPDATE') THEN
        RAISE EXCEPTION 'somebody carries the operation out: ask for it to stop' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.state = 'running' THEN
        NEW.started_at := coalesce(NEW.started_at, clock_timestamp());
    ELSIF NEW.state = ANY (ends) THEN
        NEW.ended_at := coalesce(NEW.ended_at, clock_timestamp());
        NEW.lease_by := NULL;
        NEW.lease_until := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_operation BEFORE UPDATE ON operations FOR EACH ROW EXECUTE FUNCTION guard_operation();

-- Whether two selections by filters can have something in common.
CREATE FUNCTION operation_filters_meet(one jsonb, other jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (one->>'cause' IS NULL OR other->>'cause' IS NULL OR one->>'cause' = other->>'cause')
       AND (one->>'campus_id' IS NULL OR other->>'campus_id' IS NULL OR one->>'campus_id' = other->>'campus_id')
       AND (one->>'event_type' IS NULL OR other->>'event_type' IS NULL OR one->>'event_type' = other->>'event_type')
       AND (one->>'member_id' IS NULL OR other->>'member_id' IS NULL OR one->>'member_id' = other->>'member_id')
$$;

-- Whether an operation has to wait while another one is carried out. In a procedural language, since each branch needs
-- rights of its own.
CREATE FUNCTION operations_collide(one operations, other operations) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    letters CONSTANT text[] := '{replay,discard,restore}';
    runs CONSTANT text[] := '{reconcile,reconcile_dry_run,allow_archives}';
    named uuid[];
    filters jsonb;
BEGIN
    IF one.kind = ANY (runs) AND other.kind = ANY (runs) THEN
        RETURN one.filters->>'campus_id' IS NOT DISTINCT FROM other.filters->>'campus_id';
    ELSIF one.kind = 'resync' AND other.kind = 'resync' THEN
        RETURN operation_filters_meet(one.filters, other.filters);
    ELSIF NOT (one.kind = ANY (letters) AND other.kind = ANY (letters)) THEN
        RETURN false;
    ELSIF one.ids IS NOT NULL AND other.ids IS NOT NULL THEN
        RETURN one.ids && other.ids;
    ELSIF one.ids IS NULL AND other.ids IS NULL THEN
        RETURN operation_filters_meet(one.filters, other.filters);
    END IF;
    named := coalesce(one.ids, other.ids);
    filters := CASE WHEN one.ids IS NULL THEN one.filters ELSE other.filters END;
    RETURN EXISTS (
        SELECT FROM dead_letters d WHERE d.id = ANY (named)
           AND (filters->>'cause' IS NULL OR d.cause = filters->>'cause')
           AND (filters->>'campus_id' IS NULL OR d.campus_id::text = filters->>'campus_id')
           AND (filters->>'event_type' IS NULL OR d.event_type = filters->>'event_type')
           AND (filters->>'member_id' IS NULL OR d.member_id = filters->>'member_id'));
END $$;

-- The operations that name a member.
CREATE FUNCTION operations_of_member(campus uuid, member text) RETURNS SETOF operations LANGUAGE sql STABLE AS $$
    SELECT * FROM operations
    WHERE (filters->>'campus_id' IS NULL OR filters->>'campus_id' = campus::text)
      AND (filters->>'member_id' = member OR filters->'member_ids' ? member OR outcome->'position'->>'member_id' = member)
$$;

-- Takes a member's id out of what operations were asked for. What is left matches nobody: without the id a filter would
-- match everybody else.
CREATE FUNCTION erase_from_operations(campus uuid, member text) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH erased AS (
        UPDATE operations o SET
            filters = o.filters
                || CASE WHEN o.filters->>'member_id' = member THEN '{"member_id": "(erased)"}'::jsonb ELSE '{}' END
                || CASE WHEN o.filters ? 'member_ids'
                        THEN jsonb_build_object('member_ids', (o.filters->'member_ids') - member) ELSE '{}' END,
            outcome = CASE WHEN o.outcome->'position'->>'member_id' = member THEN o.outcome - 'position'
                           ELSE o.outcome END
        FROM operations_of_member(campus, member) named WHERE o.id = named.id
        RETURNING o.id)
    SELECT count(*) FROM erased
$$;
REVOKE ALL ON FUNCTION erase_from_operations(uuid, text) FROM PUBLIC;
