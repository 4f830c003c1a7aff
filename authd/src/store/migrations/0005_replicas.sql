-- What replicas that share a database tell each other through it.

-- Counts what is written. Whoever takes the next number keeps others from it until the end of the transaction, so that numbers are in
-- the order of commits: whoever has read up to one has missed nothing before it.
CREATE TABLE positions (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO positions (name, last) VALUES ('changes', 0);

ALTER TABLE revocations ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
CREATE INDEX revocations_by_position ON revocations (position);

-- Accounts of which something changed that replicas keep in memory: rights, names, groups, keys. Refers to nothing, as accounts that
-- are deleted are among them.
CREATE TABLE changed_accounts (
    user_id TEXT PRIMARY KEY,
    position BIGINT NOT NULL
);
CREATE INDEX changed_accounts_by_position ON changed_accounts (position);

-- Secrets of authd's own that must be the same on every replica.
CREATE TABLE own_secrets (
    name TEXT PRIMARY KEY,
    secret BYTEA NOT NULL
);
