//! Has the certificate that proxies see been renewed in time?

use jiff::Timestamp;

use crate::listen::tls::Validity;

/// What is to be said of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// It should have been renewed at that time.
    Since(Timestamp),
    /// It has ended, at that time.
    Ended(Timestamp),
}

impl Due {
    fn of(validity: Validity, now: Timestamp) -> Option<Self> {
        if now >= validity.ends {
            Some(Self::Ended(validity.ends))
        } else {
            let renewal = validity.renewal();
            (now >= renewal).then_some(Self::Since(renewal))
        }
    }
}

/// Looks at the certificate every now and then.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    /// What was said of it last.
    told: Option<Due>,
}

impl Renewal {
    /// Says it once when a certificate should have been renewed, and once when it has ended.
    pub(super) fn look(&mut self, validity: Option<Validity>, now: Timestamp) {
        let overdue = validity.map_or(0.0, |validity| now.duration_since(validity.renewal()).as_secs_f64());
        metrics::gauge!("authd_certificate_renewal_overdue_seconds").set(overdue.max(0.0));
        let due = validity.and_then(|validity| Due::of(validity, now));
        if due == self.told {
            return;
        }
        match due {
            None => {}
            Some(Due::Since(renewal)) => tracing::warn!(
                since = %renewal,
                "two thirds of the life of the certificate that proxies see are over: renew it; a new one is taken over without a restart"
            ),
            Some(Due::Ended(ended)) => tracing::error!(
                ended = %ended,
                "the certificate that proxies see has ended: those that check it let nobody in until there is a new one"
            ),
        }
        self.told = due;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_due_for_the_last_third_of_its_life() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let validity = Validity {
            begins: at(100),
            ends: at(400),
        };
        for (now, expected) in [
            (0, None),
            (299, None),
            (300, Some(Due::Since(at(300)))),
            (399, Some(Due::Since(at(300)))),
            (400, Some(Due::Ended(at(400)))),
            (9999, Some(Due::Ended(at(400)))),
        ] {
            assert_eq!(Due::of(validity, at(now)), expected, "{now}");
        }
    }
}
