-- What is worth a look, from when it was first seen to when it was gone, and the messages that tell people of it.

CREATE TABLE problems (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key           text COLLATE "C" NOT NULL,   -- what makes it the same from one look to the next
    kind          text NOT NULL,
    campus_id     uuid,                        -- whose, where it is a campus's
    summary       text NOT NULL,               -- as it was last seen
    advice        text NOT NULL,
    stops_events  boolean NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    opened_at     timestamptz,                 -- when people were to be told; null: it has not lasted yet
    closed_at     timestamptz                  -- null: it is there
);
-- A problem is there once, however many reconcilers look.
CREATE UNIQUE INDEX problems_there ON problems (key) WHERE closed_at IS NULL;
CREATE INDEX ON problems (first_seen_at);

-- Messages to be sent: each until its receiver has taken it.
CREATE TABLE notifications (
    id         uuid PRIMARY KEY,               -- UUIDv7; the receiver's means to know it again
    channel    text NOT NULL CHECK (channel IN ('webhook', 'mail')),
    body       jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 0,
    next_at    timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz,
    failed_at  timestamptz,                    -- given up
    error      text                            -- why the last attempt failed
);
CREATE INDEX notifications_due ON notifications (channel, next_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX ON notifications (channel, created_at);
