//! A person at a browser: Chromium, driven through playwright-core by the script `browser.mjs` beside this file.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{npm, repository};

/// As `tests/run` has it.
const PLAYWRIGHT: &str = "playwright-core@1.65.1";

/// What somebody does and expects, step by step, in one window without cookies.
#[derive(Debug)]
#[must_use = "nothing happens before `done`"]
pub struct Visit {
    context: Value,
    steps: Vec<Value>,
}

impl Default for Visit {
    fn default() -> Self {
        Self::new()
    }
}

impl Visit {
    /// At a desk, in the daytime.
    pub fn new() -> Self {
        Self {
            context: json!({"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}),
            steps: Vec::new(),
        }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        if let Some(context) = self.context.as_object_mut() {
            context.insert(name.to_owned(), value);
        }
        self
    }

    fn then(mut self, step: Value) -> Self {
        self.steps.push(step);
        self
    }

    /// On a phone.
    pub fn on_a_phone(self) -> Self {
        self.with("viewport", json!({"width": 390, "height": 844}))
            .with("isMobile", json!(true))
            .with("hasTouch", json!(true))
            .with("deviceScaleFactor", json!(2))
    }

    /// By somebody who likes it dark.
    pub fn in_the_dark(self) -> Self {
        self.with("colorScheme", json!("dark"))
    }

    /// With JavaScript switched off.
    pub fn without_scripts(self) -> Self {
        self.with("javaScriptEnabled", json!(false))
    }

    /// Types an address.
    pub fn open(self, url: &str) -> Self {
        self.then(json!(["open", url]))
    }

    /// Fills in the field with this label.
    pub fn fill(self, label: &str, text: &str) -> Self {
        self.then(json!(["fill", label, text]))
    }

    /// Chooses what is so called in the list with this label.
    pub fn select(self, label: &str, option: &str) -> Self {
        self.then(json!(["select", label, option]))
    }

    /// Presses the first button with this name.
    pub fn press(self, button: &str) -> Self {
        self.then(json!(["press", button]))
    }

    /// Follows a link.
    pub fn choose(self, link: &str) -> Self {
        self.then(json!(["choose", link]))
    }

    /// Types text where the focus is.
    pub fn types(self, text: &str) -> Self {
        self.then(json!(["type", text]))
    }

    /// Presses a key.
    pub fn key(self, name: &str) -> Self {
        self.then(json!(["key", name]))
    }

    /// Is now at exactly this address.
    pub fn at(self, url: &str) -> Self {
        self.then(json!(["at", url]))
    }

    /// Each of these, taken from a page at `base`, leads to one of the hosts, as the browser itself reads it.
    pub fn stays_within(self, base: &str, locations: &[String], hosts: &[&str]) -> Self {
        self.then(json!(["stays", base, locations, hosts]))
    }

    /// Opens the same page again until this text is there, for as long as any other step may take.
    pub fn comes_to_see(self, url: &str, text: &str) -> Self {
        self.then(json!(["becomes", url, text]))
    }

    /// Sees the page with this heading.
    pub fn heading(self, text: &str) -> Self {
        self.then(json!(["heading", text]))
    }

    /// Is told that something is wrong.
    pub fn alert(self, text: &str) -> Self {
        self.then(json!(["alert", text]))
    }

    /// Sees this text.
    pub fn sees(self, text: &str) -> Self {
        self.then(json!(["sees", text]))
    }

    /// The focus is on what has this role and this name.
    pub fn focus(self, role: &str, name: &str) -> Self {
        self.then(json!(["focus", role, name]))
    }

    /// Is sent from `base` to each of these addresses, by its own reading of them: all lead to one of these hosts over HTTP.
    pub fn stays(self, base: &str, addresses: &[String], hosts: &[&str]) -> Self {
        self.then(json!(["stays", base, addresses, hosts]))
    }

    /// Keeps a picture as `tests/artefacts/NAME.png`; the page must not be wider than the window.
    pub fn picture(self, name: &str) -> Self {
        self.then(json!(["picture", name]))
    }

    /// Does all of it.
    ///
    /// # Panics
    /// A step did not come out: the panic says which, and what was seen.
    pub async fn done(self) {
        let said = self.outcome().await;
        assert!(said.is_empty(), "{said}");
    }

    /// Does all of it, and returns what went wrong.
    ///
    /// # Panics
    /// There is no browser.
    pub async fn outcome(self) -> String {
        tokio::task::spawn_blocking(move || self.run())
            .await
            .expect("the browser was waited for")
    }

    /// What went wrong.
    fn run(&self) -> String {
        let artefacts = repository().join("tests/artefacts");
        std::fs::create_dir_all(&artefacts).expect("pictures can be kept");
        let story = json!({
            "modules": npm::package("playwright", PLAYWRIGHT),
            "chromium": "/usr/bin/chromium",
            "artefacts": artefacts,
            "context": self.context,
            "steps": self.steps,
        });
        let mut script = Command::new("node")
            .arg(repository().join("tests/src/browser.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node can be started");
        let mut input = script.stdin.take().expect("stdin is a pipe");
        input.write_all(story.to_string().as_bytes()).expect("node reads");
        drop(input);
        let ended = script.wait_with_output().expect("node ends");
        if ended.status.success() {
            return String::new();
        }
        format!("{}: {}", ended.status, String::from_utf8_lossy(&ended.stderr))
    }
}
