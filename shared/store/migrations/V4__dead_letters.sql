-- Events that no attempt could finish: groupable, filterable, replayable. One row a delivery.

CREATE TABLE dead_letters (
    id              uuid PRIMARY KEY, -- the delivery
    event_id        text COLLATE "C", -- null, as the other fields of the event, where the message could not be decoded
    campus_id       uuid,
    event_type      text,
    member_id       text COLLATE "C",
    cause           text NOT NULL CHECK (cause IN ('member_not_found', 'core_unavailable', 'core_rejected_login',
                        'core_forbidden', 'core_bad_response', 'wrong_church', 'sync_disabled',
                        'invalid_event', 'database', 'poison')),
    reason          text NOT NULL,    -- a sentence
    attempts        integer NOT NULL,
    first_failed_at timestamptz,
    dead_at         timestamptz NOT NULL DEFAULT now(),
    received_at     timestamptz,
    envelope        jsonb NOT NULL,   -- {"base64": "…"} where it could not be decoded
    trace_id        text,
    status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'replaying', 'resolved', 'discarded')),
    replay_count    integer NOT NULL DEFAULT 0,
    replayed_at     timestamptz,
    resolved_at     timestamptz,
    note            text
);
CREATE INDEX ON dead_letters (status, dead_at);
CREATE INDEX ON dead_letters (campus_id, member_id);
CREATE INDEX ON dead_letters (event_id);
