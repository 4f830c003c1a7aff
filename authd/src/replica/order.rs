//! May one index follow another?

use policy::snapshot::shard::Index;

/// How an index stands to the one that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It is the same.
    Same,
    /// It was published later.
    Newer,
    /// It was published earlier: whoever went back to it would forget what was taken away since.
    Older,
    /// It has the same number and is another, so that nobody knows which of the two is later.
    Disputed,
}

/// Compares what is offered with what serves.
pub(super) fn compare(serving: Option<&Index>, offered: &Index) -> Order {
    let Some(serving) = serving else {
        return Order::Newer;
    };
    match offered.sequence.cmp(&serving.sequence) {
        std::cmp::Ordering::Greater => Order::Newer,
        std::cmp::Ordering::Less => Order::Older,
        std::cmp::Ordering::Equal if offered.digest == serving.digest => Order::Same,
        std::cmp::Ordering::Equal => Order::Disputed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(sequence: u64, digest: &str) -> Index {
        Index {
            format: policy::snapshot::FORMAT,
            sequence,
            digest: digest.to_owned(),
            shards: Vec::new(),
        }
    }

    #[test]
    fn nothing_goes_back() {
        for (offered, expected) in [
            (index(8, "a"), Order::Newer),
            (index(8, "b"), Order::Newer),
            (index(7, "a"), Order::Same),
            (index(7, "b"), Order::Disputed),
            (index(6, "a"), Order::Older),
            (index(6, "b"), Order::Older),
        ] {
            assert_eq!(compare(Some(&index(7, "a")), &offered), expected, "{offered:?}");
        }
        assert_eq!(compare(None, &index(0, "a")), Order::Newer, "before the first");
    }
}
