//! `authd sessions`: where is everybody signed in, and how is somebody signed out without asking a server?
//!
//! It works on the database, whether a server runs or not; a server looks at it by itself, and tells in its audit lines who did it.

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::acts;
use crate::clock::Clock;
use crate::config::{EndSessions, Output, SessionList, Sessions};
use crate::data_folder;
use crate::print;
use crate::store::{self, Owned, Reason, Store, User, What, Whose};

/// Whose sessions they are, where they are no one person's.
const EVERYBODY: &str = "everybody";

/// Lists sessions, or ends some.
///
/// # Errors
/// There is no database, no such account or no such session.
pub fn run(sessions: &Sessions) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match sessions {
            Sessions::List(list) => print_all(list, now).await,
            Sessions::End(ending) => end(ending, now).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn print_all(list: &SessionList, now: Timestamp) -> anyhow::Result<()> {
    let store = data_folder::store(&list.stored).await?;
    let (sessions, total) = match &list.user {
        Some(email) => of(&store, email, (list.most, now)).await?,
        None => store.sessions_of_everybody(list.most, now).await?,
    };
    let whose = list.user.clone().unwrap_or_else(|| EVERYBODY.to_owned());
    acts::note(&store, What::SessionsListed, whose, now).await?;
    store.close().await;
    match list.output {
        Output::Json => {
            let shown: Vec<Value> = sessions.iter().map(described).collect();
            print::line(json!({"sessions": shown, "total": total}));
        }
        Output::Text => {
            sessions.iter().for_each(write);
            print::line(format_args!("{} of {total} sessions", sessions.len()));
        }
    }
    Ok(())
}

/// The sessions of one account, and how many there are.
async fn of(store: &Store, email: &str, (most, now): (u32, Timestamp)) -> anyhow::Result<(Vec<Owned>, u64)> {
    let user = account(store, email).await?;
    let sessions = store.sessions_of(user.id, now).await?;
    let total = u64::try_from(sessions.len()).unwrap_or(u64::MAX);
    let owned = |session| Owned {
        session,
        email: user.email.clone(),
    };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    Ok((sessions.into_iter().take(most).map(owned).collect(), total))
}

async fn end(ending: &EndSessions, now: Timestamp) -> anyhow::Result<()> {
    let store = data_folder::store(&ending.stored).await?;
    let which = &ending.which;
    let many = |whose| store.revoke_every_session(whose, Reason::EndedByAdmin, now);
    let (ended, whose) = if let Some(email) = &which.user {
        let user = account(&store, email).await?;
        let ended = store
            .revoke_sessions_of(user.id, None, Reason::EndedByAdmin, now)
            .await?;
        (
            u64::try_from(ended.len()).unwrap_or(u64::MAX),
            vec![user.id.to_string()],
        )
    } else if let Some(provider) = &which.provider {
        (
            many(Whose::Provider(provider)).await?,
            vec![format!("provider/{provider}")],
        )
    } else if which.all {
        (many(Whose::Everybody).await?, vec![EVERYBODY.to_owned()])
    } else {
        let ids = which.session.iter().map(Uuid::to_string);
        (each(&store, &which.session, now).await?, ids.collect())
    };
    for subject in whose {
        acts::note(&store, What::SessionsEnded, subject, now).await?;
    }
    store.close().await;
    match ending.output {
        Output::Json => print::line(json!({"ended": ended})),
        Output::Text => print::line(format_args!(
            "{ended} sessions are over. Servers on this database know within a second."
        )),
    }
    Ok(())
}

/// Ends these sessions, if all of them are there.
async fn each(store: &Store, sessions: &[Uuid], now: Timestamp) -> anyhow::Result<u64> {
    for id in sessions {
        let found = store.session_by_id(*id).await?;
        found.with_context(|| {
            format!("there is no session `{id}`, or it is over: `authd sessions list` shows those that there are")
        })?;
    }
    let mut ended = 0;
    for id in sessions {
        match store.revoke_session(*id, Reason::EndedByAdmin, now).await {
            Ok(_) => ended += 1,
            // It ended meanwhile.
            Err(store::Error::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ended)
}

async fn account(store: &Store, email: &str) -> anyhow::Result<User> {
    let found = store.user_by_email(&email.to_lowercase()).await?;
    found.with_context(|| format!("no account has the address `{email}`"))
}

fn described(Owned { session, email }: &Owned) -> Value {
    json!({
        "id": session.id, "user": email, "userId": session.user_id, "provider": session.provider,
        "address": session.client_address, "client": session.user_agent, "since": session.created_at,
        "lastSeen": session.last_seen_at, "expires": session.expires_at,
    })
}

fn write(Owned { session, email }: &Owned) {
    // Whoever signs in chooses what their client is called: no control characters reach a terminal.
    let client: String = session
        .user_agent
        .chars()
        .filter(|c| !c.is_control())
        .take(80)
        .collect();
    let at = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M").to_string();
    let address = Some(session.client_address.as_str()).filter(|address| !address.is_empty());
    print::line(format_args!(
        "{}  {email}  seen {}  since {}  from {}  by {}  {client}",
        session.id,
        at(session.last_seen_at),
        at(session.created_at),
        address.unwrap_or("?"),
        session.provider,
    ));
}
