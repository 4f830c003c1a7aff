//! Rules of the whole crate.

use std::path::{Path, PathBuf};

/// The product code: every file of the crate but tests and what only they use.
fn product() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let of_tests = path.components().any(|part| {
                matches!(
                    part.as_os_str().to_str(),
                    Some("tests" | "tests.rs" | "story" | "story.rs")
                )
            });
            if path.is_dir() && !of_tests {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !of_tests {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

#[test]
fn the_engine_has_no_clock_no_randomness_no_input_or_output_and_no_async() {
    let files = product();
    assert!(files.len() > 15, "the product code was not found: {files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for word in [
                "std::time",
                "SystemTime",
                "Instant::",
                "Timestamp::now",
                "rand::",
                "tokio",
                "async ",
                ".await",
                "std::fs",
                "std::io",
                "std::net::Tcp",
                "std::net::Udp",
                "std::env",
                "std::process",
                "std::thread",
                "println!",
            ] {
                assert!(!line.contains(word), "{}:{}: `{word}`", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn the_crate_leans_on_nothing_that_waits_or_guesses() {
    let manifest = include_str!("../Cargo.toml");
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    let (dependencies, _) = dependencies.split_once("[dev-dependencies]").unwrap();
    for name in [
        "tokio", "futures", "rand", "uuid", "reqwest", "hyper", "kube", "sqlx", "authd",
    ] {
        let named = |line: &str| line.split(['.', ' ', '=']).next() == Some(name);
        assert!(
            !dependencies.lines().any(named),
            "the policy engine depends on `{name}`"
        );
    }
}

#[test]
fn the_schemas_parse() {
    assert_eq!(crate::cedar::grants_schema().err(), None);
    assert_eq!(crate::cedar::schema().err(), None);
}

#[test]
fn every_reason_is_explained_and_has_a_name_that_conditions_may_carry() {
    let mut names = std::collections::BTreeSet::new();
    for (reason, explanation) in crds::Reason::ALL {
        let name = reason.name();
        assert!(names.insert(name), "{name} twice");
        assert!(name.starts_with(|first: char| first.is_ascii_uppercase()), "{name}");
        assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric()), "{name}");
        assert!(
            explanation.trim().ends_with('.') && explanation.len() > 15,
            "{name}: `{explanation}`"
        );
        assert_eq!(serde_json::to_value(reason).unwrap(), name, "its name in JSON");
    }
}
