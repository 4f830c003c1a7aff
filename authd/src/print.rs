//! Lines on standard output. A reader that has gone (`authd explain ... | head -1`) is no fault of ours and ends nothing.

use std::io::Write as _;

/// Prints a line.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
