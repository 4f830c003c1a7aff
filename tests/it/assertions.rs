//! Signed assertions, verified with the libraries that applications use: the README of the example, done word for word.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::authd::Authd;
use tests::http::post;
use tests::{cache, npm, repository, wait};

/// The quickstart with assertions, and a copy of the example.
struct Example {
    authd: Authd,
    folder: TempDir,
    _resources: TempDir,
    readme: String,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        // What somebody installed in the example itself is not part of it.
        let installed = ["venv", "node_modules", "target", "verify"]
            .iter()
            .any(|name| path.ends_with(name));
        match path.is_dir() {
            _ if installed => {}
            true => copy(&path, &to),
            false => {
                std::fs::copy(&path, &to).unwrap();
            }
        }
    }
}

impl Example {
    async fn start(lifetime: &str) -> Self {
        let (resources, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        copy(&repository().join("examples/quickstart"), resources.path());
        let instance = resources.path().join("authd.yaml");
        let mut text = std::fs::read_to_string(&instance).unwrap();
        text.push_str(&format!("  identityHeaders: {{assertion: {{lifetime: {lifetime}}}}}\n"));
        text.push_str("  passwords: {bcryptCost: 10}\n");
        std::fs::write(&instance, text).unwrap();
        copy(&repository().join("examples/verify-assertion"), folder.path());
        let readme = std::fs::read_to_string(folder.path().join("README.md")).unwrap();
        Self {
            authd: Authd::start(resources.path(), &resources.path().join("data"), &[]).await,
            folder,
            _resources: resources,
            readme,
        }
    }

    /// The commands below a heading.
    fn commands(&self, heading: &str) -> Vec<String> {
        let below = self.readme.split_once(&format!("## {heading}\n")).unwrap().1;
        let below = below.split("\n## ").next().unwrap();
        let blocks = below.split("```sh\n").skip(1);
        blocks
            .map(|block| block.split("```").next().unwrap().to_owned())
            .collect()
    }

    fn run(&self, commands: &str) -> Output {
        let at = |address: &str| address.trim_start_matches("http://").to_owned();
        let commands = commands
            .replace("127.0.0.1:8080", &at(&self.authd.public))
            .replace("127.0.0.1:8081", &at(&self.authd.verify));
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", &commands])
            .current_dir(self.folder.path())
            .env_remove("CARGO_TARGET_DIR")
            .output()
            .unwrap()
    }

    #[track_caller]
    fn done(&self, commands: &str) -> String {
        let output = self.run(commands);
        assert!(output.status.success(), "{commands}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// An assertion for the request of the README, and the keys.
    fn get_one(&self) -> String {
        for commands in self.commands("Get one") {
            self.done(&commands);
        }
        std::fs::read_to_string(self.path("assertion.txt"))
            .unwrap()
            .trim()
            .to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What verifying this assertion with these commands says: claims, or why it is refused.
    fn verify(&self, assertion: &str, commands: &str) -> Result<Value, String> {
        std::fs::write(self.path("assertion.txt"), format!("{assertion}\n")).unwrap();
        let output = self.run(commands);
        let said = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => Ok(serde_json::from_slice(&output.stdout).unwrap()),
            Some(1) if said.starts_with("refused: ") => Err(said),
            _ => panic!("{commands}: {:?}: {said}", output.status),
        }
    }

    async fn session_token(&self) -> String {
        let body = json!({"email": "admin@example.com", "password": "sample-password-of-the-admin"});
        let answer = post(format!("{}/api/v1/auths/signin", self.authd.public))
            .json(&body)
            .send()
            .await;
        answer.expect("the administrator signs in", 200).text("token")
    }
}

/// The same assertion with another header.
fn with_header(assertion: &str, change: impl Fn(&mut Value)) -> String {
    let (header, rest) = assertion.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// The same assertion with one character changed, somewhere in that part.
fn tampered(assertion: &str, part: usize) -> String {
    let mut parts: Vec<String> = assertion.split('.').map(str::to_owned).collect();
    let middle = parts[part].len() / 2;
    let other = if &parts[part][middle..=middle] == "A" { "B" } else { "A" };
    parts[part].replace_range(middle..=middle, other);
    parts.join(".")
}

/// The example in one language; `packages` puts what it needs where the README would install it.
async fn verified_in(language: &str, packages: impl Fn(&Example, &str)) {
    let (example, short) = (Example::start("60s").await, Example::start("1s").await);
    let [install, verify]: [String; 2] = example.commands(language).try_into().unwrap();
    for example in [&example, &short] {
        packages(example, &install);
    }
    let assertion = example.get_one();
    let claims = example
        .verify(&assertion, &verify)
        .unwrap_or_else(|refused| panic!("{language}: {refused}"));
    for (name, value) in [
        ("sub", json!("demo/ci")),
        ("name", json!("demo/ci")),
        ("htm", json!("GET")),
        ("htu", json!("http://app.demo.localhost:8000/reports")),
        ("iss", json!("http://auth.demo.localhost:8000")),
    ] {
        assert_eq!(claims[name], value, "{language}: {name}: {claims}");
    }
    let of_another_host = verify.replace("app.demo.localhost", "admin.demo.localhost");
    let of_another_path = verify.replace("/reports", "/admin");
    let of_another_method = verify.replace("GET", "POST");
    let of_another_issuer = verify.replace("auth.demo", "auth.evil");
    for (case, commands) in [
        ("A29: another host", of_another_host),
        ("another path", of_another_path),
        ("another method", of_another_method),
        ("A30: another issuer", of_another_issuer),
    ] {
        assert_ne!(commands, verify, "{case}");
        let refused = example.verify(&assertion, &commands);
        assert!(refused.is_err(), "{language}: {case}: {refused:?}");
    }
    let unsigned = with_header(&assertion, |header| header["alg"] = json!("none"));
    for (case, assertion) in [
        ("A19: another claim", tampered(&assertion, 1)),
        ("A19: another signature", tampered(&assertion, 2)),
        (
            "A01: no algorithm",
            format!("{}.", unsigned.rsplit_once('.').unwrap().0),
        ),
        (
            "A10: another key",
            with_header(&assertion, |header| header["kid"] = json!("other")),
        ),
        ("A32: a session's token", example.session_token().await),
        ("nothing", String::new()),
    ] {
        let refused = example.verify(&assertion, &verify);
        assert!(refused.is_err(), "{language}: {case}: {refused:?}");
    }
    let assertion = short.get_one();
    let refused = wait::until("A27: the assertion is too old", || {
        let verified = short.verify(&assertion, &verify);
        async move { verified.err().ok_or_else(|| "it is still good".to_owned()) }
    })
    .await;
    assert!(refused.to_lowercase().contains("exp"), "{language}: A27: {refused}");
}

/// What `tests/run` installed.
fn installed(name: &str) -> PathBuf {
    let path = cache().join("verify-assertion").join(name);
    assert!(path.exists(), "{} is missing: `tests/run` installs it", path.display());
    path
}

#[tokio::test]
async fn an_assertion_is_verified_in_python() {
    verified_in("Python", |example, _| {
        std::os::unix::fs::symlink(installed("venv"), example.path("venv")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_assertion_is_verified_in_node() {
    let modules = npm::package("verify-assertion", &jose()).join("node_modules");
    verified_in("Node.js", |example, _| {
        std::os::unix::fs::symlink(&modules, example.path("node/node_modules")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_assertion_is_verified_in_go() {
    verified_in("Go", |example, install| drop(example.done(install))).await;
}

#[tokio::test]
async fn an_assertion_is_verified_in_rust() {
    // Its dependencies are built once, in the cache.
    verified_in("Rust", |example, install| {
        std::os::unix::fs::symlink(installed("target"), example.path("rust/target")).unwrap();
        example.done(install);
    })
    .await;
}

/// The package of npm, as the example names it.
fn jose() -> String {
    let package = std::fs::read(repository().join("examples/verify-assertion/node/package.json")).unwrap();
    let package: Value = serde_json::from_slice(&package).unwrap();
    format!("jose@{}", package["dependencies"]["jose"].as_str().unwrap())
}

#[test]
fn what_the_tests_install_is_what_the_readme_installs() {
    let read = |name: &str| std::fs::read_to_string(repository().join(name)).unwrap();
    let (readme, run) = (read("examples/verify-assertion/README.md"), read("tests/run"));
    for file in ["python/requirements.txt", "rust/Cargo.toml"] {
        assert!(readme.contains(file), "{file}");
        assert!(run.contains(&format!("examples/verify-assertion/{file}")), "{file}");
    }
    assert!(run.contains(&jose()), "{}", jose());
}
