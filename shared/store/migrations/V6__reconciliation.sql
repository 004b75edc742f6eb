-- What the reconciliation remembers from night to night.

-- Who let an archive through that was held, and which run had held it.
ALTER TABLE sync_logs
    ADD COLUMN allowed_archives integer,
    ADD COLUMN allowed_by       text,
    ADD COLUMN allowed_run_id   uuid;

-- What a run changed, by the core's ids: every archive and every one that was held, samples of the
-- rest. The brake counts the archives of a day here, in the transaction that makes them.
CREATE TABLE sync_changes (
    run_id             uuid NOT NULL REFERENCES sync_logs (id) ON DELETE CASCADE,
    campus_id          uuid NOT NULL,
    external_member_id text COLLATE "C" NOT NULL,
    kind               text NOT NULL CHECK (kind IN ('created', 'updated', 'archived', 'unarchived', 'held')),
    reason             text,                           -- of an archive
    allowed            boolean NOT NULL DEFAULT false, -- by an operator: the brake does not count it
    changed_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, kind, external_member_id)
);
CREATE INDEX ON sync_changes (campus_id, changed_at) WHERE kind = 'archived';

-- Members whose row in the core's list is not what the core says of them by id, or whom the sync
-- filter keeps out: asked for again only when one of the three below is another.
CREATE TABLE reconciled_rows (
    campus_id          uuid NOT NULL REFERENCES campuses (id) ON DELETE CASCADE,
    external_member_id text COLLATE "C" NOT NULL,
    list_hash          bytea NOT NULL,  -- of the list's row
    config_version     bigint NOT NULL, -- of sync_configs
    row_hash           text,            -- of the row in members; null: there is none
    PRIMARY KEY (campus_id, external_member_id)
);
