//! Does a directory work as it is configured? Each server by itself, and on request what is read of one person. No secret is in what
//! comes out.

use jiff::Timestamp;
use policy::directory::Bind;
use tokio::time::timeout;

use super::message::{Entry, Places, Search};
use super::{Directory, Failure, Pool, is_visible, one};

/// The longest value that is shown, in characters.
const SHOWN: usize = 120;

/// Something that was tried, and what came of it.
#[derive(Debug)]
pub struct Step {
    /// The server.
    pub server: String,
    /// What was tried.
    pub what: &'static str,
    /// What was found; or why nothing was.
    pub outcome: Result<String, Failure>,
}

impl Directory {
    /// Tries each server, and looks up one person if a name is given.
    pub async fn probe(&self, username: Option<&str>, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        for server in &self.settings.servers {
            let mut settings = self.settings.clone();
            settings.servers = vec![server.clone()];
            let pool = Pool::new(&settings);
            let mut tell = |what, outcome| {
                steps.push(Step {
                    server: server.url.clone(),
                    what,
                    outcome,
                });
            };
            let connected = timeout(self.deadline, self.connects(&pool))
                .await
                .unwrap_or(Err(Failure::TimedOut));
            let works = connected.is_ok();
            tell("connect and bind", connected);
            if !works || matches!(self.settings.bind, Bind::Person(_)) {
                continue;
            }
            let found = timeout(self.deadline, self.searches(&pool))
                .await
                .unwrap_or(Err(Failure::TimedOut));
            let works = found.is_ok();
            tell("search base", found);
            let Some(username) = username.filter(|_| works) else {
                continue;
            };
            let shown = timeout(self.deadline, self.shows(&pool, username, now));
            match shown.await.unwrap_or(Err(Failure::TimedOut)) {
                Ok(attributes) => attributes.into_iter().for_each(|(what, value)| tell(what, Ok(value))),
                Err(failure) => tell("look up", Err(failure)),
            }
        }
        steps
    }

    async fn connects(&self, pool: &Pool) -> Result<String, Failure> {
        pool.take().await?;
        Ok(match &self.settings.bind {
            Bind::Application { name, .. } => format!("bound as `{name}`"),
            Bind::Anonymous => "bound as nobody".to_owned(),
            Bind::Person(_) => "not bound: only people can".to_owned(),
        })
    }

    async fn searches(&self, pool: &Pool) -> Result<String, Failure> {
        let base = &self.settings.search.base;
        if is_visible(pool.take().await?.connection()?, base).await? {
            Ok(format!("`{base}` can be seen"))
        } else {
            Err(Failure::SearchBaseMissing(base.clone()))
        }
    }

    /// What is read of a person: as claims, after what tells whether they may sign in.
    async fn shows(&self, pool: &Pool, username: &str, now: Timestamp) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut lease = pool.take().await?;
        let attributes = self.attributes();
        let search = Search {
            base: &self.settings.search.base,
            scope: self.settings.search.scope,
            filter: self.settings.search.filter.node(),
            places: Places { username, dn: "" },
            attributes: &attributes,
            most: 1,
        };
        let entry = one(lease.connection()?, &search).await?;
        let mut shown: Vec<_> = super::state::ATTRIBUTES
            .into_iter()
            .filter_map(|attribute| Some((attribute, values(&entry, attribute)?)))
            .collect();
        let person = self.person(lease.connection()?, &entry, now).await?;
        shown.push(("id", person.subject));
        for name in ["dn", "username", "email", "name", "groups", "group_dns"] {
            let values = person
                .claims
                .get(name)
                .map_or(String::new(), |values| values.join("; "));
            shown.push((name, cut(&values)));
        }
        Ok(shown)
    }
}

fn values(entry: &Entry, attribute: &str) -> Option<String> {
    let texts = entry.texts(attribute);
    (!texts.is_empty()).then(|| cut(&texts.join("; ")))
}

fn cut(text: &str) -> String {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if shown.is_empty() { "absent".to_owned() } else { shown }
}
