//! What does an unquoted word in YAML mean, and would another reader of the same file think otherwise?
//!
//! kubectl reads YAML 1.1, where `no` is false and `0755` is 493; YAML 1.2 says otherwise. A word on which they disagree is a
//! [`Surprise`], which is refused rather than guessed at.

use serde_json::{Number, Value};

/// Why a reader might take a word or key for something else than was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Surprise {
    /// A YAML 1.1 boolean (`no`, `on`, `y`), with the value that kubectl sees.
    Word(bool),
    /// A number with a leading zero, or with `_` in it, with the value that kubectl sees.
    Number(i64),
    /// Infinity or not-a-number, which JSON cannot say.
    NotFinite,
    /// A key that is not text.
    Key,
    /// A `<<` merge key.
    Merge,
    /// A tag that is not one of YAML's own, or that does not fit its value.
    Tag(String),
}

impl Surprise {
    /// The sentence about it; `shown` is the word in backticks, or a stand-in where the word may be secret.
    pub(super) fn sentence(&self, shown: &str, quoted: &str) -> String {
        match self {
            Self::Word(seen) => {
                format!("{shown} means `{seen}` to kubectl: write {quoted} for the text, or `{seen}`")
            }
            Self::Number(_) => {
                format!(
                    "{shown} is read as different numbers by different programs: write {quoted}, or the number in decimal"
                )
            }
            Self::NotFinite => format!("{shown} is not a number that JSON can say: write {quoted} for the text"),
            Self::Key => format!("the key {shown} is not text: write {quoted}"),
            Self::Merge => "merge keys (`<<`) are not read: write the fields out".to_owned(),
            Self::Tag(tag) => format!("the tag `{tag}` is not read: leave it out"),
        }
    }
}

/// The value of an unquoted scalar, and what is surprising about it.
pub(super) fn plain(text: &str) -> (Value, Option<Surprise>) {
    let surprise = match text {
        "" | "~" | "null" | "Null" | "NULL" => return (Value::Null, None),
        "true" | "True" | "TRUE" => return (Value::Bool(true), None),
        "false" | "False" | "FALSE" => return (Value::Bool(false), None),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(Surprise::Word(true)),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(Surprise::Word(false)),
        _ => match number(text) {
            Ok(Some(number)) => return (Value::Number(number), None),
            Ok(None) => None,
            Err(surprise) => Some(surprise),
        },
    };
    (Value::String(text.to_owned()), surprise)
}

fn number(text: &str) -> Result<Option<Number>, Surprise> {
    let unsigned = text.trim_start_matches(['-', '+']);
    if text.len() > unsigned.len() + 1 {
        return Ok(None);
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err(Surprise::NotFinite);
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(None);
    }
    if let Some(seen) = surprising(text, unsigned) {
        return Err(Surprise::Number(seen));
    }
    if let Some(number) = radix(unsigned).or_else(|| text.parse().ok()) {
        return Ok(Some(if text.starts_with('-') && number > 0 {
            Number::from(-number)
        } else {
            Number::from(number)
        }));
    }
    if let Ok(number) = text.parse::<u64>() {
        return Ok(Some(Number::from(number)));
    }
    if !unsigned
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(number) => Number::from_f64(number).map(Some).ok_or(Surprise::NotFinite),
        Err(_) => Ok(None),
    }
}

/// `0x1f`, `0o17`.
fn radix(unsigned: &str) -> Option<i64> {
    let digits = |prefix: &str, radix: u32| {
        unsigned
            .strip_prefix(prefix)
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
            .and_then(|rest| i64::from_str_radix(rest, radix).ok())
    };
    digits("0x", 16).or_else(|| digits("0o", 8))
}

/// What kubectl makes of `0755`, `1_000` and `0b11`, where that is not what YAML 1.2 says.
fn surprising(text: &str, unsigned: &str) -> Option<i64> {
    let digits = unsigned.replace('_', "");
    if let Some(binary) = digits.strip_prefix("0b") {
        return i64::from_str_radix(binary, 2).ok();
    }
    let octal = digits.len() > 1 && digits.starts_with('0');
    if !digits.bytes().all(|b| b.is_ascii_digit()) || (!octal && digits.len() == unsigned.len()) {
        return None;
    }
    let seen = i64::from_str_radix(&digits, if octal { 8 } else { 10 }).ok()?;
    Some(if text.starts_with('-') { -seen } else { seen })
}
