//! Many rows in a PostgreSQL database of authd's, made by the server itself: people, each signed in once, and what else there is of them.

use crate::postgres::Postgres;

/// What there is for each number from `$1` to `$2`, in milliseconds since the epoch.
const PEOPLE: [&str; 2] = [
    "INSERT INTO users (id, email, email_verified, name, role, profile_image_url, created_at, updated_at)
     SELECT CAST(md5('user' || n) AS uuid), 'person-' || n || '@rows.example', TRUE, 'Person ' || n, 'user', '/user.png', now, now",
    "INSERT INTO sessions (id, user_id, provider, created_at, last_seen_at, expires_at, client_address, user_agent, signed_in_at)
     SELECT CAST(md5('session' || n) AS uuid), CAST(md5('user' || n) AS uuid), 'rows', now, now, later, '192.0.2.1', 'Firefox', now",
];
const REST: [&str; 5] = [
    "INSERT INTO identities (provider, subject, user_id, claims, updated_at)
     SELECT 'rows', CAST(n AS TEXT), CAST(md5('user' || n) AS uuid), '{}', now",
    "INSERT INTO memberships (user_id, group_name, source)
     SELECT CAST(md5('user' || n) AS uuid), 'group-' || n % 100, 'rows'",
    "INSERT INTO grants (session_id, provider, subject, sid, sealed, updated_at)
     SELECT CAST(md5('session' || n) AS uuid), 'rows', CAST(n AS TEXT), 'sid-' || n, '\\x00', now",
    "INSERT INTO api_keys (id, user_id, name, prefix, hash, created_at)
     SELECT CAST(md5('key' || n) AS uuid), CAST(md5('user' || n) AS uuid), 'key', 'sk-0000', sha256(convert_to('key' || n, 'UTF8')), now",
    "INSERT INTO changed_accounts (user_id, position) SELECT CAST(md5('user' || n) AS uuid), 0",
];
const REVOKED: &str = "INSERT INTO revocations (kind, id, expires_at, reason, created_at)
     SELECT 'session', CAST(md5('revoked' || n) AS uuid), later, 'signed-out', now";

/// So many people more, numbered from `first`, each with a session.
pub fn people(server: &Postgres, database: &str, first: u32, count: u32) {
    PEOPLE
        .iter()
        .for_each(|insert| fill(server, database, insert, first, count));
}

/// For so many people identities, groups, grants, keys and changes too.
pub fn rest(server: &Postgres, database: &str, first: u32, count: u32) {
    REST.iter()
        .for_each(|insert| fill(server, database, insert, first, count));
}

/// So many sessions that were ended, numbered from `first`.
pub fn revocations(server: &Postgres, database: &str, first: u32, count: u32) {
    fill(server, database, REVOKED, first, count);
}

/// Has the server look at how much there is, as it does by itself after a while.
pub fn settled(server: &Postgres, database: &str) {
    server.sql(database, "ANALYZE");
}

fn fill(server: &Postgres, database: &str, insert: &str, first: u32, count: u32) {
    let last = u64::from(first) + u64::from(count) - 1;
    // Within a month: as long as sessions last.
    let numbers = format!(
        "FROM generate_series({first}, {last}) AS n, (SELECT CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT)) AS t (now),
         LATERAL (SELECT now + 2000000000) AS u (later)"
    );
    server.sql(database, &format!("{insert} {numbers}"));
}
