//! Is this password good enough for a new account or a change?
//!
//! Length and no guessable text, as NIST SP 800-63B asks; no rules about kinds of characters. What a refusal says is for
//! the person: it tells what would be right. Passwords that people already have are not judged here.

#[cfg(test)]
mod tests;

use super::hashing::MAX_PASSWORD_BYTES;

/// Common passwords of eight characters and more, in lower case, one a line.
const COMMON: &str = include_str!("policy/common.txt");

/// The name that nobody should choose as a password here.
const PRODUCT: &str = "authd";

/// What a password has to be.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The fewest characters.
    pub min_length: usize,
}

/// Why a password is refused, in words for the person who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Fewer characters than the policy asks for.
    #[error("the password is too short: it needs at least {min_length} characters; a few words in a row are fine")]
    TooShort {
        /// How many it needs.
        min_length: usize,
    },
    /// More bytes than are hashed.
    #[error(
        "the password is too long: it may have at most 72 bytes, and letters outside of A to Z take two or more each"
    )]
    TooLong,
    /// A NUL character.
    #[error("the password has a NUL character: use any characters that a keyboard gives")]
    Nul,
    /// One of the most common passwords, perhaps with digits or signs around it.
    #[error("the password is among those that everybody tries first: use a few words that do not belong together")]
    Common,
    /// One piece over and over.
    #[error("the password repeats itself: use a few words that do not belong together")]
    Repeated,
    /// The product's name or the part of the e-mail address before the `@`, perhaps with digits or signs around it.
    #[error("the password is made of your e-mail address or of the name of this service: choose something unrelated")]
    Personal,
}

impl Refusal {
    /// The reason as metrics and audit lines name it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "PasswordTooShort",
            Self::TooLong => "PasswordTooLong",
            Self::Nul => "PasswordNul",
            Self::Common => "PasswordCommon",
            Self::Repeated => "PasswordRepeated",
            Self::Personal => "PasswordPersonal",
        }
    }
}

impl Policy {
    /// Judges a new password of the person with this e-mail address.
    pub fn check(&self, password: &str, email: &str) -> Result<(), Refusal> {
        // Judged first, and by length alone: what follows reads the text several times.
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(Refusal::TooLong);
        }
        if password.contains('\0') {
            return Err(Refusal::Nul);
        }
        if password.chars().count() < self.min_length {
            return Err(Refusal::TooShort {
                min_length: self.min_length,
            });
        }
        let lower = password.to_lowercase();
        let word = lower.trim_matches(|letter: char| !letter.is_alphabetic());
        let local_part = email.split('@').next().unwrap_or_default().to_lowercase();
        let email = email.to_lowercase();
        let personal = [PRODUCT, &*local_part, &*email];
        if personal
            .iter()
            .any(|name| !name.is_empty() && (*name == lower || *name == word))
        {
            return Err(Refusal::Personal);
        }
        if COMMON.lines().any(|common| common == lower || common == word) {
            return Err(Refusal::Common);
        }
        if repeats(&lower) {
            return Err(Refusal::Repeated);
        }
        Ok(())
    }
}

/// Whether a text is one piece of at most four bytes over and over.
fn repeats(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=4).any(|period| {
        bytes
            .iter()
            .zip(bytes.iter().skip(period))
            .all(|(one, next)| one == next)
    })
}
