-- Who may use the console: operators, their sessions, and links that let somebody in once. Of a session's or a link's
-- token there is the SHA-256 here: whoever reads the table cannot log in with it.

CREATE TABLE operators (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    login           text COLLATE "C" NOT NULL UNIQUE CHECK (login = lower(login) AND login <> ''),
    name            text NOT NULL,
    role            text NOT NULL CHECK (role IN ('viewer', 'office', 'operator', 'admin')),
    campuses        uuid[],                       -- whose data they see; null: all campuses'
    password_phc    text,                         -- argon2id; null: none was chosen yet
    password_set_at timestamptz,
    language        text,                         -- null: the browser's
    timezone        text,                         -- null: that of their first campus
    theme           text,                         -- null: the browser's
    shortcuts       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_login_at   timestamptz,
    disabled_at     timestamptz
);

CREATE TABLE operator_sessions (
    token_sha256     bytea PRIMARY KEY,
    operator_id      uuid REFERENCES operators (id) ON DELETE CASCADE, -- null: let in by `faithctl console login`
    who              text NOT NULL,               -- the operator's login, or user@host
    via              text NOT NULL CHECK (via IN ('password', 'invitation', 'link', 'proxy')),
    address          text,
    language         text,                        -- preferences of one who is no operator
    timezone         text,
    theme            text,
    shortcuts        boolean NOT NULL DEFAULT true,
    created_at       timestamptz NOT NULL DEFAULT now(),
    authenticated_at timestamptz NOT NULL DEFAULT now(),
    seen_at          timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX ON operator_sessions (operator_id);

CREATE TABLE operator_links (
    token_sha256 bytea PRIMARY KEY,
    operator_id  uuid REFERENCES operators (id) ON DELETE CASCADE, -- an invitation; null: an hour as an administrator
    made_by      text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);

-- Attempts to log in that have not succeeded. Logins by their hash: people type passwords there too.
CREATE TABLE operator_login_attempts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    login_sha256 bytea NOT NULL,
    address      text NOT NULL
);
CREATE INDEX ON operator_login_attempts (login_sha256, at);
CREATE INDEX ON operator_login_attempts (address, at);
CREATE INDEX ON operator_login_attempts (at);
