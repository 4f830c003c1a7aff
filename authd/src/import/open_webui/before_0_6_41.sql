-- What Open WebUI kept before 0.6.41: keys and subjects beside the account, members beside the group.
CREATE TABLE "user" (
    id VARCHAR NOT NULL PRIMARY KEY, name VARCHAR, email VARCHAR, role VARCHAR, profile_image_url TEXT,
    last_active_at BIGINT, updated_at BIGINT, created_at BIGINT, api_key VARCHAR UNIQUE, settings TEXT, info TEXT,
    oauth_sub TEXT UNIQUE
);
CREATE TABLE auth (id VARCHAR NOT NULL PRIMARY KEY, email VARCHAR, password TEXT, active BOOLEAN);
CREATE TABLE "group" (
    id TEXT NOT NULL PRIMARY KEY, user_id TEXT, name TEXT, description TEXT, data JSON, meta JSON, permissions JSON,
    user_ids JSON, created_at BIGINT, updated_at BIGINT
);
INSERT INTO "user" (id, email, role, name, profile_image_url, created_at, api_key, oauth_sub) VALUES
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a01', 'ann@example.com', 'admin', 'Ann', '/user.png', 1700000000,
        'sk-bb00000000000000000000000000bbbb', 'microsoft@a@b'),
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02', 'bob@example.com', 'user', 'Bob', '/user.png', 1700000001, NULL, 'alone');
INSERT INTO auth VALUES ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a01', 'ann@example.com', '$2b$10$kLf7wILnajp3OHobRcBPyeGXK0f9vptECSqz8aiBuoOhf4OmgI0IS', TRUE);
INSERT INTO "group" (id, name, user_ids) VALUES ('g1', 'staff', '["0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a01", "nobody"]');
