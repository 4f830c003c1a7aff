//! Is the sign-in behind a request recent and strong enough for a rule, and if not, which one would be?

use super::Engine;
use super::decide::{Context, Denial, Question, determining};
use crate::compile::rule_field;
use crate::snapshot::WantedSignIn;

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn<'a> {
    /// When, in epoch milliseconds.
    pub at: i64,
    /// In which class their provider put it (`acr`), where it said so.
    pub acr: Option<&'a str>,
}

impl WantedSignIn {
    /// Whether it is recent enough; `None`: the rule does not ask.
    pub(super) fn is_lately(&self, context: &Context<'_>) -> Option<bool> {
        let most = i64::try_from(self.signed_in_within?)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        let signed_in = context.signed_in;
        Some(signed_in.is_some_and(|signed_in| context.now.saturating_sub(signed_in.at) <= most))
    }

    /// Whether it is strong enough; `None`: the rule does not ask.
    pub(super) fn is_strong(&self, context: &Context<'_>) -> Option<bool> {
        let acr = context.signed_in.and_then(|signed_in| signed_in.acr);
        (!self.acr.is_empty()).then(|| self.acr.iter().any(|wanted| Some(wanted.as_str()) == acr))
    }

    fn suffices(&self, context: &Context<'_>) -> bool {
        self.is_lately(context) != Some(false) && self.is_strong(context) != Some(false)
    }
}

impl Engine {
    /// Whether any rule asks for a sign-in of this class.
    #[must_use]
    pub fn asks_for_class(&self, acr: &str) -> bool {
        let access = self.pieces.iter().flat_map(|piece| &piece.access);
        let mut wanted = access
            .flat_map(|ready| &ready.access.rules)
            .flat_map(|place| &place.sign_in.acr);
        wanted.any(|wanted| wanted == acr)
    }
}

impl Question<'_> {
    /// Which sign-in would have the rules say yes that say no now, and what is wrong with the one there is; `None`: none would.
    /// The least that will do: a new one in the class of the old one, before one in another class.
    pub(super) fn after_signing_in_again(&self) -> Option<(Denial, WantedSignIn)> {
        let signed_in = self.context.signed_in?;
        let deciding = || {
            let rules = self.ready.access.rules.iter().enumerate();
            rules.filter(|(index, _)| self.rules & (1 << index) != 0)
        };
        if deciding().all(|(_, place)| place.sign_in.suffices(self.context)) {
            return None;
        }
        let recent = std::iter::once((Denial::SignedInTooLongAgo, signed_in.acr));
        let stronger = deciding().filter_map(|(_, place)| place.sign_in.acr.first());
        let stronger = stronger.map(|class| (Denial::SignedInTooWeakly, Some(class.as_str())));
        recent.chain(stronger).find_map(|(denial, acr)| {
            let places = self.permitting(SignIn {
                at: self.context.now,
                acr,
            })?;
            let least = deciding().filter(|(index, _)| places.contains(&rule_field(*index)));
            let least = least.max_by_key(|(_, place)| place.sign_in.signed_in_within.unwrap_or(u64::MAX))?;
            Some((denial, least.1.sign_in.clone()))
        })
    }

    /// What would permit it after this sign-in.
    fn permitting(&self, signed_in: SignIn<'_>) -> Option<Vec<String>> {
        let context = Context {
            signed_in: Some(signed_in),
            ..*self.context
        };
        let again = Question {
            context: &context,
            ..*self
        };
        let response = again.ask(self.rules).ok()?;
        if response.decision() == cedar_policy::Decision::Deny || response.diagnostics().errors().next().is_some() {
            return None;
        }
        Some(
            determining(self.principal, &response)
                .into_iter()
                .map(|one| one.rule)
                .collect(),
        )
    }
}
