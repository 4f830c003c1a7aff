//! What does an account of Open WebUI become here? Pure: what cannot be taken over is a remark, and the rest is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::open_webui::{self, Found};
use crate::api::account as fields;
use crate::login::hashing;
use crate::random::Random;
use crate::store::{Foreign, Identity, KeyHash, NewKey, NewUser, Role};

#[cfg(test)]
mod tests;

/// The longest name of a group and the longest key, in bytes.
const MAX_GROUP: usize = 256;
const MAX_KEY: usize = 256;
/// The longest subject at a provider, in bytes.
const MAX_SUBJECT: usize = 1024;
/// The picture of who has none.
const NO_PICTURE: &str = "/user.png";

/// What it takes beside the accounts.
pub struct Means<'a> {
    /// What providers are called here, by their names there.
    pub providers: &'a BTreeMap<String, String>,
    /// The keyed hash of an API key.
    pub hash: &'a dyn Fn(&str) -> KeyHash,
    /// For the ids of keys.
    pub random: &'a Random,
    /// Now.
    pub now: Timestamp,
}

/// Something that is not taken over, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The address of the account, its id where it has none, or the name of the group.
    pub about: String,
    /// What, and why.
    pub what: String,
}

/// The accounts as they are taken over, and what is not.
#[must_use]
pub fn translated(found: &Found, means: &Means<'_>) -> (Vec<Foreign>, Vec<Remark>) {
    let mut remarks = Vec::new();
    let mut groups = memberships(found, &mut remarks);
    let (mut ids, mut emails) = (BTreeSet::new(), BTreeSet::new());
    let mut accounts = Vec::new();
    for account in &found.accounts {
        let mut reading = Reading {
            account,
            means,
            remarks: &mut remarks,
        };
        let Some(foreign) = reading.account(groups.remove(account.id.as_str()).unwrap_or_default()) else {
            continue;
        };
        if !ids.insert(foreign.user.id) || !emails.insert(foreign.user.email.clone()) {
            reading.remark("left out: an older account has the same address");
            continue;
        }
        accounts.push(foreign);
    }
    (accounts, remarks)
}

/// The groups of each account, by its id there.
fn memberships<'a>(found: &'a Found, remarks: &mut Vec<Remark>) -> BTreeMap<&'a str, Vec<String>> {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (name, members) in &found.groups {
        let name = name.trim();
        let mut remark = |what: &str| {
            let about = if name.is_empty() { "a group" } else { name };
            remarks.push(Remark {
                about: about.to_owned(),
                what: what.to_owned(),
            });
        };
        if name.is_empty() || name.len() > MAX_GROUP || name.contains(char::is_control) {
            remark("left out: its name is empty, longer than 256 bytes or has invisible characters");
            continue;
        }
        if !names.insert(name) {
            remark("groups of one name are one group here");
        }
        for member in members {
            groups.entry(member).or_default().insert(name);
        }
    }
    let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
    groups.into_iter().map(|(id, names)| (id, owned(names))).collect()
}

struct Reading<'a> {
    account: &'a open_webui::Account,
    means: &'a Means<'a>,
    remarks: &'a mut Vec<Remark>,
}

impl Reading<'_> {
    fn remark(&mut self, what: impl Into<String>) {
        let account = self.account;
        let about = if account.email.is_empty() {
            &account.id
        } else {
            &account.email
        };
        self.remarks.push(Remark {
            about: about.clone(),
            what: what.into(),
        });
    }

    /// The account; `None` where it cannot be one here.
    fn account(&mut self, groups: Vec<String>) -> Option<Foreign> {
        let account = self.account;
        let Ok(id) = account.id.parse::<Uuid>() else {
            self.remark(format!("left out: its id `{}` is no UUID", account.id));
            return None;
        };
        let Ok(email) = fields::email(&account.email) else {
            self.remark("left out: it has no usable e-mail address");
            return None;
        };
        let created_at = account.created_at.and_then(|at| Timestamp::from_second(at).ok());
        let user = NewUser {
            id,
            name: self.name(&email),
            email,
            email_verified: false,
            role: self.role(),
            password_hash: self.password(),
            profile_image_url: self.picture(),
            created_at: created_at.unwrap_or(self.means.now),
        };
        Some(Foreign {
            bio: self.words("what the person says of themselves", account.bio.clone(), 1000),
            gender: self.words("the gender", account.gender.clone(), 64),
            date_of_birth: account.date_of_birth.as_deref().and_then(|text| text.parse().ok()),
            disabled: !account.active,
            identities: self.identities(id),
            keys: self.keys(id),
            groups,
            user,
        })
    }

    fn name(&mut self, email: &str) -> String {
        fields::name(&self.account.name).unwrap_or_else(|_| {
            self.remark("the name cannot be used: the address stands for it");
            email.to_owned()
        })
    }

    fn role(&mut self) -> Role {
        self.account.role.parse().unwrap_or_else(|_| {
            let message = format!("there is no role `{}` here: the account is pending", self.account.role);
            self.remark(message);
            Role::Pending
        })
    }

    /// A hash that passwords can be held against. Open WebUI keeps words that are none for accounts of directories.
    fn password(&mut self) -> Option<SecretString> {
        let hash = self.account.password.clone()?;
        if hashing::accepts(hash.expose_secret()) {
            return Some(hash);
        }
        self.remark("the password is no bcrypt hash: the person signs in at a provider, or gets a new one");
        None
    }

    fn picture(&mut self) -> String {
        let Some(url) = &self.account.picture else {
            self.remark("the picture is missing or larger than 64 KiB");
            return NO_PICTURE.to_owned();
        };
        fields::image(url).unwrap_or_else(|_| {
            self.remark(
                "the picture cannot be used: only a path, https, or a PNG, JPEG, GIF or WebP inside a data: URL can",
            );
            NO_PICTURE.to_owned()
        })
    }

    fn words(&mut self, what: &str, text: Option<String>, most: usize) -> Option<String> {
        fields::words(text, most).unwrap_or_else(|_| {
            self.remark(format!("{what} is longer than {most} characters or has invisible ones"));
            None
        })
    }

    /// Whom the account is known as at providers. What these say of the person is known once they sign in.
    fn identities(&mut self, user: Uuid) -> Vec<Identity> {
        let mut identities = Vec::new();
        for (there, subject) in self.subjects() {
            if subject.is_empty() || subject.len() > MAX_SUBJECT {
                self.remark(format!(
                    "the subject at `{there}` is empty or longer than {MAX_SUBJECT} bytes"
                ));
                continue;
            }
            let here = self.means.providers.get(&there).unwrap_or(&there);
            identities.push(Identity {
                provider: here.clone(),
                subject,
                user_id: user,
                claims: json!({}),
                updated_at: self.means.now,
                refused_at: None,
            });
        }
        identities
    }

    /// Providers and subjects: `{"google": {"sub": "1"}}`, in a text of JSON or once more inside one, or `google@1`.
    fn subjects(&mut self) -> Vec<(String, String)> {
        let Some(text) = self.account.subjects.clone().filter(|text| !text.is_empty()) else {
            return Vec::new();
        };
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        let value = match read(&text) {
            Some(Value::String(inner)) => read(&inner),
            Some(value @ Value::Object(_)) => Some(value),
            _ => {
                let (provider, subject) = text.split_once('@').unwrap_or(("oidc", &text));
                return vec![(provider.to_owned(), subject.to_owned())];
            }
        };
        let Some(Value::Object(providers)) = value else {
            self.remark("the subjects at providers cannot be read");
            return Vec::new();
        };
        let mut subjects = Vec::new();
        for (provider, said) in providers {
            match said.get("sub") {
                Some(Value::String(subject)) => subjects.push((provider, subject.clone())),
                Some(Value::Number(subject)) => subjects.push((provider, subject.to_string())),
                _ => self.remark(format!("there is no subject at `{provider}`")),
            }
        }
        subjects
    }

    fn keys(&mut self, user: Uuid) -> Vec<NewKey> {
        let mut keys = Vec::new();
        for key in &self.account.keys {
            let text = key.text.expose_secret();
            let fits = text.len() <= MAX_KEY && text.bytes().all(|byte| byte.is_ascii_graphic());
            if !fits || !text.starts_with("sk-") {
                self.remark(
                    "an API key does not begin with `sk-` or has characters that none has here: make a new one",
                );
                continue;
            }
            let expires_at = key.expires_at.map(Timestamp::from_second);
            keys.push(NewKey {
                id: self.means.random.id(self.means.now),
                user_id: user,
                name: "Open WebUI".to_owned(),
                prefix: text.chars().take(7).collect(),
                hash: (self.means.hash)(text),
                endpoints: None,
                created_at: self.means.now,
                expires_at: expires_at.and_then(Result::ok),
            });
        }
        keys
    }
}
