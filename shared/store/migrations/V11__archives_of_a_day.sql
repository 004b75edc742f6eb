-- The brake counts archives and returns of a day, whoever makes them: a run, or events that the sync filter
-- decides.

ALTER TABLE sync_changes DROP CONSTRAINT sync_changes_pkey;
ALTER TABLE sync_changes ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
ALTER TABLE sync_changes ALTER COLUMN run_id DROP NOT NULL; -- null: by an event
CREATE UNIQUE INDEX ON sync_changes (run_id, kind, external_member_id);

DROP INDEX sync_changes_campus_id_changed_at_idx;
CREATE INDEX ON sync_changes (campus_id, changed_at) WHERE kind IN ('archived', 'unarchived');
