//! Where do ids, keys and nonces come from?
//!
//! The only home of randomness: everything else takes a [`Random`] as an argument. Hashing and signing are not here.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::{Builder, Uuid};

/// A source of random bytes.
#[derive(Clone)]
pub enum Random {
    /// A cryptographic generator, seeded and reseeded by the operating system.
    System,
    /// A generator that repeats itself for the same seed; for tests.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// A generator that yields the same bytes for the same seed; for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Fills the buffer with random bytes.
    #[expect(clippy::disallowed_methods, reason = "the one home of randomness")]
    pub fn fill(&self, buffer: &mut [u8]) {
        match self {
            Self::System => rand::rng().fill_bytes(buffer),
            Self::Seeded(generator) => {
                generator
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .fill_bytes(buffer);
            }
        }
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A version 7 id for a row: sorts by its time, to the millisecond (RFC 9562, section 5.7).
    #[must_use]
    pub fn id(&self, now: Timestamp) -> Uuid {
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(milliseconds, &self.bytes()).into_uuid()
    }

    /// A version 4 id for a token: 122 random bits (RFC 9562, section 5.4).
    #[must_use]
    pub fn token_id(&self) -> Uuid {
        Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// `length` random bytes as lower-case hexadecimal digits, two a byte.
    #[must_use]
    pub fn hex(&self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes.iter().fold(String::with_capacity(length * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not derived: a generator's state foretells what it yields.
        formatter.write_str(match self {
            Self::System => "System",
            Self::Seeded(_) => "Seeded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_yields_the_same_bytes() {
        assert_eq!(Random::seeded(7).bytes::<40>(), Random::seeded(7).bytes::<40>());
        assert_ne!(Random::seeded(7).bytes::<40>(), Random::seeded(8).bytes::<40>());
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        assert_ne!(Random::System.bytes::<32>(), Random::System.bytes::<32>());
        assert_ne!(Random::System.token_id(), Random::System.token_id());
    }

    #[test]
    fn row_ids_are_version_7_and_sort_by_time() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let random = Random::seeded(1);
        let (older, newer) = (random.id(at(1_700_000_000_000)), random.id(at(1_700_000_000_001)));
        assert_eq!(older.get_version_num(), 7);
        assert!(older < newer);
    }

    #[test]
    fn token_ids_are_version_4() {
        assert_eq!(Random::seeded(1).token_id().get_version_num(), 4);
    }

    #[test]
    fn hex_has_two_lower_case_digits_a_byte() {
        let text = Random::seeded(1).hex(16);
        assert_eq!(text.len(), 32);
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        );
    }

    #[test]
    fn debug_shows_no_state() {
        assert_eq!(format!("{:?}", Random::seeded(1)), "Seeded");
    }
}
