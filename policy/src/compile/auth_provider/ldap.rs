//! `ldap` to a directory: addresses, names and filters are read here, so that what is wrong with them is said before anybody signs
//! in.

use crds::{AuthProvider, Duration, Encryption, LdapScope, Nested, Reason};

use super::outbound::{authorities, certificates};
use super::text;
use crate::compile::scope::{Scope, problem};
use crate::directory::filter::{self, Place};
use crate::directory::{
    Attributes, Bind, ClientCertificate, Directory, Dn, Filter, GroupSource, Groups, Limits, Protection, Search,
    Server, Tls, dn,
};
use crate::problem::Problem;
use crate::snapshot::Method;

/// How many times groups of groups are looked up with `nested: Recursive`.
const DEPTH: u32 = 10;
/// The longest time limit, in milliseconds.
const LONGEST: u64 = 30_000;
/// `LDAP_MATCHING_RULE_IN_CHAIN`.
const IN_CHAIN: &str = "(member:1.2.840.113556.1.4.1941:={dn})";

/// One resource, and where its parts say what is wrong with them.
#[derive(Clone, Copy)]
struct Reading<'a> {
    scope: &'a Scope<'a>,
    resource: &'a AuthProvider,
    ldap: &'a crds::Ldap,
}

/// The directory, with its secrets.
pub(super) fn compile(scope: &Scope<'_>, resource: &AuthProvider, ldap: &crds::Ldap) -> Result<Method, Problem> {
    let reading = Reading { scope, resource, ldap };
    let attributes = &ldap.attributes;
    Ok(Method::Ldap(Box::new(Directory {
        servers: reading.servers()?,
        tls: reading.tls()?,
        bind: reading.bind()?,
        search: reading.search()?,
        attributes: Attributes {
            id: attributes.id.clone(),
            username: attributes.username.clone(),
            email: attributes.email.clone(),
            name: attributes.name.clone(),
        },
        groups: ldap.groups.as_ref().map(|groups| reading.groups(groups)).transpose()?,
        limits: Limits {
            connections: ldap.limits.connections,
            connect: reading.time("connect", &ldap.limits.connect)?,
            operation: reading.time("operation", &ldap.limits.operation)?,
        },
    })))
}

impl Reading<'_> {
    fn wrong(&self, field: &str, reason: Reason, message: impl Into<String>) -> Problem {
        problem(self.resource, &format!("spec.ldap.{field}"), reason, message)
    }

    fn servers(&self) -> Result<Vec<Server>, Problem> {
        let server = |(index, url): (usize, &String)| {
            server(url, self.ldap.encryption).ok_or_else(|| {
                let message = format!(
                    "`{url}` is no address of a directory: write `ldaps://HOST[:PORT]` or `ldap://HOST[:PORT]`"
                );
                self.wrong(&format!("urls[{index}]"), Reason::InvalidValue, message)
            })
        };
        self.ldap.urls.iter().enumerate().map(server).collect()
    }

    fn tls(&self) -> Result<Tls, Problem> {
        let Some(tls) = &self.ldap.tls else {
            return Ok(Tls::default());
        };
        let given = (tls.ca_secret_ref.as_ref(), tls.ca_config_map_ref.as_ref());
        let client = tls.client_certificate.as_ref().map(|client| {
            let [chain, key] = ["certificateSecretRef", "keySecretRef"]
                .map(|field| format!("spec.ldap.tls.clientCertificate.{field}"));
            Ok(ClientCertificate {
                chain: certificates(self.scope, self.resource, &chain, &client.certificate_secret_ref)?,
                key: text(self.scope, self.resource, &key, &client.key_secret_ref)?,
            })
        });
        Ok(Tls {
            authorities: authorities(self.scope, self.resource, "spec.ldap.tls", given)?,
            server_name: tls.server_name.clone(),
            client: client.transpose()?,
        })
    }

    fn bind(&self) -> Result<Bind, Problem> {
        let bind = &self.ldap.bind;
        match (&bind.application, &bind.anonymous, &bind.person) {
            (Some(application), None, None) => {
                let field = "spec.ldap.bind.application.passwordSecretRef";
                Ok(Bind::Application {
                    name: application.name.clone(),
                    password: text(self.scope, self.resource, field, &application.password_secret_ref)?,
                })
            }
            (None, Some(_), None) => Ok(Bind::Anonymous),
            (None, None, Some(person)) => {
                let template = dn::Template::read(&person.dn);
                let template = template.map_err(|error| {
                    self.wrong(
                        "bind.person.dn",
                        Reason::InvalidValue,
                        format!("`{}` is no DN: {error}", person.dn),
                    )
                });
                template.map(Bind::Person)
            }
            _ => {
                let message = "give exactly one of `application`, `anonymous` and `person`";
                Err(self.wrong("bind", Reason::InvalidField, message))
            }
        }
    }

    fn search(&self) -> Result<Search, Problem> {
        let Some(search) = &self.ldap.search else {
            // The person's own entry, whose name is known.
            return Ok(Search {
                base: String::new(),
                scope: crate::directory::Scope::Base,
                filter: self.filter("bind", "(objectClass=*)")?,
            });
        };
        let filter = self.filter("search.filter", &search.filter)?;
        let place = if filter.negates_a_place() {
            Some("`{username}` must not stand under `!`")
        } else if !filter.has(Place::Username) {
            Some("it has no `{username}`, so that it finds the same for everybody")
        } else if filter.has(Place::Dn) {
            Some("`{dn}` is for `groups.search.filter`: nobody is found yet")
        } else {
            None
        };
        match place {
            Some(message) => Err(self.wrong("search.filter", Reason::InvalidValue, message)),
            None => Ok(Search {
                base: self.dn("search.base", &search.base)?,
                scope: far(search.scope),
                filter,
            }),
        }
    }

    fn groups(&self, groups: &crds::LdapGroups) -> Result<Groups, Problem> {
        let within = groups
            .within
            .as_ref()
            .map(|base| self.dn("groups.within", base))
            .transpose()?;
        let source = match (&groups.attribute, &groups.search, groups.nested) {
            (Some(_), None, Nested::InChain) => {
                let base = within.clone().ok_or_else(|| {
                    let message = "`nested: InChain` needs `within`: the DN below which groups are searched";
                    self.wrong("groups", Reason::InvalidField, message)
                })?;
                GroupSource::Search(Search {
                    base,
                    scope: crate::directory::Scope::Subtree,
                    filter: self.filter("groups.nested", IN_CHAIN)?,
                })
            }
            (Some(attribute), None, _) => GroupSource::Attribute(attribute.clone()),
            (None, Some(search), Nested::No | Nested::Recursive) => GroupSource::Search(self.group_search(search)?),
            _ => {
                let message = "give exactly one of `attribute` and `search`; `nested: InChain` goes with `attribute`";
                return Err(self.wrong("groups", Reason::InvalidField, message));
            }
        };
        let depth = if groups.nested == Nested::Recursive { DEPTH } else { 0 };
        Ok(Groups { source, depth, within })
    }

    fn group_search(&self, search: &crds::LdapGroupSearch) -> Result<Search, Problem> {
        let filter = self.filter("groups.search.filter", &search.filter)?;
        if !filter.has(Place::Dn) && !filter.has(Place::Username) {
            let message = "it has no `{dn}` and no `{username}`, so that everybody is in the same groups";
            return Err(self.wrong("groups.search.filter", Reason::InvalidValue, message));
        }
        Ok(Search {
            base: self.dn("groups.search.base", &search.base)?,
            scope: far(search.scope),
            filter,
        })
    }

    fn filter(&self, field: &str, text: &str) -> Result<Filter, Problem> {
        Filter::read(text).map_err(|error: filter::Invalid| {
            self.wrong(field, Reason::InvalidValue, format!("`{text}` is no filter: {error}"))
        })
    }

    /// A DN, as it is written.
    fn dn(&self, field: &str, text: &str) -> Result<String, Problem> {
        match Dn::read(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(self.wrong(field, Reason::InvalidValue, format!("`{text}` is no DN: {error}"))),
        }
    }

    fn time(&self, field: &str, duration: &Duration) -> Result<u64, Problem> {
        let wrong = |message: String| self.wrong(&format!("limits.{field}"), Reason::InvalidDuration, message);
        match duration.milliseconds().map_err(|error| wrong(error.to_string()))? {
            Some(milliseconds) if (100..=LONGEST).contains(&milliseconds) => Ok(milliseconds),
            _ => Err(wrong(format!("`{}` must be from `100ms` to `30s`", duration.0))),
        }
    }
}

fn far(scope: LdapScope) -> crate::directory::Scope {
    match scope {
        LdapScope::Subtree => crate::directory::Scope::Subtree,
        LdapScope::OneLevel => crate::directory::Scope::OneLevel,
    }
}

/// Reads `ldaps://HOST[:PORT]`; `None` where it is something else.
fn server(url: &str, encryption: Encryption) -> Option<Server> {
    let (scheme, rest) = url.split_once("://")?;
    let (protection, usual) = match (scheme, encryption) {
        ("ldaps", Encryption::Required) => (Protection::Tls, 636),
        ("ldap", Encryption::Required) => (Protection::StartTls, 389),
        ("ldap", Encryption::None) => (Protection::None, 389),
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(address) => address.split_once(']')?,
        None => rest.find(':').map_or((rest, ""), |at| rest.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None if port.is_empty() => usual,
        None => return None,
    };
    let is_host = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
    is_host.then(|| Server {
        url: url.to_owned(),
        host: host.to_owned(),
        port,
        protection,
    })
}
