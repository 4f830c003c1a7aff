//! What was taken over, or would be, and what was not: for people and for programs. No secret is in it.

use serde_json::{Value, json};

use super::accounts::Remark;
use super::open_webui::Left;
use crate::store::{Conflict, Foreign, Outcome, Role, Taken, Writing};

/// What became of an import.
#[derive(Debug)]
pub struct Report {
    writing: Writing,
    counts: Counts,
    remarks: Vec<Remark>,
    left: Vec<(Left, u64)>,
}

/// How much was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    accounts: usize,
    admins: usize,
    here_already: usize,
    passwords: usize,
    identities: usize,
    keys: usize,
    memberships: usize,
}

impl Report {
    /// What became of each account, what was remarked before, and how much has no counterpart.
    #[must_use]
    pub fn new(
        writing: Writing,
        accounts: &[Foreign],
        outcomes: &[Outcome],
        (mut remarks, left): (Vec<Remark>, Vec<(Left, u64)>),
    ) -> Self {
        let mut counts = Counts::default();
        for (account, outcome) in accounts.iter().zip(outcomes) {
            counts.add(account, outcome);
            remarks.extend(said(outcome).into_iter().map(|what| Remark {
                about: account.user.email.clone(),
                what,
            }));
        }
        Self {
            writing,
            counts,
            remarks,
            left,
        }
    }

    /// In a few words, for an audit line.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{} accounts of Open WebUI", self.counts.accounts)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let Counts {
            accounts,
            admins,
            here_already,
            passwords,
            identities,
            keys,
            memberships,
        } = self.counts;
        let remarks: Vec<Value> = self
            .remarks
            .iter()
            .map(|remark| json!({"about": remark.about, "what": remark.what}))
            .collect();
        let left: Vec<Value> = self
            .left
            .iter()
            .map(|(left, count)| json!({"what": what(*left), "count": count, "advice": advice(*left)}))
            .collect();
        json!({
            "applied": self.writing == Writing::Done,
            "takenOver": {
                "accounts": accounts, "admins": admins, "passwords": passwords, "identities": identities, "apiKeys": keys,
                "memberships": memberships,
            },
            "hereAlready": here_already,
            "remarks": remarks,
            "withoutCounterpart": left,
        })
    }

    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let counts = self.counts;
        let verb = match self.writing {
            Writing::Done => "taken over",
            Writing::Tried => "would be taken over",
        };
        let mut lines = vec![
            format!(
                "{} accounts {verb}, {} of them administrators",
                counts.accounts, counts.admins
            ),
            format!(
                "  with {} passwords, {} subjects at providers",
                counts.passwords, counts.identities
            ),
            format!(
                "  with {} API keys, in {} groups in all",
                counts.keys, counts.memberships
            ),
        ];
        if counts.here_already > 0 {
            lines.push(format!(
                "{} accounts are here already and stay as they are",
                counts.here_already
            ));
        }
        lines.extend(
            self.remarks
                .iter()
                .map(|Remark { about, what }| format!("{about}: {what}")),
        );
        let left = self.left.iter();
        lines.extend(left.map(|(left, count)| format!("{count} {}: {}", what(*left), advice(*left))));
        lines.push(match self.writing {
            Writing::Done => "done. Servers that run on this database know them within a second".to_owned(),
            Writing::Tried => "nothing was written: add `--apply`".to_owned(),
        });
        lines
    }
}

impl Counts {
    fn add(&mut self, account: &Foreign, outcome: &Outcome) {
        match outcome.taken {
            Taken::HereAlready => self.here_already += 1,
            Taken::AddressTaken => {}
            Taken::Over => {
                let left = |is_it: fn(&Conflict) -> bool| outcome.conflicts.iter().filter(|one| is_it(one)).count();
                self.accounts += 1;
                self.admins += usize::from(account.user.role == Role::Admin);
                self.passwords += usize::from(account.user.password_hash.is_some());
                self.identities += account.identities.len() - left(|one| matches!(one, Conflict::Identity(_)));
                self.keys += account.keys.len() - left(|one| matches!(one, Conflict::Key(_)));
                self.memberships += account.groups.len();
            }
        }
    }
}

/// What is said of an account.
fn said(outcome: &Outcome) -> Vec<String> {
    let mut said = Vec::new();
    if outcome.taken == Taken::AddressTaken {
        said.push(
            "left out: another account here has the address. Delete that one first, or give it another address"
                .to_owned(),
        );
    }
    said.extend(outcome.conflicts.iter().map(|conflict| match conflict {
        Conflict::Identity(provider) => format!("the subject at `{provider}` belongs to another account here"),
        Conflict::Key(prefix) => format!("the API key that begins with `{prefix}` belongs to another account here"),
    }));
    said
}

fn what(left: Left) -> &'static str {
    match left {
        Left::Permissions => "groups with permissions",
        Left::ProviderSessions => "sessions at providers",
        Left::Settings => "stored settings",
        Left::Preferences => "accounts with preferences",
    }
}

fn advice(left: Left) -> &'static str {
    match left {
        Left::Permissions => {
            "what a group may do is said in AccessPolicies; what it may do inside Open WebUI stays there"
        }
        Left::ProviderSessions => "people sign in once more",
        Left::Settings => "see docs/migrating-from-open-webui.md for the field that takes the place of each",
        Left::Preferences => "they stay in Open WebUI",
    }
}
