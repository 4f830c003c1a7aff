//! Who may ask: proxies that prove it, by a secret or by a certificate, which are replaced while authd runs.

use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use tests::http::{Request, get};
use tests::resources::{Folder, HOST, ROOMY, instance};
use tests::wait;
use tests::world::World;

const OLD: &str = "0123456789abcdef0123456789abcdef";
const NEW: &str = "fedcba9876543210fedcba9876543210";
const NAME: &str = "spiffe://cluster.local/ns/ingress/sa/envoy";

fn secret(name: &str, entries: &[(&str, &str)]) -> String {
    let entries: String = entries
        .iter()
        .map(|(key, value)| format!("  {key}: |-\n    {}\n", value.trim_end().replace('\n', "\n    ")))
        .collect();
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: demo}}\nstringData:\n{entries}")
}

fn with(proof: &str) -> String {
    instance(&format!(
        "{ROOMY}  trustedProxies: [192.0.2.0/24]\n  proxyAuth: {proof}\n"
    ))
}

#[tokio::test]
async fn d27_a_secret_is_replaced_without_a_moment_in_which_nobody_is_believed() {
    let folder = Folder::usual(ROOMY);
    folder.write("authd.yaml", &with("{secretRefs: [{name: proxies, key: now}]}"));
    folder.write("proxies.yaml", &secret("proxies", &[("now", OLD)]));
    let world = World::of(folder).await;
    let shown = async |value: Option<&str>| {
        let asked = world.forward("GET", "/public");
        let asked = value
            .into_iter()
            .fold(asked, |asked: Request, value| asked.header("x-authd-proxy", value));
        asked.send().await.status
    };
    assert_eq!(shown(Some(OLD)).await, 200, "D27 control");
    assert_eq!([shown(None).await, shown(Some(NEW)).await], [403, 403], "D27");

    world
        .folder
        .write("proxies.yaml", &secret("proxies", &[("now", NEW), ("before", OLD)]));
    let both = with("{secretRefs: [{name: proxies, key: now}, {name: proxies, key: before}]}");
    world.folder.write("authd.yaml", &both);
    wait::until("both are believed", || async {
        let (old, new) = (shown(Some(OLD)).await, shown(Some(NEW)).await);
        assert!(old == 200 || new == 200, "nobody is believed");
        if (old, new) == (200, 200) {
            Ok(())
        } else {
            Err(format!("{old} {new}"))
        }
    })
    .await;
    world
        .folder
        .write("authd.yaml", &with("{secretRefs: [{name: proxies, key: now}]}"));
    wait::until("the old one is not", || async {
        assert_eq!(shown(Some(NEW)).await, 200);
        let old = shown(Some(OLD)).await;
        if old == 403 { Ok(()) } else { Err(old.to_string()) }
    })
    .await;
    assert!(
        world
            .authd
            .log()
            .iter()
            .all(|line| !line.contains(OLD) && !line.contains(NEW))
    );
}

/// A certificate authority, and files for curl.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // With the name that all have, each certificate would look as if it had signed itself.
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of a test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key, as PEM.
    fn issue(&self, name: SanType) -> (String, String) {
        self.issue_of(CertificateParams::default(), name)
    }

    fn issue_of(&self, mut params: CertificateParams, name: SanType) -> (String, String) {
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// What authd shows, and whom it believes.
    fn of_authd(&self) -> String {
        self.of_authd_with(CertificateParams::default())
    }

    /// The same, with a certificate that should have been renewed.
    fn of_authd_overdue(&self) -> String {
        let mut params = CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(1970, 1, 2);
        params.not_after = rcgen::date_time_ymd(2050, 1, 1);
        self.of_authd_with(params)
    }

    fn of_authd_with(&self, params: CertificateParams) -> String {
        let (certificate, key) = self.issue_of(params, SanType::DnsName("localhost".try_into().unwrap()));
        secret(
            "tls",
            &[("tls.crt", &certificate), ("tls.key", &key), ("ca.crt", &self.0.pem())],
        )
    }

    /// A folder with what a proxy of this name shows.
    fn proxy_folder(&self, name: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = self.issue(SanType::URI(name.try_into().unwrap()));
        for (file, text) in [("crt", certificate), ("key", key), ("ca", self.0.pem())] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        folder
    }
}

/// The status that curl is told about a public page, with the certificate in the folder or without one; 0 for none.
fn ask(world: &World, folder: &Path, shown: bool) -> u16 {
    let port = world.authd.verify.rsplit(':').next().unwrap();
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--noproxy",
        "*",
        "--cacert",
        "ca",
    ]);
    for header in ["Method: GET", "Proto: http", &format!("Host: {HOST}"), "Uri: /public"] {
        curl.args(["-H", &format!("X-Forwarded-{header}")]);
    }
    if shown {
        curl.args(["--cert", "crt", "--key", "key"]);
    }
    curl.args([
        "--resolve",
        &format!("localhost:{port}:127.0.0.1"),
        &format!("https://localhost:{port}/verify/forward"),
    ]);
    let output = curl.current_dir(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap().parse().unwrap()
}

/// Waits until the metrics say whether the certificate should have been renewed.
async fn is_overdue(world: &World, expected: bool) {
    wait::until("the certificate's renewal is told", || async {
        let metrics = get(format!("{}/metrics", world.authd.admin)).send().await.body;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("authd_certificate_renewal_overdue_seconds "))
            .ok_or("there is no such metric")?;
        let seconds: f64 = line.parse().map_err(|_| line.to_owned())?;
        if (seconds > 0.0) == expected {
            Ok(())
        } else {
            Err(line.to_owned())
        }
    })
    .await;
}

#[tokio::test]
async fn d27_l10_a_proxy_shows_its_certificate_and_all_of_them_are_replaced_while_it_runs() {
    let (before, after) = (Authority::new(), Authority::new());
    let folder = Folder::usual(ROOMY);
    folder.write(
        "authd.yaml",
        &with(&format!("{{tls: {{secretName: tls, clientNames: ['{NAME}']}}}}")),
    );
    folder.write("tls.yaml", &before.of_authd_overdue());
    let world = World::of(folder).await;
    let [proxy, other, new] = [
        before.proxy_folder(NAME),
        before.proxy_folder("spiffe://a/b"),
        after.proxy_folder(NAME),
    ];
    assert_eq!(ask(&world, proxy.path(), true), 200, "D27 control");
    is_overdue(&world, true).await;
    assert_eq!(ask(&world, proxy.path(), false), 0, "L10: no certificate");
    assert_eq!(ask(&world, other.path(), true), 403, "D27: another name");
    assert_eq!(ask(&world, new.path(), true), 0, "L10: of another authority");
    let plain = world.forward("GET", "/public").attempt().await;
    assert!(plain.is_err(), "L10: plain text is answered: {plain:?}");

    world.folder.write(
        "tls.yaml",
        &secret("tls", &[("tls.crt", "none"), ("tls.key", "none"), ("ca.crt", "none")]),
    );
    wait::until("a bad certificate is told", || async {
        let log = world.authd.log().join("\n");
        if log.contains("is no PEM with a `CERTIFICATE`") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    assert_eq!(
        ask(&world, proxy.path(), true),
        200,
        "a bad certificate changes nothing"
    );
    world.folder.write("tls.yaml", &after.of_authd());
    wait::until("the new certificates are used", || async {
        let status = ask(&world, new.path(), true);
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    assert_eq!(ask(&world, proxy.path(), true), 0, "the old ones are not");
    is_overdue(&world, false).await;
    let told = world.authd.log().into_iter().filter(|line| line.contains("two thirds"));
    assert_eq!(told.count(), 1, "it is said once");
}
