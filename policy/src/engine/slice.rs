//! Which policies can matter to a question, found by host, path and method before Cedar sees any: its cost grows with the number
//! of policies that it is shown.

use std::net::IpAddr;

use super::{At, Context, Engine, ReadyAccess};
use crate::principal::Principal;
use crate::snapshot::{CedarPolicy, Place, WantedSignIn};
use crate::target::{Scheme, Target, covers};

/// The policies that can matter to a question.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'e> {
    pub(super) access: Option<(At, &'e ReadyAccess)>,
    /// The rules that fit best, one bit each.
    pub(super) rules: u64,
}

/// What hand-written policies read beside the principal and the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    target: bool,
    client_ip: bool,
    now: bool,
    signed_in_at: bool,
    acr: bool,
}

impl Reads {
    /// Too much rather than too little: a mention in a text literal counts.
    pub(super) fn of(policies: &[CedarPolicy]) -> Self {
        let mentions = |word: &str| policies.iter().any(|policy| policy.tree.text().contains(word));
        let context = mentions("\"context\"");
        let (client_ip, now) = (mentions("\"clientIp\""), mentions("\"now\""));
        let (signed_in_at, acr) = (mentions("\"signedInAt\""), mentions("\"acr\""));
        let unclear = context && !client_ip && !now && !signed_in_at && !acr;
        Self {
            target: !policies.is_empty(),
            client_ip: client_ip || unclear,
            now: now || unclear,
            signed_in_at: signed_in_at || unclear,
            acr: acr || unclear,
        }
    }
}

/// Every input that a decision reads. Equal keys, asked of one Engine, have equal decisions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecisionKey {
    principal: u128,
    access: Option<At>,
    rules: u64,
    /// Which of the rules that ask for it find that somebody signed in lately, and which that they did so strongly: their policies read
    /// nothing else of the sign-in. `None`: no rule asks, or nobody signed in.
    lately: Option<u64>,
    strongly: Option<u64>,
    facts: Option<Box<Facts>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Facts {
    host: Box<str>,
    path: Box<str>,
    method: Box<str>,
    scheme: Scheme,
    client_ip: Option<Option<IpAddr>>,
    signed_in_at: Option<Option<i64>>,
    acr: Option<Option<Box<str>>>,
}

impl Engine {
    /// Cuts the question down.
    #[must_use]
    pub fn slice(&self, target: &Target<'_>) -> Slice<'_> {
        let access = self.access_of(&target.host);
        let rules = access.map_or(0, |(_, ready)| best(&ready.access.rules, target));
        Slice { access, rules }
    }
}

impl Slice<'_> {
    /// The key under which the decision may be remembered; `None`: it may not.
    #[must_use]
    pub fn key(&self, principal: &Principal, target: &Target<'_>, context: &Context<'_>) -> Option<DecisionKey> {
        let (access, reads) = self
            .access
            .map_or((None, Reads::default()), |(at, ready)| (Some(at), ready.reads));
        if reads.now {
            return None;
        }
        let signed_in = context.signed_in;
        let restricted = principal.key().is_some_and(|key| !key.restrictions.is_empty());
        let facts = (reads.target || restricted).then(|| {
            Box::new(Facts {
                host: (*target.host).into(),
                path: (*target.path).into(),
                method: (*target.method).into(),
                scheme: target.scheme,
                client_ip: reads.client_ip.then_some(context.client_ip),
                signed_in_at: reads.signed_in_at.then_some(signed_in.map(|signed_in| signed_in.at)),
                acr: reads
                    .acr
                    .then_some(signed_in.and_then(|signed_in| signed_in.acr).map(Box::from)),
            })
        });
        Some(DecisionKey {
            principal: principal.fingerprint(),
            access,
            rules: self.rules,
            lately: self.satisfied(context, WantedSignIn::is_lately),
            strongly: self.satisfied(context, WantedSignIn::is_strong),
            facts,
        })
    }

    /// Which of the rules that ask for something find it, one bit each.
    fn satisfied(&self, context: &Context<'_>, finds: fn(&WantedSignIn, &Context<'_>) -> Option<bool>) -> Option<u64> {
        context.signed_in?;
        let places = self.access.map_or(&[][..], |(_, ready)| &ready.access.rules);
        let deciding = places
            .iter()
            .enumerate()
            .filter(|(index, _)| self.rules & (1 << index) != 0);
        let asking = deciding.filter_map(|(index, place)| Some((index, finds(&place.sign_in, context)?)));
        let bit = |(index, found): (usize, bool)| u64::from(found) << index;
        asking.map(bit).reduce(|all, bit| all | bit)
    }
}

/// The rules whose path fits best: the longest prefix, and among equals those that name the method.
fn best(rules: &[Place], target: &Target<'_>) -> u64 {
    let mut best = (None, 0);
    for (index, place) in rules.iter().enumerate() {
        let Some(fit) = fit(place, target) else { continue };
        match best.0.cmp(&Some(fit)) {
            std::cmp::Ordering::Less => best = (Some(fit), 1 << index),
            std::cmp::Ordering::Equal => best.1 |= 1 << index,
            std::cmp::Ordering::Greater => {}
        }
    }
    best.1
}

/// How well a place fits: the length of the prefix, and whether it names the method. `None`: not at all.
pub(super) fn fit(place: &Place, target: &Target<'_>) -> Option<(usize, bool)> {
    let method = place.methods.is_empty() || place.methods.iter().any(|method| *method == target.method);
    let path = if place.paths.is_empty() {
        Some(0)
    } else {
        place
            .paths
            .iter()
            .filter(|prefix| covers(prefix, &target.path))
            .map(|prefix| prefix.trim_end_matches('/').len())
            .max()
    };
    path.filter(|_| method)
        .map(|length| (length, !place.methods.is_empty()))
}
