//! Rules of the whole workspace. A rule that only a document tells is soon broken.
//!
//! Deliberately not here: that `policy` does no input or output, which its own tests say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::repository;

/// Each crate, and the crates of ours that it may lean on.
const DIRECTIONS: [(&str, &[&str]); 6] = [
    ("crds", &[]),
    ("policy", &["crds"]),
    ("operator", &["crds", "policy"]),
    ("authd", &["crds", "policy"]),
    ("tests", &["crds", "policy", "operator", "authd"]),
    ("bench", &["crds", "policy", "operator", "authd", "tests"]),
];

/// What the documents may be long.
const LENGTHS: [(&str, usize); 3] = [("ARCHITECTURE.md", 200), ("CONTRIBUTING.md", 60), (".ci/run", 40)];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Every file and folder of the checkout, relative to its top.
fn everything() -> Vec<PathBuf> {
    fn walk(top: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if (name == "target" && folder == top) || name == ".git" {
                continue;
            }
            found.push(path.strip_prefix(top).unwrap().to_owned());
            if path.is_dir() {
                walk(top, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&repository(), &repository(), &mut found);
    assert!(found.len() > 100, "the checkout was not found: {found:?}");
    found
}

pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    everything()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = std::fs::read_to_string(repository().join(&path)).unwrap();
            (path, text)
        })
        .collect()
}

fn document(name: &str) -> Option<String> {
    std::fs::read_to_string(repository().join(name)).ok()
}

#[test]
fn crates_lean_on_each_other_in_one_direction() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"])).unwrap();
    let packages: BTreeMap<String, BTreeSet<String>> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let ours = package["dependencies"].as_array().unwrap().iter();
            let ours = ours.filter(|dependency| dependency["path"].is_string());
            let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
            (name(package), ours.map(name).collect())
        })
        .collect();
    let known: BTreeSet<&str> = DIRECTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(packages.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
    for (name, may) in DIRECTIONS {
        for leans_on in &packages[name] {
            assert!(may.contains(&leans_on.as_str()), "`{name}` leans on `{leans_on}`");
        }
    }
}

#[test]
fn one_library_does_the_cryptography() {
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--offline",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let built: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(
        built.contains("aws-lc-rs") && built.contains("tokio"),
        "control: {built:?}"
    );
    for name in ["ring", "openssl", "openssl-sys", "native-tls", "boring"] {
        assert!(!built.contains(name), "`{name}` is built: ask `cargo tree -i {name}`");
    }
}

#[test]
fn no_name_says_nothing() {
    const EMPTY: [&str; 10] = [
        "util",
        "utils",
        "common",
        "helper",
        "helpers",
        "misc",
        "types",
        "constants",
        "prelude",
        "mod",
    ];
    let module = |path: &PathBuf| path.extension().is_none_or(|extension| extension == "rs");
    for path in everything().into_iter().filter(module) {
        let stem = path.file_stem().unwrap().to_string_lossy();
        assert!(
            !EMPTY.contains(&&*stem),
            "{}: name it after what it answers",
            path.display()
        );
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let product = |path: &Path| {
        let in_source = path.iter().nth(1).is_some_and(|folder| folder == "src");
        let of_tests = ["tests", "tests.rs", "story", "story.rs"];
        in_source && !path.iter().any(|part| of_tests.iter().any(|name| part == *name))
    };
    let mut seen = 0;
    for (path, text) in sources().into_iter().filter(|(path, _)| product(path)) {
        let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let lines = text[..tests].lines().count();
        assert!(lines <= 400, "{}: {lines} lines of product code", path.display());
        seen += 1;
    }
    assert!(seen > 80, "control: only {seen} files were looked at");
}

#[test]
fn nothing_is_left_for_later() {
    // Written in two pieces, so that this file has none of them.
    const LATER: [&str; 6] = [
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("d", "bg!("),
        concat!("#[ig", "nore"),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
    ];
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for word in LATER {
                assert!(!line.contains(word), "{}:{}: `{word}`", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn every_migration_is_run() {
    let list = document("authd/src/store/migrations.rs").unwrap();
    let folder = Path::new("authd/src/store/migrations");
    let files: Vec<PathBuf> = everything()
        .into_iter()
        .filter(|path| path.parent() == Some(folder))
        .collect();
    assert!(!files.is_empty(), "control: no migration was found");
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let (number, rest) = name.split_once('_').unwrap();
        let version: u32 = number.parse().unwrap();
        let title = rest
            .strip_suffix(".sql")
            .unwrap_or_else(|| panic!("{name} is no migration"));
        let entry = format!("({version}, \"{title}\", include_str!(\"migrations/{name}\"))");
        assert!(
            list.contains(&entry),
            "{name} is not in the list of store/migrations.rs: `{entry}`"
        );
    }
    assert_eq!(list.matches("include_str!(\"migrations/").count(), files.len());
}

/// What stands in backticks, outside blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

/// Whether words in backticks are meant as a path of the checkout.
fn is_path(word: &str, files: &[PathBuf]) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/*".contains(&byte);
    let kinds = [
        ".rs", ".md", ".toml", ".yaml", ".sql", ".html", ".css", ".conf", ".lock", ".json",
    ];
    let top = word.split('/').next().unwrap_or_default();
    let below_top = word.contains('/') && files.iter().any(|file| file == Path::new(top));
    word.bytes().all(plain)
        && !word.starts_with(['/', '*', '.']) | word.starts_with(".ci/")
        && (below_top || kinds.iter().any(|kind| word.ends_with(kind) && word.len() > kind.len()))
}

/// Whether words in backticks are meant as the name of a test: a sentence of four words or more.
fn is_sentence(word: &str) -> bool {
    let name = word.rsplit("::").next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(plain) && name.matches('_').count() >= 3 && !name.starts_with("authd_")
}

#[track_caller]
fn read_as(word: &str, expected: (bool, bool)) {
    assert_eq!((is_path(word, &everything()), is_sentence(word)), expected, "{word}");
}

#[test]
fn a_document_is_read_for_paths_and_tests() {
    for (word, expected) in [
        ("policy/src/engine.rs", (true, false)),
        ("policy/", (true, false)),
        ("engine.rs", (true, false)),
        ("tests/it/*.rs", (true, false)),
        ("authd.dev/v1alpha1", (false, false)),
        ("/verify/nginx", (false, false)),
        ("Snapshot", (false, false)),
        ("cargo build --workspace", (false, false)),
        ("authd_rate_limited_total", (false, false)),
        ("crates_lean_on_each_other_in_one_direction", (false, true)),
        ("it::architecture::no_name_says_nothing", (false, true)),
    ] {
        read_as(word, expected);
    }
}

#[test]
fn what_the_architecture_names_exists() {
    let Some(text) = document("ARCHITECTURE.md") else {
        eprintln!("there is no ARCHITECTURE.md yet");
        return;
    };
    let files = everything();
    let sources = sources();
    let exists = |word: &str| {
        let word = word.trim_end_matches('/');
        let parts: Vec<&str> = word.split('*').collect();
        files.iter().any(|file| {
            let file = format!("/{}", file.display());
            match parts.as_slice() {
                [start, end] => file.contains(&format!("/{start}")) && file.ends_with(end),
                _ => file.ends_with(&format!("/{word}")),
            }
        })
    };
    let (mut paths, mut names) = (0, 0);
    for word in quoted(&text) {
        if is_path(word, &files) {
            assert!(
                exists(word),
                "ARCHITECTURE.md names `{word}`, which is no file or folder"
            );
            paths += 1;
        } else if is_sentence(word) {
            let function = format!("fn {}(", word.rsplit("::").next().unwrap());
            let found = sources.iter().any(|(_, text)| text.contains(&function));
            assert!(found, "ARCHITECTURE.md names `{word}`, which is no test");
            names += 1;
        }
    }
    assert!(
        paths > 5,
        "control: ARCHITECTURE.md names {paths} paths and {names} tests"
    );
}

#[test]
fn the_documents_are_there_and_short() {
    // They are written together: once one is there, all must be.
    if document("ARCHITECTURE.md").is_some() {
        for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"] {
            assert!(
                document(name).is_some_and(|text| text.len() > 100),
                "there is no {name}"
            );
        }
    }
    for (name, most) in LENGTHS {
        let lines = document(name).map_or(0, |text| text.lines().count());
        assert!(lines <= most, "{name} has {lines} lines, and at most {most} are read");
    }
}
