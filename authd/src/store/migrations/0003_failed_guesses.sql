-- Failed guesses at passwords, so that a restart forgets none. A subject is a keyed hash of an account, an address or both.

CREATE TABLE failed_guesses (
    subject TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- From then on it counts no more.
    expires_at BIGINT NOT NULL
);
CREATE INDEX failed_guesses_by_subject ON failed_guesses (subject);
CREATE INDEX failed_guesses_by_expiry ON failed_guesses (expires_at);

-- Subjects that reached the limit since their last success.
CREATE TABLE blocked_subjects (
    subject TEXT PRIMARY KEY,
    blocked_until BIGINT NOT NULL,
    -- How often; each block is longer than the one before.
    blocks BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX blocked_subjects_by_expiry ON blocked_subjects (expires_at);
