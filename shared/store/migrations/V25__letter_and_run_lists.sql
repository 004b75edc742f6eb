-- Lists of dead letters and runs, the newest first. Apart from those of the log: who writes the log waits for none of these.

-- Every list, the groups and the counts; what they filter and group by is found without the row, and its envelope.
CREATE INDEX dead_letters_status ON dead_letters (status, dead_at, id, campus_id, cause, event_type) INCLUDE (replay_count);
CREATE INDEX dead_letters_open_cause ON dead_letters (cause, dead_at, id) WHERE status = 'open';
CREATE INDEX dead_letters_member ON dead_letters (member_id, campus_id) WHERE member_id IS NOT NULL;
-- The deliveries that failed for a cause.
CREATE INDEX dead_letters_cause ON dead_letters (cause, received_at, id);

CREATE INDEX sync_logs_started ON sync_logs (started_at, id);
