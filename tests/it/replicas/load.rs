//! Everything that is asked, all the time, and whether each answer is one that was promised for the time that it took.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::http::{Answer, Request, delete, get, post};
use tests::resources::CI_KEY;
use tests::wait;
use tests::world::{PASSWORD, Person};
use tokio::time::MissedTickBehavior;

use super::fleet::Fleet;
use super::promises::{Ask, PROMISES, State, promised};

/// How often each thing is asked at most.
const PACE: Duration = Duration::from_millis(100);

/// How many sessions and keys stay at least, to be asked with: some may be lost when the database goes.
const RESERVE: usize = 12;

/// Within what all replicas refuse what one ended, while they reach the database.
const SPREAD: Duration = Duration::from_secs(5);

/// The load and what became of it.
pub(super) struct Load {
    port: u16,
    known: Person,
    key: String,
    busy: Person,
    /// What the world was like, one after the other. While it changes it is in several states.
    eras: Mutex<Vec<Vec<State>>>,
    /// Since when nothing is wrong, and whether that is so now.
    well: Mutex<Option<Instant>>,
    unexpected: Mutex<Vec<String>>,
    answered: Mutex<HashMap<(Ask, usize), usize>>,
    sessions: Credentials,
    keys: Credentials,
    enough: AtomicBool,
    begun: Instant,
}

/// Credentials that were given while the load runs: tokens, or keys with their ids.
#[derive(Default)]
struct Credentials {
    live: Mutex<VecDeque<(String, String)>>,
    /// Those that were taken away, and when.
    ended: Mutex<Vec<(String, Instant)>>,
    /// Those of which every replica must know.
    refused: Mutex<VecDeque<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    pub(super) async fn on(fleet: &Fleet) -> Self {
        let first = &fleet.replicas[0].world;
        let (known, busy) = (first.person("known", "user").await, first.person("busy", "user").await);
        let key = first.key_of(&known).await;
        fleet.know(&[&known.token, &key, &busy.token]).await;
        Self {
            port: fleet.nginx.port,
            known,
            key,
            busy,
            eras: Mutex::new(vec![vec![State::Well]]),
            well: Mutex::new(Some(Instant::now())),
            unexpected: Mutex::default(),
            answered: Mutex::default(),
            sessions: Credentials::default(),
            keys: Credentials::default(),
            enough: AtomicBool::new(false),
            begun: Instant::now(),
        }
    }

    /// Who is let in whatever happens.
    pub(super) fn known(&self) -> [&str; 3] {
        [&self.known.token, &self.key, &self.busy.token]
    }

    /// Says what the world is like from now on.
    pub(super) fn becomes(&self, states: &[State]) {
        println!("{:?} {states:?}", self.begun.elapsed());
        locked(&self.eras).push(states.to_vec());
        let is_well = states
            .iter()
            .all(|state| matches!(state, State::Well | State::ReplicaEnds));
        let mut well = locked(&self.well);
        *well = match *well {
            _ if !is_well => None,
            None => Some(Instant::now()),
            since => since,
        };
    }

    /// Waits until everything was asked so often, and answered, with the world like this.
    pub(super) async fn is_asked(&self, times: usize) {
        let era = self.era();
        wait::within(Duration::from_secs(60), "everything is asked", || async {
            let unexpected = locked(&self.unexpected);
            assert!(unexpected.is_empty(), "not promised: {unexpected:#?}");
            let answered = locked(&self.answered);
            let of = |ask| answered.get(&(ask, era)).copied().unwrap_or_default();
            let missing: Vec<String> = PROMISES
                .iter()
                .filter(|(ask, _)| of(*ask) < times)
                .map(|(ask, _)| format!("{ask:?} {}", of(*ask)))
                .collect();
            if missing.is_empty() {
                Ok(())
            } else {
                Err(format!("{missing:?} of {times}"))
            }
        })
        .await;
    }

    /// Waits until there is something to refuse, so that it can be asked from the beginning.
    pub(super) async fn has_ended_something(&self) {
        self.is_asked(1).await;
        self.becomes(&[State::Well]);
    }

    /// Whether the database took no writes all the time since an era began.
    fn was_away(&self, era: usize) -> bool {
        let eras = locked(&self.eras);
        eras[era..]
            .iter()
            .all(|states| matches!(states[..], [State::DatabaseAway | State::ReadOnly]))
    }

    fn era(&self) -> usize {
        locked(&self.eras).len() - 1
    }

    /// Asks everything until the story has had enough.
    pub(super) async fn run(&self) {
        let several = |ask| match ask {
            Ask::NewKey | Ask::DeleteKey => 3,
            Ask::SignIn => 2,
            _ => 1,
        };
        let asks = PROMISES.iter().flat_map(|(ask, _)| vec![*ask; several(*ask)]);
        futures::future::join_all(asks.map(|ask| self.ask_on(ask))).await;
    }

    async fn ask_on(&self, ask: Ask) {
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.enough.load(Ordering::Relaxed) {
            pace.tick().await;
            self.promote();
            let era = self.era();
            if let Some(answer) = self.ask(ask).await {
                self.judge(ask, era, &answer);
            }
        }
    }

    fn judge(&self, ask: Ask, begun: usize, answer: &Result<Answer, String>) {
        let eras = locked(&self.eras);
        let states: Vec<State> = eras[begun..].iter().flatten().copied().collect();
        let is_promised = answer
            .as_ref()
            .is_ok_and(|answer| promised(ask, &states).contains(&answer.status));
        if !is_promised {
            let said = match answer {
                Ok(answer) => format!("{} {}", answer.status, answer.body),
                Err(error) => error.clone(),
            };
            locked(&self.unexpected).push(format!("{ask:?}, {states:?}: {said}"));
        } else if begun == eras.len() - 1 {
            *locked(&self.answered).entry((ask, begun)).or_default() += 1;
        }
    }

    /// Counts as known to every replica what was ended long enough ago.
    fn promote(&self) {
        let Some(since) = *locked(&self.well) else { return };
        for credentials in [&self.sessions, &self.keys] {
            let mut ended = locked(&credentials.ended);
            let is_known = |(_, at): &mut (String, Instant)| since.max(*at).elapsed() > SPREAD;
            locked(&credentials.refused).extend(ended.extract_if(.., is_known).map(|(text, _)| text));
        }
    }

    fn at(&self, host: &str, request: impl FnOnce(String) -> Request, path: &str) -> Request {
        request(format!("http://127.0.0.1:{}{path}", self.port))
            .header("host", format!("{host}.test.localhost:{}", self.port))
            .header("accept", "application/json")
    }

    fn page(&self) -> Request {
        self.at("app", get, "/")
    }

    /// What is answered; `None` where there is nothing to ask with.
    async fn ask(&self, ask: Ask) -> Option<Result<Answer, String>> {
        let password = |email: &str, password: &str| json!({ "email": email, "password": password });
        let request = match ask {
            Ask::Cookie => return Some(self.as_themselves(self.page().cookie(&self.known.token)).await),
            Ask::Token => return Some(self.as_themselves(self.page().bearer(&self.known.token)).await),
            Ask::Key => return Some(self.as_themselves(self.page().bearer(&self.key)).await),
            Ask::ServiceKey => self.page().bearer(CI_KEY),
            Ask::Stranger => self.page(),
            Ask::Anyone => self.at("app", get, "/public"),
            Ask::Forbidden => self.at("app", get, "/admin").cookie(&self.known.token),
            Ask::NewSession => return self.new_session().await,
            Ask::EndedSession => self.page().bearer(&turned(&self.sessions.refused)?),
            Ask::DeletedKey => self.page().bearer(&turned(&self.keys.refused)?),
            Ask::Me => self.at("auth", get, "/api/v1/auths/").bearer(&self.known.token),
            Ask::SignInPage => self.at("auth", get, "/login"),
            Ask::SignIn => return Some(self.sign_in(&password(&self.busy.email, PASSWORD)).await),
            Ask::WrongPassword => {
                let wrong = password("nobody@example.com", "not the right one");
                self.at("auth", post, "/api/v1/auths/signin").json(&wrong)
            }
            Ask::SignOut => return self.sign_out().await,
            Ask::NewKey => return Some(self.new_key().await),
            Ask::DeleteKey => return self.delete_key().await,
        };
        Some(request.attempt().await)
    }

    /// The application is told who it is.
    async fn as_themselves(&self, request: Request) -> Result<Answer, String> {
        let answer = request.attempt().await?;
        let is_them = answer.status != 200 || answer.body.contains(&self.known.id);
        if is_them {
            Ok(answer)
        } else {
            Err(format!("somebody else: {}", answer.body))
        }
    }

    async fn new_session(&self) -> Option<Result<Answer, String>> {
        let session = locked(&self.sessions.live).pop_front()?;
        let answer = self.page().bearer(&session.0).attempt().await;
        locked(&self.sessions.live).push_back(session);
        Some(answer)
    }

    async fn sign_in(&self, body: &Value) -> Result<Answer, String> {
        let answer = self
            .at("auth", post, "/api/v1/auths/signin")
            .json(body)
            .attempt()
            .await?;
        if answer.status == 200 {
            locked(&self.sessions.live).push_back((answer.text("token"), String::new()));
        }
        Ok(answer)
    }

    async fn sign_out(&self) -> Option<Result<Answer, String>> {
        let session = self.to_be_ended(&self.sessions)?;
        let request = self.at("auth", post, "/api/v1/auths/signout").bearer(&session.0);
        Some(self.end(&self.sessions, session, request).await)
    }

    async fn new_key(&self) -> Result<Answer, String> {
        let request = self.at("auth", post, "/api/v1/auths/api_key");
        let answer = request.bearer(&self.busy.token).attempt().await?;
        if answer.status == 200 {
            locked(&self.keys.live).push_back((answer.text("api_key"), answer.text("id")));
        }
        Ok(answer)
    }

    async fn delete_key(&self) -> Option<Result<Answer, String>> {
        let key = self.to_be_ended(&self.keys)?;
        let path = format!("/api/v1/auths/api_key/{}", key.1);
        let request = self.at("auth", delete, &path).bearer(&self.busy.token);
        Some(self.end(&self.keys, key, request).await)
    }

    /// One to be taken away; `None` where too few would be left to ask with.
    fn to_be_ended(&self, credentials: &Credentials) -> Option<(String, String)> {
        let reserve = if self.was_away(self.era()) { 0 } else { RESERVE };
        let mut live = locked(&credentials.live);
        if live.len() > reserve { live.pop_front() } else { None }
    }

    /// Takes one away, and notes that it must be refused, where that is what was answered. It stays as it was where the database took
    /// no writes all the time; where that is not known, nothing is known of it.
    async fn end(
        &self,
        credentials: &Credentials,
        credential: (String, String),
        request: Request,
    ) -> Result<Answer, String> {
        let era = self.era();
        let answer = request.attempt().await?;
        if answer.status == 200 {
            locked(&credentials.ended).push((credential.0, Instant::now()));
        } else if self.was_away(era) {
            locked(&credentials.live).push_back(credential);
        }
        Ok(answer)
    }

    /// Stops asking, and sees that what was given opens, and what was taken away does not, at every replica.
    pub(super) async fn stop(&self, fleet: &Fleet) {
        self.enough.store(true, Ordering::Relaxed);
        for (what, credentials, least) in [("sessions", &self.sessions, 1), ("keys", &self.keys, 1)] {
            wait::until("everything that was ended is known", || async {
                self.promote();
                let left = locked(&credentials.ended).len();
                if left == 0 { Ok(()) } else { Err(left.to_string()) }
            })
            .await;
            let live: Vec<String> = locked(&credentials.live).iter().map(|(text, _)| text.clone()).collect();
            let refused: Vec<String> = locked(&credentials.refused).iter().cloned().collect();
            assert!(refused.len() > least, "control: {} {what} ended", refused.len());
            println!("{what}: {} open, {} ended", live.len(), refused.len());
            for (texts, expected) in [(&live, 200), (&refused, 401)] {
                for replica in &fleet.replicas {
                    for text in texts {
                        let answer = replica.world.forward("GET", "/").bearer(text).send().await;
                        assert_eq!(answer.status, expected, "{what}: {}", answer.body);
                    }
                }
            }
        }
        let unexpected = locked(&self.unexpected);
        assert!(unexpected.is_empty(), "not promised: {unexpected:#?}");
        let answered: usize = locked(&self.answered).values().sum();
        println!("{answered} answers, each as promised");
    }
}

/// The next of them, which goes to the end.
fn turned(texts: &Mutex<VecDeque<String>>) -> Option<String> {
    let mut texts = locked(texts);
    let text = texts.pop_front()?;
    texts.push_back(text.clone());
    Some(text)
}
