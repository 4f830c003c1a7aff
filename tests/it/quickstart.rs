//! The README of the quickstart, done word for word on ports of its own: each block of commands is run, and each line that the
//! README shows must be in what came out.

use std::path::Path;
use std::process::Command;

use tests::process::Process;
use tests::upstream::free_port;
use tests::{authd, http, repository, wait};

/// A fenced block: its label and its text.
struct Block {
    label: String,
    text: String,
}

fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in readme.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(label), None) => {
                open = Some(Block {
                    label: label.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The ports of the README, and those that are free here.
struct Ports(Vec<(&'static str, String)>);

impl Ports {
    fn free() -> Self {
        Self(
            ["8000", "8080", "8081", "8082", "8090", "9090"]
                .map(|port| (port, free_port().to_string()))
                .into(),
        )
    }

    fn of<'a>(&'a self, port: &'a str) -> &'a str {
        self.0
            .iter()
            .find(|(known, _)| *known == port)
            .map_or(port, |(_, free)| free)
    }

    fn put(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (known, free)| {
            text.replace(&format!(":{known}"), &format!(":{free}"))
                .replace(&format!("%3A{known}"), &format!("%3A{free}"))
        })
    }
}

fn copy(to: &Path, ports: &Ports) {
    for entry in std::fs::read_dir(repository().join("examples/quickstart")).unwrap() {
        let file = entry.unwrap().path();
        let text = ports
            .put(&std::fs::read_to_string(&file).unwrap())
            .replace("cost: 12", "cost: 10");
        std::fs::write(to.join(file.file_name().unwrap()), text).unwrap();
    }
}

fn command(text: &str, folder: &Path) -> Command {
    let mut command = Command::new("bash");
    command.arg("-c").arg(text).current_dir(folder);
    command
}

#[tokio::test]
async fn the_readme_of_the_quickstart_is_true() {
    let ports = Ports::free();
    let folder = tempfile::tempdir().unwrap();
    let example = folder.path().join("examples/quickstart");
    std::fs::create_dir_all(&example).unwrap();
    copy(&example, &ports);
    let readme = ports.put(&std::fs::read_to_string(repository().join("examples/quickstart/README.md")).unwrap());
    let authd = authd::program().display().to_string();
    let listeners = ["--public", "--verify", "--grpc", "--admin"]
        .into_iter()
        .zip(["8080", "8081", "8082", "9090"]);
    let listeners: String = listeners
        .map(|(flag, port)| format!(" {flag} 127.0.0.1:{}", ports.of(port)))
        .collect();
    let (mut running, mut output, mut shown) = (Vec::new(), String::new(), 0);
    for Block { label, text } in blocks(&readme) {
        let text = text.replace("cargo run --release -p authd --", &authd);
        match label.as_str() {
            "start" => {
                let text = text
                    .trim_end()
                    .replace("upstream.py", &format!("upstream.py {}", ports.of("8090")));
                let more = if text.contains(" serve ") {
                    listeners.as_str()
                } else {
                    ""
                };
                running.push(Process::start(&mut command(
                    &format!("exec {text}{more}"),
                    folder.path(),
                )));
            }
            "sh" => {
                for port in ["8000", "9090"] {
                    let url = format!("http://127.0.0.1:{}/readyz", ports.of(port));
                    wait::until("everything answers", || http::get(&url).attempt()).await;
                }
                let done = command(&format!("set -euo pipefail\n{text}"), folder.path())
                    .output()
                    .unwrap();
                output = String::from_utf8_lossy(&done.stdout).replace('\r', "");
                assert!(
                    done.status.success(),
                    "{text}{output}{}",
                    String::from_utf8_lossy(&done.stderr)
                );
            }
            "text" => {
                let mut rest = output.as_str();
                for line in text.lines() {
                    let found = rest
                        .find(line)
                        .unwrap_or_else(|| panic!("`{line}` is not in what came out:\n{output}"));
                    rest = &rest[found + line.len()..];
                    shown += 1;
                }
            }
            other => panic!("a block is labelled `{other}`"),
        }
    }
    assert_eq!(
        (running.len(), shown),
        (3, 17),
        "what the README starts, and the lines that it shows"
    );
}
