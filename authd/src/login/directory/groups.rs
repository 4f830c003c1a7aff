//! Which groups is somebody in? What an attribute of their entry or a search names, and the groups that these are in, as far up as
//! is configured. Every group is looked up once, however they contain one another.

use std::collections::BTreeMap;

use policy::directory::filter::Node;
use policy::directory::{Dn, GroupSource, Groups, Scope};

use super::connection::Connection;
use super::failure::Failure;
use super::message::{Entry, Places, Search};

/// More groups than these are not looked at, and signing in is refused: leaving some out could leave out the one that counts.
const MOST: usize = 1000;
/// Result code: there is no such entry, or it may not be seen.
const NO_SUCH_OBJECT: i32 = 32;

/// The groups of an entry, by name in lower case and with one spelling.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By their DN in its one spelling: their names for people.
    by_dn: BTreeMap<String, String>,
}

impl Found {
    /// The names, each once.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.by_dn.values().cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// The DNs.
    pub(super) fn dns(&self) -> Vec<String> {
        self.by_dn.keys().cloned().collect()
    }
}

/// Looks up the groups of the person with this entry.
pub(super) async fn of(
    connection: &mut Connection,
    groups: &Groups,
    person: &Entry,
    username: &str,
) -> Result<Found, Failure> {
    let mut found = Found::default();
    let within = groups.within.as_deref().and_then(|base| Dn::read(base).ok());
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut next = direct(connection, groups, person, username).await?;
    for level in 0..=groups.depth {
        let mut fresh = Vec::new();
        for dn in next {
            // What is no name is no group.
            let Ok(name) = Dn::read(&dn) else { continue };
            if seen.insert(name.folded(), dn.clone()).is_some() {
                continue;
            }
            if seen.len() > MOST {
                return Err(too_many(person));
            }
            let counts = within.as_ref().is_none_or(|base| name.is_within(base));
            if let Some(own) = name.own_value().filter(|_| counts) {
                found.by_dn.insert(name.folded(), own.to_owned());
            }
            fresh.push(dn);
        }
        next = Vec::new();
        if level < groups.depth {
            for dn in fresh {
                next.extend(above(connection, groups, &dn).await?);
            }
        }
        if next.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// The groups that name the person.
async fn direct(
    connection: &mut Connection,
    groups: &Groups,
    person: &Entry,
    username: &str,
) -> Result<Vec<String>, Failure> {
    match &groups.source {
        GroupSource::Attribute(attribute) => listed(person, attribute),
        GroupSource::Search(search) => {
            let places = Places {
                username,
                dn: &person.dn,
            };
            searched(connection, search, places, person).await
        }
    }
}

/// The groups that a group is in.
async fn above(connection: &mut Connection, groups: &Groups, dn: &str) -> Result<Vec<String>, Failure> {
    let group = Entry {
        dn: dn.to_owned(),
        attributes: Vec::new(),
    };
    match &groups.source {
        GroupSource::Attribute(attribute) => {
            let search = Search {
                base: dn,
                scope: Scope::Base,
                filter: &Node::Present("objectClass".to_owned()),
                places: Places::default(),
                attributes: &[attribute],
                most: 1,
            };
            let found = connection.search(&search).await?;
            // A group that may not be read is still one; what it is in stays unknown.
            found
                .entries
                .first()
                .map_or(Ok(Vec::new()), |entry| listed(entry, attribute))
        }
        GroupSource::Search(search) => searched(connection, search, Places { username: "", dn }, &group).await,
    }
}

fn listed(entry: &Entry, attribute: &str) -> Result<Vec<String>, Failure> {
    // Active Directory gives more than 1500 values only in parts.
    let in_parts = |name: &str| {
        name.get(..attribute.len() + 1)
            .is_some_and(|begin| begin.eq_ignore_ascii_case(&format!("{attribute};")))
    };
    if entry.attributes.iter().any(|(name, _)| in_parts(name)) {
        return Err(too_many(entry));
    }
    Ok(entry.texts(attribute))
}

async fn searched(
    connection: &mut Connection,
    search: &policy::directory::Search,
    places: Places<'_>,
    whose: &Entry,
) -> Result<Vec<String>, Failure> {
    let search = Search {
        base: &search.base,
        scope: search.scope,
        filter: search.filter.node(),
        places,
        attributes: &[],
        most: MOST,
    };
    let found = connection.search(&search).await?;
    match found.outcome.code {
        _ if found.entries.len() > MOST => Err(too_many(whose)),
        0 => Ok(found.entries.into_iter().map(|entry| entry.dn).collect()),
        // A limit of the server's: some are missing.
        4 | 11 => Err(too_many(whose)),
        NO_SUCH_OBJECT => Err(Failure::SearchBaseMissing(search.base.to_owned())),
        _ => Err(Failure::SearchRefused(super::pool::described(&found.outcome))),
    }
}

fn too_many(entry: &Entry) -> Failure {
    Failure::TooManyGroups {
        dn: entry.dn.clone(),
        most: MOST,
    }
}
