//! Something wrong with a resource, for the person who wrote it.

use crds::Reason;
use serde::Serialize;

/// Something wrong with a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The resource's kind.
    pub kind: String,
    /// The resource's namespace.
    pub namespace: String,
    /// The resource's name.
    pub name: String,
    /// The field, such as `spec.rules[1].paths[0]`; empty for the whole resource.
    pub field: String,
    /// Why, as conditions carry it.
    pub reason: Reason,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}: ", self.kind, self.namespace, self.name)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}
