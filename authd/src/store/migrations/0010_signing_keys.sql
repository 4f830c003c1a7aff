-- The public halves of the keys that replicas sign with, each with keys of its own.
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    public BYTEA NOT NULL,
    -- From then on nothing that it signed is good. Absent: tokens never expire.
    until BIGINT,
    -- That a replica published it: nobody makes one without `encryptionKeys`.
    proof BYTEA NOT NULL,
    -- Since when nothing that it signed is accepted any more.
    revoked_at BIGINT
);
