-- Signing in through providers outside.

-- An account is one person at a provider, not several.
CREATE UNIQUE INDEX identities_one_a_provider ON identities (user_id, provider);

-- What a provider gave a session that began there.
CREATE TABLE grants (
    session_id TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- The provider's own name of the session, by which it ends from there. Absent: it has none.
    sid TEXT,
    -- Tokens, encrypted.
    sealed BYTEA NOT NULL,
    -- When the provider is asked again whether the person may still be here. Absent: it cannot be asked.
    due_at BIGINT,
    -- Until when whoever asks it now has it for itself.
    leased_until BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL
);
CREATE INDEX grants_by_sid ON grants (provider, sid);
CREATE INDEX grants_by_subject ON grants (provider, subject);
CREATE INDEX grants_by_due ON grants (due_at);

-- What authd is called at a provider where it registered itself, encrypted.
CREATE TABLE registrations (
    provider TEXT PRIMARY KEY,
    sealed BYTEA NOT NULL,
    updated_at BIGINT NOT NULL
);

-- What counts once and has: attempts to sign in, logout tokens.
CREATE TABLE spent (
    purpose TEXT NOT NULL,
    id TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (purpose, id)
);
CREATE INDEX spent_by_expiry ON spent (expires_at);
