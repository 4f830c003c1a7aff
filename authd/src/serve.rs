//! `authd serve`, as a table of contents: read, open, put to use, listen, keep in order, stop.

mod announce;
mod configuration;
mod database;
mod housekeeping;
mod redis;
mod reload;
mod renewal;
mod replicate;
mod revalidate;
mod signing_keys;
mod threads;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::admin::Admin;
use crate::api::caller::Peer;
use crate::app::{App, Parts};
use crate::audit::{Audit, Keeping};
use crate::clock::Clock;
use crate::config::Serve;
use crate::gate::{fastcgi, forward_auth};
use crate::grpc;
use crate::health;
use crate::identity::issued::Issuers;
use crate::listen::{self, Connected, Protocol, Reading};
use crate::own_secrets::OwnSecrets;
use crate::random::Random;
use crate::router;
use crate::shared::Redis;
use crate::store::Store;
use crate::telemetry::{self, Metrics};
use threads::Threads;

/// Serves until it is told to stop.
///
/// # Errors
/// It cannot begin: the resources have problems, a file cannot be used, or an address is taken.
pub fn run(serve: Serve) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(begin(serve))
}

async fn begin(serve: Serve) -> anyhow::Result<ExitCode> {
    telemetry::start_logs(&serve.log)?;
    let given = configuration::read(&serve)?;
    let metrics = Metrics::install()?;
    let (store, _held) = database::open(&serve.database, given.settings(), &serve.data).await?;
    let redis = redis::named(&serve.redis, given.settings(), &store, &Random::System)?;
    let app = Arc::new(open((store, redis), &serve).await?);
    let changes = given.put_to_use(&app, &serve).await?;
    signing_keys::introduce(&app).await?;

    let tasks = Tasks::default();
    let public = listen::bind(serve.public)?;
    let admin = listen::bind(serve.admin)?;
    let proxies = Proxies::listen(&app, &serve, &tasks.stop)?;
    let addresses = announce::Addresses {
        public: public.local_addr()?,
        verify: proxies.verify.address,
        grpc: proxies.grpc.address,
        fastcgi: start_fastcgi(&app, &serve, &tasks)?,
        admin: admin.local_addr()?,
    };
    let routes = routed(&app, router::public(Arc::clone(&app)));
    tasks.running.spawn(listen::serve(
        public,
        Protocol::plain(Reading::Usual),
        tasks.stop.clone(),
        routes,
    ));
    let with = Admin {
        app: Arc::clone(&app),
        metrics: metrics.clone(),
    };
    let routes = routed(&app, router::admin(with));
    tasks.running.spawn(listen::serve(
        admin,
        Protocol::plain(Reading::Usual),
        tasks.stop.clone(),
        routes,
    ));
    let running = &tasks.running;
    running.spawn(housekeeping::run(Arc::clone(&app), metrics, tasks.stop.clone()));
    running.spawn(database::follow(Arc::clone(&app), tasks.stop.clone()));
    redis::follow(&app, &tasks);
    running.spawn(signing_keys::follow(Arc::clone(&app), tasks.stop.clone()));
    running.spawn(revalidate::run(Arc::clone(&app), tasks.stop.clone()));
    running.spawn(Issuers::follow(Arc::clone(&app), tasks.stop.clone()));
    running.spawn(health::follow(Arc::clone(&app), tasks.stop.clone()));
    let serving = changes.serving();
    changes.follow(&app, &serve, &tasks);

    tokio::select! {
        never = announce::announce(serving, &app, &addresses, serve.output) => match never {},
        signal = wait_for_signal() => signal?,
    }
    drain(&app, Duration::from_secs(serve.drain.into())).await;
    tracing::info!("stopping: requests under way are finished");
    tasks.end(&proxies).await;
    housekeeping::last_words(&app).await;
    proxies.end();
    Ok(ExitCode::SUCCESS)
}

/// Apache's own listener, where there is one: each check is a connection of its own, so that no threads of its own would help.
fn start_fastcgi(app: &Arc<App>, serve: &Serve, tasks: &Tasks) -> anyhow::Result<Option<SocketAddr>> {
    let Some(address) = serve.fastcgi else {
        return Ok(None);
    };
    let listener = listen::bind(address)?;
    let address = listener.local_addr()?;
    tasks
        .running
        .spawn(fastcgi::serve(Arc::clone(app), listener, tasks.stop.clone()));
    Ok(Some(address))
}

/// The listeners that proxies ask on.
struct Proxies {
    verify: Threads,
    grpc: Threads,
}

impl Proxies {
    fn listen(app: &Arc<App>, serve: &Serve, stop: &CancellationToken) -> anyhow::Result<Self> {
        let asked = Arc::clone(app);
        let verify = move |peer: Connected, request: Request<Incoming>| {
            let app = Arc::clone(&asked);
            async move { Ok(farewell(&app, forward_auth::serve(&app, &peer, request).await?)) }
        };
        let grpc = grpc::routes(Arc::clone(app))?;
        let spoken = |reading| {
            let app = Arc::clone(app);
            let tls = move || {
                let serving = app.serving()?;
                let secured = serving.secured.as_ref()?;
                Some(Arc::clone(if reading == Reading::Http2 {
                    &secured.grpc
                } else {
                    &secured.verify
                }))
            };
            Protocol {
                reading,
                tls: Arc::new(tls),
            }
        };
        Ok(Self {
            verify: Threads::start("verify", serve.verify, &spoken(Reading::Strict), stop, verify)?,
            grpc: Threads::start("grpc", serve.grpc, &spoken(Reading::Http2), stop, grpc)?,
        })
    }

    fn end(self) {
        self.verify.end();
        self.grpc.end();
    }
}

/// What runs beside the main flow, until when.
#[derive(Debug, Default)]
struct Tasks {
    running: TaskTracker,
    stop: CancellationToken,
    /// What says that this process serves: it goes on for as long as requests are answered.
    saying: TaskTracker,
    silence: CancellationToken,
}

impl Tasks {
    async fn end(self, proxies: &Proxies) {
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
        proxies.verify.have_answered().await;
        proxies.grpc.have_answered().await;
        self.silence.cancel();
        self.saying.close();
        self.saying.wait().await;
    }
}

async fn open((store, redis): (Store, Option<Redis>), serve: &Serve) -> anyhow::Result<App> {
    let random = Random::System;
    let mut secrets = OwnSecrets::open(&serve.data, &random)?;
    if store.is_shared() {
        secrets = secrets.agreed(&store).await?;
    }
    Ok(App::start(Parts {
        clock: Clock::system(),
        random,
        store,
        audit: start_audit(&serve.audit, serve.audit_required)?,
        data: serve.data.clone(),
        secrets,
        redis,
    })
    .await?)
}

fn start_audit(path: &Path, is_required: bool) -> anyhow::Result<Audit> {
    let keeping = if is_required { Keeping::Required } else { Keeping::Tried };
    if path == Path::new("-") {
        return Ok(Audit::start(std::io::stderr(), keeping)?);
    }
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let file = file.with_context(|| format!("audit file `{}`", path.display()))?;
    Ok(Audit::start(file, keeping)?)
}

/// An axum router as what a listener asks.
fn routed(
    app: &Arc<App>,
    router: axum::Router,
) -> impl Fn(
    Connected,
    Request<Incoming>,
) -> futures::future::BoxFuture<'static, Result<axum::response::Response, std::convert::Infallible>>
+ Clone
+ Send
+ Sync
+ 'static {
    let app = Arc::clone(app);
    move |peer, mut request| {
        request.extensions_mut().insert(Peer(peer.address));
        let answered = router.clone().oneshot(request.map(axum::body::Body::new));
        let app = Arc::clone(&app);
        Box::pin(async move { Ok(farewell(&app, answered.await?)) })
    }
}

/// An answer of a process that is about to stop is the last on its connection: one that is closed while the next request is on its way
/// loses it.
fn farewell<B>(app: &App, mut response: Response<B>) -> Response<B> {
    if app.is_leaving() {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn wait_for_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Goes on while whoever sends requests learns that this process stops; a second signal ends that.
async fn drain(app: &App, time: Duration) {
    app.leave();
    if !time.is_zero() {
        tracing::info!(seconds = time.as_secs(), "stopping: requests are still taken");
        let _ = tokio::time::timeout(time, wait_for_signal()).await;
    }
}
