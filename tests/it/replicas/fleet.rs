//! Replicas of one instance behind nginx, over one PostgreSQL and one Redis that are reached by ways that can be lost.

use tests::authd::Authd;
use tests::http::get;
use tests::port;
use tests::postgres::Postgres;
use tests::proxy::{Kind, Proxy};
use tests::redis::Redis;
use tests::relay::Relay;
use tests::resources::{Folder, instance};
use tests::wait;
use tests::world::World;

use crate::postgres::{TOGETHER, sign_in_is_answered};

/// All of it.
pub(super) struct Fleet {
    /// The database.
    pub(super) postgres: Postgres,
    /// The way to it.
    pub(super) way: Relay,
    /// By which they hear of each other.
    pub(super) redis: Redis,
    /// The way to that.
    pub(super) way_to_redis: Relay,
    /// Those that run.
    pub(super) replicas: Vec<Replica>,
    /// What clients reach them through.
    pub(super) nginx: Proxy,
    urls: [String; 2],
}

/// One of them, which keeps its addresses for as long as there is a place for it.
pub(super) struct Replica {
    /// The program, its resources and its files.
    pub(super) world: World,
    addresses: [String; 2],
    /// What went wrong in programs that ran in its place before.
    before: Vec<String>,
}

/// A way to a database of its own on the server, and its URL.
pub(super) async fn reached(postgres: &Postgres) -> (Relay, String) {
    let way = Relay::to(postgres.port).await;
    let (direct, relayed) = (postgres.port.to_string(), way.address.port().to_string());
    let url = postgres.database().replace(&direct, &relayed);
    (way, url)
}

/// The name of the database in a URL.
pub(super) fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// What an instance says whose replicas share a database and a Redis.
fn fields() -> String {
    let named =
        "  database: {postgresSecretRef: {name: shared, key: url}}\n  redis: {secretRef: {name: shared, key: redis}}\n";
    format!("{TOGETHER}{named}")
}

/// The resources of replicas of this database and this Redis.
pub(super) fn folder([url, redis]: &[String; 2]) -> Folder {
    Folder::shared(&fields(), &[("url", url), ("redis", redis)])
}

/// What went wrong in a program, as it says.
fn errors(authd: &Authd) -> Vec<String> {
    let log = authd.log().into_iter();
    log.filter(|line| line.contains("\"ERROR\"")).collect()
}

impl Replica {
    async fn start(urls: &[String; 2], front: u16) -> Self {
        let folder = folder(urls);
        let public = instance(&fields()).replace("localhost:8000", &format!("localhost:{front}"));
        folder.write("authd.yaml", &public);
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let addresses = [port::free(), port::free()].map(|port| format!("127.0.0.1:{port}"));
        let authd = run(folder.path(), data.path(), &addresses).await;
        Self {
            world: World { authd, folder, data },
            addresses,
            before: Vec::new(),
        }
    }

    /// Starts it again where it was; it must have ended.
    pub(super) async fn start_again(&mut self) {
        self.before.extend(errors(&self.world.authd));
        self.world.authd = run(self.world.folder.path(), self.world.data.path(), &self.addresses).await;
    }
}

/// One that stops takes requests for another second, as Pods do while they are taken out of their Service.
async fn run(resources: &std::path::Path, data: &std::path::Path, [public, verify]: &[String; 2]) -> Authd {
    let more = ["--drain", "1", "--public", public, "--verify", verify];
    Authd::start(resources, data, &more).await
}

/// What nginx knows of them: one that does not answer is left alone for a second.
fn upstream(replicas: &[Replica], listener: usize) -> String {
    let server = |replica: &Replica| format!("server {} max_fails=1 fail_timeout=1s;", replica.addresses[listener]);
    replicas.iter().map(server).collect::<Vec<_>>().join(" ")
}

impl Fleet {
    /// So many replicas.
    pub(super) async fn of(count: usize) -> Self {
        let postgres = Postgres::start().await;
        let (way, url) = reached(&postgres).await;
        let redis = Redis::start().await;
        let way_to_redis = Relay::to(redis.port).await;
        let (direct, relayed) = (redis.port.to_string(), way_to_redis.address.port().to_string());
        let urls = [url, redis.url().replace(&direct, &relayed)];
        let front = Proxy::port();
        let starting = (0..count).map(|_| Replica::start(&urls, front));
        let replicas = futures::future::join_all(starting).await;
        let pages = upstream(&replicas, 0);
        let verify = upstream(&replicas, 1);
        let replaced = [
            ("master_process off;", "master_process on;"),
            ("server 127.0.0.1:8080;", pages.as_str()),
            ("server 127.0.0.1:8081;", verify.as_str()),
        ];
        let nginx = Proxy::altered(Kind::Nginx, front, &[], "test.localhost", &replaced).await;
        Self {
            postgres,
            way,
            replicas,
            nginx,
            redis,
            way_to_redis,
            urls,
        }
    }

    /// Lets nginx ask these replicas, in place of all that are there, and no others.
    pub(super) async fn ask(&mut self, before: usize, now: usize) {
        let of = |count: usize| [0, 1].map(|listener| upstream(&self.replicas[..count], listener));
        let (known, next) = (of(before), of(now));
        let replaced = [(&*known[0], &*next[0]), (&*known[1], &*next[1])];
        self.nginx.reload(&replaced).await;
    }

    /// Starts so many more.
    pub(super) async fn grow(&mut self, by: usize) {
        let starting = (0..by).map(|_| Replica::start(&self.urls, self.nginx.port));
        self.replicas.extend(futures::future::join_all(starting).await);
    }

    /// The name of the database.
    pub(super) fn database(&self) -> &str {
        name_of(&self.urls[0])
    }

    /// Waits until each replica answers an attempt to sign in so.
    pub(super) async fn sign_in_is_answered(&self, status: u16) {
        let each = self
            .replicas
            .iter()
            .map(|replica| sign_in_is_answered(&replica.world, status));
        futures::future::join_all(each).await;
    }

    /// Waits until each replica lets these in: then it knows them, whatever becomes of the database.
    pub(super) async fn know(&self, credentials: &[&str]) {
        for replica in &self.replicas {
            for credential in credentials {
                wait::until("a replica knows somebody", || async {
                    let answer = replica.world.forward("GET", "/").bearer(credential).send().await;
                    if answer.status == 200 { Ok(()) } else { Err(answer.body) }
                })
                .await;
            }
        }
    }

    /// Every replica says that it is ready.
    pub(super) async fn is_ready(&self) {
        for replica in &self.replicas {
            let answer = get(format!("{}/readyz", replica.world.authd.admin)).send().await;
            assert_eq!(
                answer.status, 200,
                "what is away takes no replica along: {}",
                answer.body
            );
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("nginx: {:#?}", self.nginx.errors());
            eprintln!("PostgreSQL: {:#?}", self.postgres.log());
            for Replica { world, before, .. } in &self.replicas {
                eprintln!("a replica: {before:#?}, then {:#?}", errors(&world.authd));
            }
        }
    }
}
