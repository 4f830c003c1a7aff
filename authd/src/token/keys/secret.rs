//! Is a shared secret good enough to sign with?

use super::Error;

/// RFC 7518 section 3.2: a key of at least the size of the hash.
const MIN_BYTES: usize = 32;
/// Fewer different bytes than this is a pattern: 32 random hexadecimal digits nearly always have more.
const MIN_DIFFERENT: usize = 8;
/// A text that repeats after this many bytes or fewer is a pattern, too.
const MAX_PERIOD: usize = 16;

/// Texts that stand in documentation, examples and defaults (the seed's among them), in lower case.
const KNOWN: [&str; 8] = [
    "t0p-s3cr3t",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "your-256-bit-secret",
    "0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz",
    "changeme",
    "change-me",
];

/// Refuses secrets that are short, known or repeat themselves.
pub(super) fn check(secret: &[u8]) -> Result<(), Error> {
    if secret.len() < MIN_BYTES {
        return Err(Error::ShortSecret { bytes: secret.len() });
    }
    let lower = secret.to_ascii_lowercase();
    let is_known = KNOWN
        .iter()
        .any(|known| lower.windows(known.len()).any(|part| part == known.as_bytes()));
    let different = (0..=u8::MAX).filter(|byte| secret.contains(byte)).count();
    let repeats = (1..=MAX_PERIOD).any(|period| secret.iter().zip(secret.iter().skip(period)).all(|(a, b)| a == b));
    if is_known || different < MIN_DIFFERENT || repeats {
        return Err(Error::GuessableSecret);
    }
    Ok(())
}
