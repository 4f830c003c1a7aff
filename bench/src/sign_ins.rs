//! How long does it take from a provider's callback to a session, without the provider's own time? And what do many people who are
//! signing in at the same moment do to `/verify`?
//!
//! authd runs on the first core; the provider, the people and the checks share the second.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use tests::authd::Authd;
use tests::openid::Client;
use tests::openid::misbehaving::{Fault, Misbehaving};
use tests::resources::{CI_KEY, Folder, HOST, ROOMY};
use tests::wait;
use tests::window::Window;

use crate::{percentiles, program};

/// What to measure with.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// How many sign-ins are timed, one after the other.
    #[arg(long, default_value_t = 500)]
    sign_ins: usize,
    /// How many people wait for their provider at the same moment.
    #[arg(long, default_value_t = 500)]
    in_flight: usize,
    /// How long the provider lets them wait, in seconds.
    #[arg(long, default_value_t = 6)]
    wait: u64,
    /// How often the checks are measured, idle and beside the sign-ins.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

const PUBLIC: &str = "http://auth.test.localhost:8000";
const PROVIDER: &str = "bench";

/// Measures, and prints JSON.
///
/// # Errors
/// Something did not start, or somebody could not sign in.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{:#}", runtime.block_on(measure(settings))?);
    Ok(())
}

async fn measure(settings: &Settings) -> anyhow::Result<Value> {
    let bench = Bench::start(ROOMY, "").await?;
    let mut times = Vec::new();
    for _ in 0..settings.sign_ins {
        times.push(bench.callback_to_session().await?);
    }
    let mut rounds = Vec::new();
    for _ in 0..settings.rounds {
        let idle = checks(&bench.authd.verify)?;
        let beside = bench.checks_beside(settings).await?;
        rounds.push((idle, beside));
    }
    let p99 = |checks: &Value| checks.get("p99_us").and_then(Value::as_f64).unwrap_or(f64::NAN);
    let ratios: Vec<f64> = rounds.iter().map(|(idle, beside)| p99(beside) / p99(idle)).collect();
    Ok(json!({
        "callback_to_session_milliseconds": percentiles(times),
        "in_flight": settings.in_flight,
        "checks_idle_and_beside": rounds,
        "p99_beside_by_idle": ratios,
    }))
}

/// authd and a provider, at which people sign in.
pub(crate) struct Bench {
    /// The program that is measured.
    pub(crate) authd: Authd,
    provider: Misbehaving,
    _folder: Folder,
    _data: tempfile::TempDir,
}

impl Bench {
    /// Starts both, with these fields of the instance and these resources.
    pub(crate) async fn start(instance: &str, rest: &str) -> anyhow::Result<Self> {
        let client = Client {
            id: "authd".to_owned(),
            secret: Some("a secret of the client".to_owned()),
            redirect_uris: PUBLIC.to_owned(),
        };
        let provider = Misbehaving::start(client).await;
        let folder = Folder::usual(instance);
        folder.write("provider.yaml", &resources(&provider.issuer(PROVIDER)));
        folder.write("rest-of-it.yaml", rest);
        let data = tempfile::tempdir()?;
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(program("authd")?);
        let authd =
            Authd::start_command(command, ("--resources", folder.path()), data.path(), &["--log", "warn"]).await;
        Ok(Self {
            authd,
            provider,
            _folder: folder,
            _data: data,
        })
    }

    /// Somebody at the address that the provider sends them back to.
    async fn at_the_callback(&self) -> (Window, String) {
        let mut window = Window::new(PUBLIC, &self.authd.public);
        let callback = format!("{PUBLIC}/oauth/{PROVIDER}/callback");
        window
            .follow(&format!("{PUBLIC}/oauth/{PROVIDER}/login"), &callback)
            .await;
        let here = window.here.clone().map(String::from).unwrap_or_default();
        (window, here)
    }

    /// How long it takes from the provider's callback to a session, without the provider's own time.
    pub(crate) async fn callback_to_session(&self) -> anyhow::Result<Duration> {
        let (mut window, callback) = self.at_the_callback().await;
        let (begun, busy) = (Instant::now(), self.provider.busy());
        let answer = window.open(&callback).await;
        let took = begun.elapsed().saturating_sub(self.provider.busy() - busy);
        ensure!(
            answer.set_cookie("token").is_some(),
            "{}: {}",
            answer.status,
            answer.body
        );
        Ok(took)
    }

    /// The checks, while so many people have come back and authd waits for their provider.
    async fn checks_beside(&self, settings: &Settings) -> anyhow::Result<Value> {
        let mut windows = Vec::new();
        for _ in 0..settings.in_flight {
            windows.push(self.at_the_callback().await);
        }
        let late = Fault::Late("/token", Duration::from_secs(settings.wait));
        self.provider.does(PROVIDER, late);
        let waiting = windows.iter_mut().map(|(window, callback)| window.open(callback));
        let before = self.provider.seen(PROVIDER, "POST /token").len();
        let all_wait = wait::until("everybody waits for the provider", || async {
            match self.provider.seen(PROVIDER, "POST /token").len() - before {
                waiting if waiting == settings.in_flight => Ok(()),
                waiting => Err(waiting.to_string()),
            }
        });
        let verify = self.authd.verify.clone();
        let checks = async {
            all_wait.await;
            tokio::task::spawn_blocking(move || checks(&verify)).await?
        };
        let (answers, checks) = tokio::join!(futures::future::join_all(waiting), checks);
        self.provider.does(PROVIDER, Fault::None);
        let signed_in = answers
            .iter()
            .filter(|answer| answer.set_cookie("token").is_some())
            .count();
        ensure!(
            signed_in == settings.in_flight,
            "{signed_in} of {} were signed in",
            settings.in_flight
        );
        checks
    }
}

/// `/verify` at a fixed rate, in microseconds, with a key: whoever signs in this often loses their older sessions.
pub(crate) fn checks(verify: &str) -> anyhow::Result<Value> {
    let request = format!(
        "GET /verify/forward HTTP/1.1\nHost: authd\nX-Forwarded-Method: GET\nX-Forwarded-Proto: http\n\
         X-Forwarded-Host: {HOST}\nX-Forwarded-Uri: /x\nAuthorization: Bearer {CI_KEY}\n\n"
    );
    let server = verify.trim_start_matches("http://");
    let output = Command::new("taskset")
        .args(["-c", "1"])
        .arg(program("bench")?)
        .args(["load", server, &request, "--rate", "1000", "--seconds", "4"])
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn resources(issuer: &str) -> String {
    format!(
        "apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: {PROVIDER}, namespace: demo}}
spec:
  oidc:
    issuer: {issuer}
    clientId: authd
    clientSecretRef: {{name: openid, key: client-secret}}
    outbound: {{allowedNetworks: [127.0.0.0/8]}}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: {PROVIDER}, namespace: demo}}
spec:
  providerRef: {{name: {PROVIDER}}}
  roles: [{{role: user, whenAny: [{{claim: groups, equals: staff}}]}}]
  onNoMatch: Deny
---
apiVersion: v1
kind: Secret
metadata: {{name: openid, namespace: demo}}
stringData: {{client-secret: a secret of the client}}
"
    )
}
