//! May this entry's owner sign in at all, as far as the entry says?
//!
//! The directory decides at the bind, as it knows its own rules best; what it does not enforce, or only knows by an attribute, is
//! decided here. A lock after wrong guesses keeps nobody out who is in already, as otherwise whoever guesses could throw them out.

use jiff::Timestamp;

use super::failure::Failure;
use super::message::{Entry, Outcome};

#[cfg(test)]
mod tests;

/// What tells it; attributes that a directory does not have it leaves out.
pub(super) const ATTRIBUTES: [&str; 7] = [
    "userAccountControl",
    "msDS-User-Account-Control-Computed",
    "accountExpires",
    "pwdAccountLockedTime",
    "shadowExpire",
    "nsAccountLock",
    "pwdReset",
];

/// Result code: wrong name or password.
const INVALID_CREDENTIALS: i32 = 49;
/// Bits of `userAccountControl`.
const DISABLED: i64 = 0x2;
const LOCKED: i64 = 0x10;
/// `pwdAccountLockedTime` of an account that an administrator locked for good.
const LOCKED_FOR_GOOD: &str = "000001010000Z";
/// Ticks of 100 ns from 1601, where Active Directory's time begins, to 1970.
const TICKS_BEFORE_1970: i128 = 116_444_736_000_000_000;

/// Whether the entry's owner may be here at all.
///
/// # Errors
/// The account is disabled or has expired.
pub(super) fn check(entry: &Entry, now: Timestamp) -> Result<(), Failure> {
    let is_disabled = number(entry, "userAccountControl").is_some_and(|bits| bits & DISABLED != 0)
        || text(entry, "nsAccountLock").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || text(entry, "pwdAccountLockedTime") == Some(LOCKED_FOR_GOOD);
    if is_disabled {
        return Err(Failure::AccountDisabled);
    }
    if has_expired(entry, now) {
        return Err(Failure::AccountExpired);
    }
    Ok(())
}

fn has_expired(entry: &Entry, now: Timestamp) -> bool {
    let ticks = number(entry, "accountExpires").filter(|ticks| *ticks > 0 && *ticks < i64::MAX);
    let by_ticks = ticks.is_some_and(|ticks| (i128::from(ticks) - TICKS_BEFORE_1970) * 100 <= now.as_nanosecond());
    let today = now.as_second().div_euclid(86_400);
    let days = number(entry, "shadowExpire").filter(|days| *days >= 0);
    by_ticks || days.is_some_and(|days| days <= today)
}

/// Why the directory refused the person, or that it did not.
///
/// # Errors
/// It did, or wants something done first.
pub(super) fn judge(entry: &Entry, outcome: &Outcome) -> Result<(), Failure> {
    match outcome.policy {
        Some(0) => return Err(Failure::PasswordExpired),
        Some(1) => return Err(Failure::AccountLocked),
        Some(2) => return Err(Failure::PasswordMustChange),
        _ => {}
    }
    if outcome.code == 0 {
        return match text(entry, "pwdReset") {
            Some(value) if value.eq_ignore_ascii_case("true") => Err(Failure::PasswordMustChange),
            _ => Ok(()),
        };
    }
    Err(match active_directory_code(&outcome.diagnostic) {
        Some(0x533) => Failure::AccountDisabled,
        Some(0x701) => Failure::AccountExpired,
        Some(0x532) => Failure::PasswordExpired,
        Some(0x773) => Failure::PasswordMustChange,
        Some(0x775) => Failure::AccountLocked,
        _ if outcome.code == INVALID_CREDENTIALS && is_locked(entry) => Failure::AccountLocked,
        _ => Failure::UserBindRefused(super::pool::described(outcome)),
    })
}

fn is_locked(entry: &Entry) -> bool {
    text(entry, "pwdAccountLockedTime").is_some()
        || number(entry, "msDS-User-Account-Control-Computed").is_some_and(|bits| bits & LOCKED != 0)
}

/// The number after `data` in `80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563`.
fn active_directory_code(diagnostic: &str) -> Option<u32> {
    let (_, rest) = diagnostic.split_once(" data ")?;
    let digits = rest.split(',').next()?;
    u32::from_str_radix(digits.trim(), 16).ok()
}

fn text<'a>(entry: &'a Entry, attribute: &str) -> Option<&'a str> {
    std::str::from_utf8(entry.values(attribute).first()?).ok()
}

fn number(entry: &Entry, attribute: &str) -> Option<i64> {
    text(entry, attribute)?.parse().ok()
}
