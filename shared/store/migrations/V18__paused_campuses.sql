-- A paused campus: its webhooks are accepted and wait, nothing of it is fetched or written. It counts as a change of
-- what is synced, so that nothing is written of what was read before.
ALTER TABLE sync_configs
    ADD COLUMN paused_at timestamptz, -- null: it is not
    ADD COLUMN paused_by text;
