-- Lists of runs, the newest first. Those of dead letters have indices that whoever migrates makes, while letters are written.
SET LOCAL lock_timeout = '2s';
CREATE INDEX sync_logs_started ON sync_logs (started_at, id);
