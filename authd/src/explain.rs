//! `authd explain`: why may somebody reach a URL, or why not?

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use policy::engine::{AccountRole, Admission, Claims, Context, Explanation, Outcome, SignIn};
use policy::principal::{KeyUse, User};
use policy::snapshot::keys::{ActsFor, Key};
use policy::target::Scheme;
use policy::{Engine, Principal, Target};

use crate::clock::Clock;
use crate::config::{self, Output};
use crate::identity::session::{account_role, claims};
use crate::print;
use crate::source;
use crate::store::Store;

/// Exit code of a refusal.
const DENIED: u8 = 3;

/// Explains a decision.
///
/// # Errors
/// The configuration has problems, or what was asked for does not exist.
pub fn run(explain: &config::Explain) -> anyhow::Result<ExitCode> {
    let ready = source::read(&explain.source, explain.instance.as_deref())?;
    let engine = ready.engine()?;
    let principal = principal(&engine, explain)?;
    let (scheme, host, uri) = split(&explain.url)?;
    let target =
        Target::read(explain.method.as_bytes(), scheme, host.as_bytes(), uri.as_bytes()).with_context(|| {
            format!(
                "`{} {}` is refused before any policy is asked",
                explain.method, explain.url
            )
        })?;
    let now = Clock::system().now().as_millisecond();
    let person = explain.who.user.as_ref();
    let context = Context {
        client_ip: explain.client_ip,
        now,
        signed_in: person.map(|_| SignIn {
            at: now.saturating_sub(explain.signed_in_ago),
            acr: explain.acr.as_deref(),
        }),
    };
    let explanation = engine.explain(&principal, &target, &context);
    match explain.output {
        Output::Json => print::line(serde_json::to_string(&explanation)?),
        Output::Text => write(&explanation),
    }
    Ok(match explanation.decision.outcome {
        Outcome::Permit => ExitCode::SUCCESS,
        Outcome::Deny(_) => ExitCode::from(DENIED),
    })
}

fn split(url: &str) -> anyhow::Result<(Scheme, &str, &str)> {
    let wanted = || anyhow!("`{url}` is not a URL such as https://app.example.com/path");
    let (scheme, rest) = url.split_once("://").ok_or_else(wanted)?;
    let scheme = Scheme::read(scheme.as_bytes()).ok_or_else(wanted)?;
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, uri) = rest.split_at(slash);
    Ok((scheme, host, if uri.is_empty() { "/" } else { uri }))
}

fn principal(engine: &Engine, explain: &config::Explain) -> anyhow::Result<Principal> {
    let who = &explain.who;
    if let Some(name) = &who.key {
        let key = engine
            .keys()
            .find(|key| key.name() == name)
            .ok_or_else(|| anyhow!("there is no ApiKey `{name}`"))?;
        return of_key(engine, explain, key);
    }
    if let Some(service) = &who.service {
        let owned = |key: &&Key| matches!(key.acts_for(), ActsFor::Service(name, _) if name == service);
        let key = engine
            .keys()
            .find(owned)
            .ok_or_else(|| anyhow!("no ApiKey belongs to service `{service}`"))?;
        return of_key(engine, explain, key);
    }
    match &who.user {
        Some(email) => person(engine, explain, email, None),
        None => Ok(Principal::anonymous()),
    }
}

fn of_key(engine: &Engine, explain: &config::Explain, key: &Key) -> anyhow::Result<Principal> {
    key.usable(Clock::system().now().as_second())
        .map_err(|unusable| anyhow!("ApiKey `{}` cannot be used: {unusable:?}", key.name()))?;
    match key.acts_for() {
        ActsFor::Service(name, roles) => Ok(Principal::service(
            name.to_owned(),
            roles.iter().cloned().collect(),
            key.as_used(),
        )),
        ActsFor::User(email) => person(engine, explain, email, Some(key.as_used())),
    }
}

fn person(engine: &Engine, explain: &config::Explain, email: &str, key: Option<KeyUse>) -> anyhow::Result<Principal> {
    let provider = engine.providers().find(|provider| provider.method.is_password());
    let provider = provider
        .map(|provider| provider.name.clone())
        .ok_or_else(|| anyhow!("there is no AuthProvider with passwords"))?;
    let mut user = User {
        id: email.to_owned(),
        name: email.to_owned(),
        email: email.to_lowercase(),
        email_verified: true,
        provider: provider.clone(),
        pending: false,
    };
    let Some(data) = &explain.data else {
        let said = Claims([("email".to_owned(), vec![user.email.clone()])].into());
        return admitted(engine, &provider, &said, AccountRole::Pending, (user, explain, key));
    };
    let (account, groups) = look_up(data, email, &provider)?;
    user.id = account.id.to_string();
    user.name.clone_from(&account.name);
    user.email_verified = account.email_verified;
    if account.disabled {
        bail!("account `{email}` is disabled: every request of theirs is refused");
    }
    match engine.admit(&provider, &claims(&account), account_role(account.role)) {
        Admission::Admitted { roles, groups: granted } => Ok(Principal::user(
            user,
            roles,
            granted.into_iter().chain(groups).collect(),
            key,
        )),
        Admission::Pending => {
            user.pending = true;
            Ok(Principal::user(user, BTreeSet::new(), BTreeSet::new(), key))
        }
        Admission::Refused => {
            bail!("account `{email}` is not admitted: no RoleMapping grants it a role, and `onNoMatch` is Deny")
        }
    }
}

/// Somebody who is taken to have the roles and groups that were given, or those that mappings grant their address.
fn admitted(
    engine: &Engine,
    provider: &str,
    said: &Claims,
    account: AccountRole,
    (mut user, explain, key): (User, &config::Explain, Option<KeyUse>),
) -> anyhow::Result<Principal> {
    let mut roles: BTreeSet<String> = explain.role.iter().cloned().collect();
    let mut groups: BTreeSet<String> = explain.group.iter().cloned().collect();
    if let Admission::Admitted {
        roles: granted,
        groups: member,
    } = engine.admit(provider, said, account)
    {
        roles.extend(granted);
        groups.extend(member);
    }
    // Somebody who waits for an administrator is in no group.
    user.pending = roles.is_empty() && groups.is_empty();
    Ok(Principal::user(user, roles, groups, key))
}

fn look_up(data: &std::path::Path, email: &str, provider: &str) -> anyhow::Result<(crate::store::User, Vec<String>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(data).await?;
        let user = store
            .user_by_email(email)
            .await?
            .ok_or_else(|| anyhow!("there is no account `{email}` in `{}`", data.display()))?;
        let groups = store.groups_of(user.id, provider).await?;
        store.close().await;
        Ok((user, groups))
    })
}

fn write(explanation: &Explanation) {
    let answer = match explanation.decision.outcome {
        Outcome::Permit => "PERMIT",
        Outcome::Deny(_) => "DENY",
    };
    print::line(format_args!("{answer}  {}", explanation.target));
    print::line(format_args!("  for {}", explanation.principal));
    for step in &explanation.steps {
        print::line(format_args!("  - {step}"));
    }
    for rule in &explanation.rules {
        let mark = if rule.decides {
            "decides"
        } else if rule.covers {
            "covers"
        } else {
            ""
        };
        print::line(format_args!("    {:<16} {:<8} {}", rule.rule, mark, rule.place));
    }
    print::line(format_args!("  snapshot {}", explanation.snapshot));
}
