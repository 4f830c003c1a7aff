//! How long something lasts, as people write it: `12h`, `4w`, `1h30m`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pairs of a number and a unit (`ms`, `s`, `m`, `h`, `d`, `w`) that are added up: `30s`, `1.5h`, `4w2d`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub struct Duration(
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^(-1|0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+)$")
    )]
    pub String,
);

/// The text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDuration(
    /// The text as written.
    pub String,
);

impl std::fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` is not a duration: write a number and one of ms, s, m, h, d, w, such as `12h` or `4w`",
            self.0
        )
    }
}

impl std::error::Error for InvalidDuration {}

impl From<&str> for Duration {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Duration {
    /// The length in milliseconds; `None` for `-1` and `0`, which mean "without end".
    ///
    /// # Errors
    /// The text does not follow the grammar, adds up to nothing, or is longer than 100 years.
    pub fn milliseconds(&self) -> Result<Option<u64>, InvalidDuration> {
        if matches!(self.0.as_str(), "-1" | "0") {
            return Ok(None);
        }
        let total = sum(&self.0).ok_or_else(|| InvalidDuration(self.0.clone()))?;
        let longest = 100.0 * 366.0 * 86_400_000.0;
        if !(1.0..=longest).contains(&total) {
            return Err(InvalidDuration(self.0.clone()));
        }
        Ok(Some(whole(total)))
    }

    /// The length in whole seconds, at least 1; `None` for "without end".
    ///
    /// # Errors
    /// As for [`Duration::milliseconds`].
    pub fn seconds(&self) -> Result<Option<u64>, InvalidDuration> {
        Ok(self.milliseconds()?.map(|milliseconds| milliseconds.div_ceil(1000)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller keeps it between 1 and 100 years"
)]
fn whole(total: f64) -> u64 {
    total.round() as u64
}

fn sum(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if !number.starts_with(|c: char| c.is_ascii_digit()) || !number.ends_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        total += number.parse::<f64>().ok()? * milliseconds_of(unit)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn milliseconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        "w" => 604_800_000.0,
        _ => return None,
    })
}
