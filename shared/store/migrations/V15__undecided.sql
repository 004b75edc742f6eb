-- What a reconciliation could not decide about, and how large a list page its core gives.

ALTER TABLE sync_logs
    DROP CONSTRAINT sync_logs_status_check,
    ADD CONSTRAINT sync_logs_status_check
        CHECK (status IN ('in_progress', 'success', 'held', 'partial', 'error')),
    ADD COLUMN members_undecided integer NOT NULL DEFAULT 0,
    ADD COLUMN page_rows         integer; -- asked for at once in the end; null: no page was asked for

-- Each of the undecided, by the core's id or by its place: `row 62 of the list`.
ALTER TABLE sync_changes
    DROP CONSTRAINT sync_changes_kind_check,
    ADD CONSTRAINT sync_changes_kind_check
        CHECK (kind IN ('created', 'updated', 'archived', 'unarchived', 'held', 'undecided'));

-- Rows in progress whose program is gone are looked for every few seconds.
CREATE INDEX ON sync_logs (campus_id) WHERE status = 'in_progress';
