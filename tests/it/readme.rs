//! A README, done word for word on ports of its own: each block labelled `start` is started, each block labelled `sh` is run, and each
//! line of a block labelled `text` must be in what came out.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tests::port;
use tests::process::Process;
use tests::{authd, cache, http, repository, wait};

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
                .map(|port| (port, port::free().to_string()))
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

/// What a README has started, and how much of it was seen to be true.
pub(crate) struct Told {
    ports: Ports,
    /// What answers once all of them are ready, by its port in the README.
    answers: Vec<(&'static str, &'static str)>,
    folder: TempDir,
    running: Vec<Process>,
    /// Lines that it shows, and that were found.
    pub(crate) shown: usize,
}

impl Told {
    /// How many programs it has started.
    pub(crate) fn started(&self) -> usize {
        self.running.len()
    }

    /// The port that stands for one of the README.
    pub(crate) fn port<'a>(&'a self, port: &'a str) -> &'a str {
        self.ports.of(port)
    }

    fn copy(&self, example: &str, change: &dyn Fn(&str) -> String) {
        let to = self.folder.path().join("examples").join(example);
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(repository().join("examples").join(example)).unwrap() {
            let file = entry.unwrap().path();
            let copied = to.join(file.file_name().unwrap());
            std::fs::copy(&file, &copied).unwrap();
            let text = change(&self.ports.put(&std::fs::read_to_string(&file).unwrap()));
            std::fs::write(&copied, text.replace("cost: 12", "cost: 10")).unwrap();
        }
    }

    fn command(&self, text: &str, programs: &Path) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(PathBuf::from(programs)).chain(std::env::split_paths(&path)));
        let mut command = Command::new("bash");
        command
            .arg("-c")
            .arg(text)
            .current_dir(self.folder.path())
            .env("PATH", path.unwrap());
        command
    }

    fn start(&mut self, text: &str, programs: &Path) {
        let listeners = [
            ("--public", "8080"),
            ("--verify", "8081"),
            ("--grpc", "8082"),
            ("--admin", "9090"),
        ];
        let listeners = listeners
            .map(|(flag, port)| format!(" {flag} 127.0.0.1:{}", self.ports.of(port)))
            .concat();
        let more = if text.contains(" serve ") { &*listeners } else { "" };
        let text = text.trim_end().replace(" 8090", &format!(" {}", self.ports.of("8090")));
        let text = text.replace("upstream.py", &format!("upstream.py {}", self.ports.of("8090")));
        self.answers.push(match text.split_once(' ') {
            Some(("nginx", _)) => ("8000", "/"),
            _ if text.contains(" serve ") => ("9090", "/readyz"),
            _ => ("8090", "/"),
        });
        let started = Process::start(&mut self.command(&format!("exec {text}{more}"), programs));
        self.running.push(started);
    }

    async fn run(&self, text: &str, programs: &Path) -> String {
        for (port, path) in &self.answers {
            let url = format!("http://127.0.0.1:{}{path}", self.ports.of(port));
            wait::until("everything answers", || http::get(&url).attempt()).await;
        }
        let done = self
            .command(&format!("set -euo pipefail\n{text}"), programs)
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&done.stdout).replace('\r', "");
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{text}{output}{errors}");
        output
    }
}

/// Does what the README of an example below `examples/` says, with the quickstart beside it.
pub(crate) async fn told(example: &str) -> Told {
    told_with(example, &str::to_owned).await
}

/// The same, with something of ours in place of what the files and the README name.
pub(crate) async fn told_with(example: &str, change: &dyn Fn(&str) -> String) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let (ports, running) = (Ports::free(), Vec::new());
    let mut told = Told {
        ports,
        answers: Vec::new(),
        folder,
        running,
        shown: 0,
    };
    told.copy("quickstart", &str::to_owned);
    told.copy(example, change);
    // What `tests/run` has installed for it.
    let programs = cache().join(example).join("bin");
    let readme = repository().join("examples").join(example).join("README.md");
    let readme = change(&told.ports.put(&std::fs::read_to_string(readme).unwrap()));
    let program = authd::program().display().to_string();
    let mut output = String::new();
    for Block { label, text } in blocks(&readme) {
        let text = text.replace("cargo run --release -p authd --", &program);
        match label.as_str() {
            "start" => told.start(&text, &programs),
            "sh" => output = told.run(&text, &programs).await,
            "text" => {
                let mut rest = output.as_str();
                for line in text.lines() {
                    let found = rest
                        .find(line)
                        .unwrap_or_else(|| panic!("`{line}` is not in what came out:\n{output}"));
                    rest = &rest[found + line.len()..];
                    told.shown += 1;
                }
            }
            other => panic!("a block is labelled `{other}`"),
        }
    }
    told
}
