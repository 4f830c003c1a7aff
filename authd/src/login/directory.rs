//! Who is this person, as a directory knows them? A client for LDAP servers, Active Directory's among them.
//!
//! It finds the entry of whoever typed a name, has the directory check the password by binding as that entry, has it say whom it
//! bound, and reads the person's id, groups and claims. Everything that a server sends is bounded in length, number and time, and
//! nothing that it refers to is followed. Passwords that many servers would take for nobody's are never sent.
//!
//! Not here: accounts, sessions and what the person is told ([`super::ldap`]).

mod ber;
mod connection;
mod entry;
mod failure;
mod groups;
mod message;
mod pool;
mod probe;
mod state;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use policy::directory::filter::Node;
use policy::directory::{self as settings, Bind, Dn, GroupSource, Scope};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

pub use failure::Failure;
pub use probe::Step;

use connection::Connection;
use message::{Entry, Places, Search};
use pool::{Lease, Pool};

/// The longest user name and password that are sent, in bytes.
const MAX_USERNAME: usize = 256;
const MAX_PASSWORD: usize = 1024;
/// Result codes.
const SIZE_LIMIT: i32 = 4;
const NO_SUCH_OBJECT: i32 = 32;

/// A directory that people sign in with.
#[derive(Debug)]
pub struct Directory {
    settings: settings::Directory,
    pool: Pool,
    deadline: Duration,
}

/// A person whom a directory knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id of their entry, which never changes.
    pub subject: String,
    /// What the directory says of them, by claim: `username`, `email`, `name`, `dn`, `groups`, `group_dns`.
    pub claims: BTreeMap<String, Vec<String>>,
}

impl Directory {
    /// A directory that nobody has asked yet.
    #[must_use]
    pub fn new(settings: &settings::Directory) -> Self {
        Self {
            settings: settings.clone(),
            pool: Pool::new(settings),
            deadline: Duration::from_millis(settings.limits.connect.saturating_add(settings.limits.operation)),
        }
    }

    /// Whether it is asked as these settings say.
    #[must_use]
    pub fn is_as(&self, settings: &settings::Directory) -> bool {
        let written = |settings| serde_json::to_vec(settings).ok();
        written(&self.settings) == written(settings)
    }

    /// Whether somebody can be looked up without their password.
    #[must_use]
    pub fn looks_up(&self) -> bool {
        !matches!(self.settings.bind, Bind::Person(_))
    }

    /// Finds whoever has this name and password.
    ///
    /// # Errors
    /// The directory does not vouch for them.
    pub async fn sign_in(&self, username: &str, password: &SecretString, now: Timestamp) -> Result<Person, Failure> {
        let secret = password.expose_secret();
        if secret.is_empty() {
            return Err(Failure::EmptyPassword);
        }
        let has_nul = username.contains('\0') || secret.contains('\0');
        if has_nul || username.trim().is_empty() || username.len() > MAX_USERNAME || secret.len() > MAX_PASSWORD {
            return Err(Failure::Unusable);
        }
        let attempt = async {
            match &self.settings.bind {
                Bind::Person(template) => self.as_themselves(&template.filled(username), secret, now).await,
                Bind::Application { .. } | Bind::Anonymous => self.as_found(username, secret, now).await,
            }
        };
        timeout(self.deadline, attempt).await.unwrap_or(Err(Failure::TimedOut))
    }

    /// Looks somebody up again who signed in before: whether they are still there, and what is said of them now.
    ///
    /// # Errors
    /// They are gone or kept out ([`Failure::is_of_the_person`]), or the directory does not say.
    pub async fn look_up(&self, subject: &str, now: Timestamp) -> Result<Person, Failure> {
        if !self.looks_up() {
            return Err(Failure::NotLookedUp);
        }
        let id = entry::has_subject(&self.settings.attributes.id, subject);
        let filter = Node::And(vec![self.settings.search.filter.for_anyone(), id]);
        let attempt = async {
            let (mut lease, found) = self.find(&filter, "").await?;
            self.person(lease.connection()?, &found?, now).await
        };
        timeout(self.deadline, attempt).await.unwrap_or(Err(Failure::TimedOut))
    }

    /// Finds the entry by the name, then binds as it.
    async fn as_found(&self, username: &str, password: &str, now: Timestamp) -> Result<Person, Failure> {
        let (mut lease, found) = self.find(self.settings.search.filter.node(), username).await?;
        let entry = match found {
            Ok(entry) => entry,
            Err(failure) => {
                // As much work as a wrong password is.
                let nobody = message::nobody_below(&self.settings.search.base);
                lease.connection()?.bind(&nobody, password.as_bytes()).await?;
                lease.bind_as_ours().await?;
                return Err(failure);
            }
        };
        let outcome = lease.connection()?.bind(&entry.dn, password.as_bytes()).await?;
        let mut judged = state::judge(&entry, &outcome);
        if judged.is_ok() {
            judged = self.prove(lease.connection()?, &entry.dn).await;
        }
        lease.bind_as_ours().await?;
        judged?;
        self.person(lease.connection()?, &entry, now).await
    }

    /// Binds as the entry whose name is known, then reads it with the person's own rights.
    async fn as_themselves(&self, dn: &str, password: &str, now: Timestamp) -> Result<Person, Failure> {
        let mut lease = self.pool.take().await?;
        let outcome = lease.connection()?.bind(dn, password.as_bytes()).await?;
        let found = match state::judge(&Entry::default(), &outcome) {
            Ok(()) => self.own(lease.connection()?, dn, now).await,
            Err(failure) => Err(failure),
        };
        lease.bind_as_ours().await?;
        found
    }

    async fn own(&self, connection: &mut Connection, dn: &str, now: Timestamp) -> Result<Person, Failure> {
        let filter = self.settings.search.filter.for_anyone();
        let search = Search {
            base: dn,
            scope: Scope::Base,
            filter: &filter,
            places: Places::default(),
            attributes: &self.attributes(),
            most: 1,
        };
        let entry = one(connection, &search).await?;
        let person = self.person(connection, &entry, now).await?;
        self.prove(connection, dn).await?;
        Ok(person)
    }

    /// Searches for one entry; inside, why there is none or not one. A server that fails before it has answered is left for another.
    async fn find(&self, filter: &Node, username: &str) -> Result<(Lease<'_>, Result<Entry, Failure>), Failure> {
        let attributes = self.attributes();
        let search = Search {
            base: &self.settings.search.base,
            scope: self.settings.search.scope,
            filter,
            places: Places { username, dn: "" },
            attributes: &attributes,
            most: 1,
        };
        let mut tries = self.settings.servers.len();
        loop {
            let mut lease = self.pool.take().await?;
            match one(lease.connection()?, &search).await {
                Err(failure) if tries > 0 && failure.is_of_the_server() => tries -= 1,
                Err(failure) if !failure.is_of_the_person() => return Err(failure),
                found => return Ok((lease, found)),
            }
        }
    }

    /// What is read of an entry.
    fn attributes(&self) -> Vec<&str> {
        let names = &self.settings.attributes;
        let mut attributes = vec![&*names.id, &*names.username, &*names.email, &*names.name];
        attributes.extend(state::ATTRIBUTES);
        if let Some(GroupSource::Attribute(attribute)) = self.settings.groups.as_ref().map(|groups| &groups.source) {
            attributes.push(attribute);
        }
        attributes
    }

    /// Has the directory say that the connection is bound as this entry: a server that lets everybody in as nobody does not.
    ///
    /// A server that knows no "who am I" must show the entry to its owner and to nobody else.
    async fn prove(&self, connection: &mut Connection, dn: &str) -> Result<(), Failure> {
        if let Some(identity) = connection.who_am_i().await? {
            if let Some(named) = identity.strip_prefix("dn:") {
                let same = Dn::read(named).and_then(|named| Ok(named.is(&Dn::read(dn)?)));
                return if same == Ok(true) {
                    Ok(())
                } else {
                    Err(Failure::IdentityUnproven)
                };
            }
            if identity.trim_start_matches("u:").is_empty() {
                return Err(Failure::IdentityUnproven);
            }
        }
        let theirs = is_visible(connection, dn).await?;
        connection.bind("", &[]).await?;
        let anybodys = is_visible(connection, dn).await?;
        if theirs && !anybodys {
            Ok(())
        } else {
            Err(Failure::IdentityUnproven)
        }
    }

    /// What the directory says of the person with this entry.
    async fn person(&self, connection: &mut Connection, entry: &Entry, now: Timestamp) -> Result<Person, Failure> {
        state::check(entry, now)?;
        let names = &self.settings.attributes;
        let subject = entry::subject(entry, &names.id)?;
        let mut claims = entry::claims(entry, names);
        if let Some(groups) = &self.settings.groups {
            let username = claims
                .get("username")
                .and_then(|names| names.first())
                .cloned()
                .unwrap_or_default();
            let found = groups::of(connection, groups, entry, &username).await?;
            claims.insert("groups".to_owned(), found.names());
            claims.insert("group_dns".to_owned(), found.dns());
        }
        Ok(Person { subject, claims })
    }
}

/// The one entry that is found.
async fn one(connection: &mut Connection, search: &Search<'_>) -> Result<Entry, Failure> {
    let mut found = connection.search(search).await?;
    match found.outcome.code {
        _ if found.entries.len() > 1 => Err(Failure::AmbiguousUser),
        0 => found.entries.pop().ok_or(Failure::UnknownUser),
        SIZE_LIMIT => Err(Failure::AmbiguousUser),
        NO_SUCH_OBJECT => Err(Failure::SearchBaseMissing(search.base.to_owned())),
        _ => Err(Failure::SearchRefused(pool::described(&found.outcome))),
    }
}

/// Whether an entry can be seen by whom the connection is bound as.
async fn is_visible(connection: &mut Connection, dn: &str) -> Result<bool, Failure> {
    let search = Search {
        base: dn,
        scope: Scope::Base,
        filter: &Node::Present("objectClass".to_owned()),
        places: Places::default(),
        attributes: &[],
        most: 1,
    };
    Ok(!connection.search(&search).await?.entries.is_empty())
}

/// Reads what a server sent, as one message. For fuzzing: it must come to an end, whatever the bytes.
#[must_use]
pub fn fuzz_answer(bytes: &[u8]) -> bool {
    matches!(ber::frame(bytes), Ok(Some(length)) if bytes.get(..length).is_some_and(|message| message::read(message).is_ok()))
}
