//! What do Pods read of Secrets when they start, and never again?
//!
//! Where the database and Redis are. A digest of it stands on the Pods, so that they are replaced, one after the other, when another value
//! stands in a Secret. It is made with a key that nobody has who may not read the Secrets of the Authd: a password cannot be guessed by it.

use aws_lc_rs::hmac;
use policy::secret::expose;
use policy::snapshot::Settings;

/// The digest; `None` where nothing is read.
#[must_use]
pub fn digest(settings: &Settings) -> Option<String> {
    let database = settings.database.as_ref()?;
    // Whoever has a database has one: the definition of Authds asks for it.
    let key = hmac::Key::new(hmac::HMAC_SHA256, expose(settings.encryption_keys.first()?));
    let mut digest = hmac::Context::with_key(&key);
    let redis = settings.redis.as_ref();
    let ca = database.ca.as_deref().unwrap_or_default();
    let ca_of_redis = redis.and_then(|redis| redis.ca.as_deref()).unwrap_or_default();
    for part in [
        b"what a Pod reads at its start".as_slice(),
        expose(&database.url),
        ca.as_bytes(),
        redis.map_or(&[], |redis| expose(&redis.url)),
        ca_of_redis.as_bytes(),
    ] {
        digest.update(&part.len().to_be_bytes());
        digest.update(part);
    }
    let tag = digest.sign();
    let digits = tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}"));
    Some(digits.collect())
}

#[cfg(test)]
mod tests {
    use policy::secret::secret;
    use policy::snapshot::{Database, Redis};

    use super::*;

    /// The settings of an instance with this database, this first key, and another.
    fn settings(url: &str, ca: Option<&str>, key: &str) -> Settings {
        let resources = crate::deploy::tests::resources();
        let snapshot = policy::compile(&resources, None).snapshot;
        let mut settings = snapshot.expect("the instance alone is a Snapshot").settings;
        settings.database = Some(Database {
            url: secret(url.as_bytes()),
            ca: ca.map(str::to_owned),
        });
        settings.encryption_keys = vec![secret(key.as_bytes()), secret(b"another")];
        settings
    }

    #[test]
    fn another_value_is_another_digest_and_the_same_is_the_same() {
        let usual = digest(&settings("postgres://a:b@c/d", Some("ca"), "key"));
        assert_eq!(usual, digest(&settings("postgres://a:b@c/d", Some("ca"), "key")));
        assert_eq!(usual.as_ref().map(String::len), Some(32));
        let mut with_redis = settings("postgres://a:b@c/d", Some("ca"), "key");
        with_redis.redis = Some(Redis {
            url: secret(b"redis://a:b@c"),
            ca: None,
            key_prefix: "authd".to_owned(),
        });
        for (case, other) in [
            ("another password", settings("postgres://a:c@c/d", Some("ca"), "key")),
            ("another authority", settings("postgres://a:b@c/d", Some("cb"), "key")),
            ("no authority", settings("postgres://a:b@c/d", None, "key")),
            (
                "what is moved from one to the other",
                settings("postgres://a:b@c/dc", Some("a"), "key"),
            ),
            ("another Redis", with_redis),
            (
                "another instance's key",
                settings("postgres://a:b@c/d", Some("ca"), "yek"),
            ),
        ] {
            assert_ne!(usual, digest(&other), "{case}");
        }
    }

    #[test]
    fn where_nothing_is_read_there_is_none() {
        let mut none = settings("postgres://a:b@c/d", None, "key");
        none.database = None;
        assert_eq!(digest(&none), None);
    }
}
