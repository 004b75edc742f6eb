-- Members, as FaithTracker keeps them. Engagement, notes and care events are FaithTracker's alone:
-- the sync's roles have no right to write them (deploy/roles.sql).

CREATE TABLE members (
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    campus_id               uuid NOT NULL REFERENCES campuses (id),
    external_member_id      text COLLATE "C", -- the core's id; null: made by hand, never synced
    name                    text,
    phone                   text,
    gender                  text,
    birth_date              date,
    age                     integer,
    photo_url               text,
    category                text,
    engagement_status       text NOT NULL DEFAULT 'active',
    days_since_last_contact integer NOT NULL DEFAULT 999,
    last_contact_at         timestamptz,
    notes                   text,
    is_archived             boolean NOT NULL DEFAULT false,
    archived_at             timestamptz,
    archived_reason         text,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    -- No synced column that changes is in any index: updates then stay in the page (HOT).
    UNIQUE (campus_id, external_member_id)
) WITH (fillfactor = 90);

CREATE TABLE member_photos (
    campus_id    uuid NOT NULL REFERENCES campuses (id),
    member_id    uuid PRIMARY KEY REFERENCES members (id) ON DELETE CASCADE,
    content_type text NOT NULL CHECK (content_type IN ('image/jpeg', 'image/png', 'image/webp')),
    image        bytea NOT NULL,
    sha256       bytea NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
-- Photos are compressed already.
ALTER TABLE member_photos ALTER COLUMN image SET STORAGE EXTERNAL;

CREATE TABLE care_events (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    campus_id   uuid NOT NULL REFERENCES campuses (id),
    member_id   uuid NOT NULL REFERENCES members (id),
    event_type  text NOT NULL,
    event_date  date NOT NULL,
    title       text NOT NULL,
    description text,
    completed   boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON care_events (member_id);

-- The clock of the sync: it orders reads of the core without trusting anyone's watch.
-- CACHE 1, or numbers would not be drawn in the order of time.
CREATE SEQUENCE observation AS bigint CACHE 1;

-- What was last applied to each member ever heard of. Rows are never deleted: an expired tombstone
-- would let an old read bring a deleted person back.
CREATE TABLE member_sync (
    campus_id          uuid NOT NULL REFERENCES campuses (id),
    external_member_id text COLLATE "C" NOT NULL,
    seen_from          bigint NOT NULL,  -- drawn before the applied read of the core began
    seen_to            bigint NOT NULL,  -- drawn after it ended, in the transaction that applied it
    gone               boolean NOT NULL, -- the last thing applied was a delete
    unasked            boolean NOT NULL, -- a delete applied on the webhook's word, with no read
    last_occurred_at   timestamptz,      -- the latest event known, by the sender's clock
    last_received_at   timestamptz,      -- the same, by the gateways' clocks
    PRIMARY KEY (campus_id, external_member_id)
) WITH (fillfactor = 85);
