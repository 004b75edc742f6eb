-- Reconciliation runs.

CREATE TABLE sync_logs (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    campus_id          uuid NOT NULL REFERENCES campuses (id) ON DELETE CASCADE,
    sync_type          text NOT NULL CHECK (sync_type IN ('reconciliation', 'manual')),
    status             text NOT NULL CHECK (status IN ('in_progress', 'success', 'held', 'error')),
    members_fetched    integer NOT NULL DEFAULT 0,
    members_created    integer NOT NULL DEFAULT 0,
    members_updated    integer NOT NULL DEFAULT 0,
    members_archived   integer NOT NULL DEFAULT 0,
    members_unarchived integer NOT NULL DEFAULT 0,
    members_unchanged  integer NOT NULL DEFAULT 0,
    candidates_held    integer NOT NULL DEFAULT 0,
    error_message      text,
    started_at         timestamptz NOT NULL DEFAULT now(),
    completed_at       timestamptz,
    duration_seconds   double precision
);
CREATE INDEX ON sync_logs (campus_id, started_at DESC);
