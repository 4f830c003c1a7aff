//! An attempt to sign in, on its way through a browser: sealed into a cookie of its own, so that attempts in several tabs do not meet
//! and any replica can go on with it. It counts once, for ten minutes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::pages::csrf::Transport;
use crate::random::Random;
use crate::seal::{Keyring, NoKey, Purpose};

/// How long an attempt may take, in seconds.
pub const LIFETIME: i64 = 10 * 60;
/// How many attempts one browser may have under way.
const MOST: usize = 4;
/// The longest address to return to that fits into a cookie, in bytes.
const MAX_RETURN: usize = 1024;

/// An attempt to sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// What comes back from the provider.
    pub state: String,
    /// The provider's name.
    pub provider: String,
    /// What the ID token repeats.
    pub nonce: String,
    /// What proves at the token endpoint that the code was asked for here (RFC 7636).
    pub verifier: String,
    /// Where the person wants to go.
    pub return_to: Option<String>,
    /// The session whose account is to be linked; absent: somebody signs in.
    pub link: Option<Uuid>,
    /// Whether the provider has to ask the person although it knows them already.
    #[serde(default)]
    pub again: bool,
    /// The classes of which the sign-in has to be one (`acr`); none: any will do.
    #[serde(default)]
    pub acr: Vec<String>,
    /// When it began, in epoch seconds.
    pub begun_at: i64,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt")
            .field("provider", &self.provider)
            .field("begun_at", &self.begun_at)
            .finish_non_exhaustive()
    }
}

impl Attempt {
    /// An attempt that begins now.
    #[must_use]
    pub fn begin(
        provider: &str,
        return_to: Option<String>,
        link: Option<Uuid>,
        random: &Random,
        now: Timestamp,
    ) -> Self {
        let secret = || URL_SAFE_NO_PAD.encode(random.bytes::<32>());
        Self {
            state: secret(),
            provider: provider.to_owned(),
            nonce: secret(),
            verifier: secret(),
            return_to: return_to.filter(|address| address.len() <= MAX_RETURN),
            link,
            again: false,
            acr: Vec::new(),
            begun_at: now.as_second(),
        }
    }

    /// What stands for the verifier in the request (RFC 7636, section 4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }

    /// The cookie that carries it.
    ///
    /// # Errors
    /// Nothing can be sealed.
    pub fn cookie(&self, keys: &Keyring, transport: Transport, random: &Random) -> Result<HeaderValue, NoKey> {
        let name = name(&self.state, transport);
        let json = serde_json::to_vec(self).map_err(|_| NoKey)?;
        let sealed = keys.seal(Purpose::Attempt, &name, &json, random)?;
        let value = format!(
            "{name}={}; Max-Age={LIFETIME}{}",
            URL_SAFE_NO_PAD.encode(sealed),
            attributes(transport)
        );
        HeaderValue::try_from(value).map_err(|_| NoKey)
    }

    /// The attempt that this state belongs to, from the browser that it was begun in.
    #[must_use]
    pub fn find(
        headers: &HeaderMap,
        state: &str,
        keys: &Keyring,
        transport: Transport,
        now: Timestamp,
    ) -> Option<Self> {
        let wanted = name(state, transport);
        let mut values = cookies(headers)
            .filter(|(name, _)| *name == wanted)
            .map(|(_, value)| value);
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let attempt = open(&wanted, value, keys)?;
        let same = attempt.state.as_bytes().ct_eq(state.as_bytes()).into();
        let age = now.as_second().saturating_sub(attempt.begun_at);
        (same && (0..=LIFETIME).contains(&age)).then_some(attempt)
    }
}

/// Takes the cookie of an attempt away.
#[must_use]
pub fn forget(state: &str, transport: Transport) -> HeaderValue {
    clear(&name(state, transport), transport)
}

/// Takes cookies away that no longer carry an attempt, and the oldest where there are too many.
#[must_use]
pub fn forget_old(headers: &HeaderMap, keys: &Keyring, transport: Transport, now: Timestamp) -> Vec<HeaderValue> {
    let prefix = prefix(transport);
    let mut under_way: Vec<(i64, &str)> = cookies(headers)
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, value)| {
            (
                open(name, value, keys).map_or(i64::MIN, |attempt| attempt.begun_at),
                name,
            )
        })
        .collect();
    under_way.sort_unstable();
    let over = under_way.len().saturating_sub(MOST - 1);
    let too_old = |begun_at: i64| now.as_second().saturating_sub(begun_at) > LIFETIME;
    let old = under_way
        .iter()
        .enumerate()
        .filter(|(at, (begun_at, _))| *at < over || too_old(*begun_at));
    old.map(|(_, (_, name))| clear(name, transport)).collect()
}

fn open(name: &str, value: &str, keys: &Keyring) -> Option<Attempt> {
    let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
    serde_json::from_slice(&keys.open(Purpose::Attempt, name, &sealed)?).ok()
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

fn prefix(transport: Transport) -> &'static str {
    match transport {
        Transport::Https => "__Host-authd_attempt_",
        Transport::Http => "authd_attempt_",
    }
}

/// The state itself is only inside the cookie.
fn name(state: &str, transport: Transport) -> String {
    let digest = Sha256::digest(state);
    format!(
        "{}{}",
        prefix(transport),
        URL_SAFE_NO_PAD.encode(digest.first_chunk::<9>().map_or(&[][..], |part| part))
    )
}

fn clear(name: &str, transport: Transport) -> HeaderValue {
    HeaderValue::try_from(format!("{name}=; Max-Age=0{}", attributes(transport)))
        .unwrap_or(HeaderValue::from_static(""))
}

fn attributes(transport: Transport) -> &'static str {
    match transport {
        Transport::Https => "; Path=/; HttpOnly; SameSite=Lax; Secure",
        Transport::Http => "; Path=/; HttpOnly; SameSite=Lax",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keyring {
        Keyring::new([&[7; 32][..]]).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn begun(random: &Random, seconds: i64) -> (Attempt, String) {
        let attempt = Attempt::begin(
            "corporate",
            Some("https://app.example.com/".to_owned()),
            None,
            random,
            at(seconds),
        );
        let cookie = attempt.cookie(&keys(), Transport::Https, random).unwrap();
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        (attempt, pair)
    }

    fn headers(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        headers
    }

    #[test]
    fn b05_verifiers_are_long_and_new_each_time_and_the_challenge_is_their_hash() {
        let random = Random::seeded(1);
        let (one, _) = begun(&random, 0);
        let (two, _) = begun(&random, 0);
        assert!((43..=128).contains(&one.verifier.len()));
        assert_ne!(
            (&one.verifier, &one.nonce, &one.state),
            (&two.verifier, &two.nonce, &two.state)
        );
        let known = Attempt {
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
            ..one
        };
        assert_eq!(
            known.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "RFC 7636, appendix B"
        );
    }

    #[test]
    fn b01_b02_b04_an_attempt_is_found_by_its_state_in_its_browser_in_its_time() {
        let random = Random::seeded(1);
        let (attempt, cookie) = begun(&random, 0);
        let (other, other_cookie) = begun(&random, 0);
        let find = |cookies: &[&str], state: &str, seconds: i64| {
            Attempt::find(&headers(cookies), state, &keys(), Transport::Https, at(seconds)).map(|found| found.nonce)
        };
        assert_eq!(
            find(&[&cookie], &attempt.state, 0),
            Some(attempt.nonce.clone()),
            "control"
        );
        assert_eq!(
            find(&[&other_cookie, &cookie], &attempt.state, 600),
            Some(attempt.nonce.clone()),
            "two tabs"
        );
        assert_eq!(
            find(&[&other_cookie, &cookie], &other.state, 600),
            Some(other.nonce.clone()),
            "two tabs"
        );
        assert_eq!(find(&[], &attempt.state, 0), None, "B02 another browser");
        assert_eq!(find(&[&cookie], &other.state, 0), None, "B01 wrong");
        assert_eq!(find(&[&cookie], "", 0), None, "B01 empty");
        assert_eq!(find(&[&cookie], &"s".repeat(2 << 20), 0), None, "B01 2 MiB");
        assert_eq!(find(&[&cookie], &attempt.state, 601), None, "B04 too late");
        assert_eq!(find(&[&cookie], &attempt.state, -1), None, "from the future");
        assert_eq!(find(&[&cookie, &cookie], &attempt.state, 0), None, "twice");
        let name = cookie.split_once('=').unwrap().0;
        let value = other_cookie.split_once('=').unwrap().1;
        assert_eq!(
            find(&[&format!("{name}={value}")], &attempt.state, 0),
            None,
            "another attempt's value"
        );
    }

    #[test]
    fn b37_nothing_of_an_attempt_can_be_read_in_its_cookie() {
        let random = Random::seeded(1);
        let (attempt, cookie) = begun(&random, 0);
        for secret in [&attempt.state, &attempt.nonce, &attempt.verifier] {
            assert!(!cookie.contains(secret.as_str()), "B37");
        }
        assert!(cookie.len() < 4096);
        let long = format!("https://app.example.com/{}", "x".repeat(4096));
        let attempt = Attempt::begin("corporate", Some(long), None, &random, at(0));
        assert_eq!(attempt.return_to, None, "an address too long for a cookie is left out");
    }

    #[test]
    fn old_attempts_and_too_many_are_forgotten() {
        let random = Random::seeded(1);
        let made: Vec<_> = (0..6).map(|at| begun(&random, at * 100).1).collect();
        let cookies: Vec<&str> = made.iter().map(String::as_str).collect();
        let forgotten =
            |cookies: &[&str], now: i64| forget_old(&headers(cookies), &keys(), Transport::Https, at(now)).len();
        assert_eq!(forgotten(&cookies[..3], 300), 0);
        assert_eq!(forgotten(&cookies, 600), 3, "three are over");
        assert_eq!(forgotten(&cookies[..2], 650), 1, "one is too old");
        assert_eq!(forgotten(&["__Host-authd_attempt_x=junk", "other=1"], 0), 1);
    }
}
