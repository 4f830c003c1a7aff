-- What Open WebUI's migrations make since 0.6.41, as far as accounts are concerned.
CREATE TABLE "user" (
    id VARCHAR NOT NULL PRIMARY KEY, email VARCHAR, username VARCHAR(50), role VARCHAR, name VARCHAR,
    profile_image_url TEXT, profile_banner_image_url TEXT, bio TEXT, gender TEXT, date_of_birth DATE, timezone VARCHAR,
    presence_state VARCHAR, status_emoji VARCHAR, status_message TEXT, status_expires_at BIGINT,
    info JSON, settings JSON, oauth JSON, last_active_at BIGINT, updated_at BIGINT, created_at BIGINT
);
CREATE TABLE auth (id VARCHAR NOT NULL PRIMARY KEY, email VARCHAR, password TEXT, active BOOLEAN);
CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY, user_id TEXT REFERENCES "user" (id) ON DELETE CASCADE, "key" TEXT NOT NULL UNIQUE,
    data JSON, expires_at BIGINT, last_used_at BIGINT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE TABLE "group" (
    id TEXT NOT NULL PRIMARY KEY, user_id TEXT, name TEXT, description TEXT, data JSON, meta JSON, permissions JSON,
    created_at BIGINT, updated_at BIGINT
);
CREATE TABLE group_member (
    id TEXT NOT NULL PRIMARY KEY, group_id TEXT NOT NULL REFERENCES "group" (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES "user" (id) ON DELETE CASCADE, created_at BIGINT, updated_at BIGINT,
    CONSTRAINT uq_group_member_group_user UNIQUE (group_id, user_id)
);
CREATE TABLE oauth_session (
    id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, provider TEXT NOT NULL, token TEXT NOT NULL,
    expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE TABLE config (id INTEGER NOT NULL PRIMARY KEY, data JSON NOT NULL, version INTEGER NOT NULL);

-- The hash is of `correct horse battery`.
INSERT INTO "user" (id, email, role, name, profile_image_url, bio, gender, date_of_birth, settings, oauth, created_at) VALUES
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a01', 'Root@example.com', 'admin', 'Root', '/user.png', NULL, NULL, NULL,
        '{"ui": {}}', 'null', 1700000000),
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02', 'ann@example.com', 'user', 'Ann', 'https://example.com/ann.png', 'Hello', 'she',
        '2000-01-31', NULL, '{"google": {"sub": "1001"}, "github": {"sub": 77}}', 1700000100),
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a03', 'bob@example.com', 'pending', 'Bob', 'javascript:alert(1)', NULL, NULL, NULL,
        NULL, '"{\"oidc\": {\"sub\": \"b|o|b\"}}"', 1700000200),
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a04', 'ANN@example.com', 'user', 'Another Ann', '/user.png', NULL, NULL, NULL, NULL,
        NULL, 1700000300),
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a05', 'gone@example.com', 'moderator', 'Gone', '/user.png', NULL, NULL, NULL, NULL,
        '{"oidc": {}}', 1700000400),
    ('not-a-uuid', 'odd@example.com', 'user', 'Odd', '/user.png', NULL, NULL, NULL, NULL, NULL, 1700000500);
INSERT INTO auth (id, email, password, active) VALUES
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a01', 'root@example.com', '$2b$10$kLf7wILnajp3OHobRcBPyeGXK0f9vptECSqz8aiBuoOhf4OmgI0IS', TRUE),
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02', 'ann@example.com', '$2b$10$kLf7wILnajp3OHobRcBPyeGXK0f9vptECSqz8aiBuoOhf4OmgI0IS', TRUE),
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a03', 'bob@example.com', '4f4c7f1e-no-hash', TRUE),
    ('0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a05', 'gone@example.com', '$2b$10$kLf7wILnajp3OHobRcBPyeGXK0f9vptECSqz8aiBuoOhf4OmgI0IS', FALSE);
INSERT INTO api_key (id, user_id, "key", expires_at, created_at, updated_at) VALUES
    ('key_1', '0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02', 'sk-aa00000000000000000000000000aaaa', NULL, 1700000000, 1700000000),
    ('key_2', '0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a03', 'no key of ours', NULL, 1700000000, 1700000000);
INSERT INTO "group" (id, name, description, permissions) VALUES
    ('g1', 'staff', '', '{"features": {"api_keys": true}}'), ('g2', 'staff', '', NULL), ('g3', 'ops', '', 'null'), ('g4', '', '', '{}');
INSERT INTO group_member (id, group_id, user_id) VALUES
    ('m1', 'g1', '0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02'), ('m2', 'g2', '0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02'),
    ('m3', 'g3', '0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02'), ('m4', 'g4', '0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a01');
INSERT INTO oauth_session VALUES ('s1', '0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02', 'google', 'sealed', 1, 1, 1);
INSERT INTO config VALUES (1, '{}', 0);
