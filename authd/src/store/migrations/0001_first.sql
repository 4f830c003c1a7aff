-- One text for SQLite and PostgreSQL: ids are UUIDs as hyphenated text, times are milliseconds since the epoch.
-- BYTEA is a plain name to SQLite, which keeps what it is given.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    -- Stored in lower case, so that one address is one account.
    email TEXT NOT NULL UNIQUE,
    email_verified BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('pending', 'user', 'admin')),
    disabled BOOLEAN NOT NULL DEFAULT FALSE,
    -- Absent for accounts that sign in through a provider only.
    password_hash TEXT,
    profile_image_url TEXT NOT NULL,
    bio TEXT,
    gender TEXT,
    date_of_birth TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_sign_in_at BIGINT
);
CREATE INDEX users_by_role ON users (role, created_at);

CREATE TABLE identities (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- JSON: what the provider said at the last sign-in.
    claims TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX identities_by_user ON identities (user_id);

CREATE TABLE memberships (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL,
    -- `manual`, or the name of the provider whose claims put the user into the group.
    source TEXT NOT NULL,
    PRIMARY KEY (user_id, group_name, source)
);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    -- Absent: never.
    expires_at BIGINT,
    client_address TEXT NOT NULL,
    user_agent TEXT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- The first characters of the key, by which its owner knows it again.
    prefix TEXT NOT NULL,
    -- A keyed hash of 32 bytes; the key itself is kept nowhere.
    hash BYTEA NOT NULL UNIQUE,
    -- JSON: where the key may be used. Absent: wherever its owner may go.
    endpoints TEXT,
    created_at BIGINT NOT NULL,
    -- Absent: never.
    expires_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_keys_by_user ON api_keys (user_id);
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at);

-- Refers to nothing: a revocation outlives the user and the session that it is about.
CREATE TABLE revocations (
    kind TEXT NOT NULL CHECK (kind IN ('session', 'token')),
    id TEXT NOT NULL,
    -- When what is revoked would have ended anyway. Absent: never.
    expires_at BIGINT,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);
