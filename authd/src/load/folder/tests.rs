use std::{fs, os::unix::fs::symlink};

use proptest::prelude::*;

use super::*;

mod mistakes;

const GOOD: &str = "apiVersion: authd.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: grafana, namespace: payments}\n\
    spec:\n  hosts: [grafana.example.com]\n  rules:\n    - paths: [/api/health]\n      allow: {anyone: true}\n    \
    - allow:\n        groups: [payments]\n";

fn kinds() -> Kinds {
    Kinds::new().unwrap()
}

fn one(file: &str, text: &str) -> Sources {
    Sources {
        files: vec![Source {
            path: file.into(),
            text: Ok(text.to_owned()),
        }],
        digest: [0; 32],
    }
}

fn lines(loaded: &Loaded) -> Vec<String> {
    let notes = loaded.notes.iter().map(|note| format!("note: {note}"));
    loaded.problems.iter().map(ToString::to_string).chain(notes).collect()
}

#[track_caller]
fn check(kinds: &Kinds, (name, file): (&str, &str), text: &str, expected: &[&str]) {
    assert_eq!(lines(&understand(one(file, text), kinds)), expected, "{name}");
}

/// What a folder with these files says about itself, with paths below the folder.
fn read_files(files: &[(&str, &[u8])]) -> (Loaded, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    read_dir(dir.path())
}

fn read_dir(dir: &Path) -> (Loaded, Vec<String>) {
    let loaded = read(dir);
    let prefix = format!("{}/", dir.display());
    let lines = lines(&loaded).iter().map(|line| line.replace(&prefix, "")).collect();
    (loaded, lines)
}

fn policies(loaded: &Loaded) -> Vec<String> {
    let names = loaded.resources.access_policies.iter();
    names.map(|p| p.metadata.name.clone().unwrap_or_default()).collect()
}

#[test]
fn json_may_be_indented_with_tabs() {
    let text = "{\n\t\"apiVersion\": \"authd.dev/v1alpha1\",\n\t\"kind\": \"AccessPolicy\",\n\t\"metadata\": {\"name\": \"p\"},\n\t\
        \"spec\": {\"hosts\": [\"a.example.com\"], \"ruls\": []}\n}\n";
    let expected = "x.json:5:39: AccessPolicy default/p: spec.ruls: unknown field `ruls`, did you mean `rules`?";
    check(&kinds(), ("tabs in JSON", "x.json"), text, &[expected]);
}

#[test]
fn every_kind_has_a_schema_and_a_place() {
    let kinds = kinds();
    for kind in crds::KINDS {
        let object = serde_json::json!({"apiVersion": "authd.dev/v1alpha1", "kind": kind.name});
        assert!(
            matches!(kinds.identify(&object), Identity::Known(known) if known.name == kind.name),
            "{}",
            kind.name
        );
    }
}

#[test]
fn sub_folders_documents_and_all_endings_are_read() {
    let two = format!("{GOOD}---\n# nothing\n---\n{}", GOOD.replace("grafana", "other"));
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aGk=}\nstringData: {b: 'no'}\n";
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: payments, labels: {team: payments}}\n";
    let (loaded, lines) = read_files(&[
        ("a/b/two.yml", two.as_bytes()),
        ("secret.YAML", secret.as_bytes()),
        ("namespace.yaml", namespace.as_bytes()),
        ("README.md", b"\tnot: [yaml"),
        ("kustomization.yaml", b"resources: [two.yml]\n"),
        (".hidden.yaml", b"\tnot: [yaml"),
        (".git/x.yaml", b"\tnot: [yaml"),
    ]);
    assert_eq!(lines, [""; 0]);
    assert_eq!(policies(&loaded), ["grafana", "other"]);
    let secret = &loaded.resources.secrets[0];
    assert_eq!((secret.namespace.as_str(), secret.name.as_str()), ("default", "s"));
    assert_eq!(secret.data["a"], b"hi");
    assert_eq!(secret.data["b"], b"no");
    assert_eq!(loaded.resources.namespaces[0].labels["team"], "payments");
}

#[test]
fn defaults_are_filled_in_as_by_the_api_server() {
    let loaded = understand(one("x.yaml", GOOD), &kinds());
    assert_eq!(loaded.resources.access_policies[0].spec.mode, crds::Mode::Enforce);
}

#[test]
fn files_that_cannot_be_read_are_problems_of_their_own() {
    let large = vec![b'#'; 2 << 20];
    let (loaded, lines) = read_files(&[
        ("a.yaml", b"kind: \xff\xfe\n"),
        ("b.yaml", b"# fine\na: \x80"),
        ("c.yaml", &large),
        ("d.yaml", b"\x7fELF\x02\x01\x01\x00\x00"),
        ("good.yaml", GOOD.as_bytes()),
    ]);
    assert_eq!(
        lines[..3],
        [
            "a.yaml:1:7: not a text in UTF-8",
            "b.yaml:2:4: not a text in UTF-8",
            "c.yaml:1:1: the file is larger than 1 MiB: split it",
        ]
    );
    assert!(lines[3].starts_with("d.yaml:1:"), "{lines:?}");
    assert_eq!(lines.len(), 4);
    assert_eq!(policies(&loaded), ["grafana"]);
}

#[test]
fn more_than_64_mib_are_not_read() {
    let mebibyte = format!("#{}", "-".repeat((1 << 20) - 1));
    let dir = tempfile::tempdir().unwrap();
    for i in 0..66 {
        fs::write(dir.path().join(format!("{i:02}.yaml")), &mebibyte).unwrap();
    }
    let message = "the folder holds more than 64 MiB of resources: this file was not read";
    let expected = [format!("64.yaml:1:1: {message}"), format!("65.yaml:1:1: {message}")];
    assert_eq!(read_dir(dir.path()).1, expected);
}

#[test]
fn the_same_object_in_two_files_names_both_places() {
    let (loaded, lines) = read_files(&[("a.yaml", GOOD.as_bytes()), ("b.yaml", format!("\n{GOOD}").as_bytes())]);
    assert_eq!(lines.len(), 1);
    let (file, rest) = lines[0].split_once(": ").unwrap();
    assert_eq!(file, "b.yaml:4:18");
    assert_eq!(
        rest,
        "AccessPolicy payments/grafana: metadata.name: is already declared in a.yaml:3:18"
    );
    assert_eq!(loaded.problems[0].reason, Reason::Duplicate);
    assert_eq!(policies(&loaded), ["grafana"]);
}

#[test]
fn the_same_name_in_two_namespaces_is_no_duplicate() {
    let other = GOOD.replace("namespace: payments", "namespace: other");
    let (_, lines) = read_files(&[("a.yaml", GOOD.as_bytes()), ("b.yaml", other.as_bytes())]);
    assert_eq!(lines, [""; 0]);
}

#[test]
fn a_mounted_config_map_is_read_once_through_its_data_link() {
    let dir = tempfile::tempdir().unwrap();
    let mount = |version: &str, text: &str| {
        fs::create_dir(dir.path().join(version)).unwrap();
        fs::write(dir.path().join(version).join("p.yaml"), text).unwrap();
        let _ = fs::remove_file(dir.path().join("..data_tmp"));
        symlink(version, dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
    };
    mount("..2027_01_01", GOOD);
    symlink("..data/p.yaml", dir.path().join("p.yaml")).unwrap();
    let (first, lines) = read_dir(dir.path());
    assert_eq!((lines.len(), policies(&first)), (0, vec!["grafana".to_owned()]));

    mount("..2027_01_02", &GOOD.replace("grafana", "later"));
    let (second, _) = read_dir(dir.path());
    assert_eq!(policies(&second), ["later"]);
    assert_ne!(first.digest, second.digest);
    let (file, ..) = second
        .positions
        .locate("AccessPolicy", "payments", "later", "spec")
        .unwrap();
    assert_eq!(file, dir.path().join("p.yaml"));
}

#[test]
fn links_in_a_circle_and_links_to_nothing_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), GOOD).unwrap();
    symlink(".", dir.path().join("circle")).unwrap();
    symlink("nowhere", dir.path().join("gone.yaml")).unwrap();
    let (loaded, lines) = read_dir(dir.path());
    assert_eq!(
        lines,
        ["gone.yaml:1:1: cannot be read: No such file or directory (os error 2)"]
    );
    assert_eq!(policies(&loaded), ["grafana"]);
}

#[test]
fn a_folder_that_is_not_there_is_a_problem() {
    let lines = lines(&read(Path::new("/nowhere/at/all")));
    assert_eq!(
        lines,
        ["/nowhere/at/all:1:1: the folder cannot be read: No such file or directory (os error 2)"]
    );
}

#[test]
fn fields_are_located_or_else_what_holds_them() {
    let loaded = understand(one("x.yaml", &format!("# a comment\n---\n{GOOD}")), &kinds());
    let at = |field: &str| {
        let place = loaded.positions.locate("AccessPolicy", "payments", "grafana", field);
        place.map(|(_, line, column)| (line, column))
    };
    for (field, expected) in [
        ("", (3, 1)),
        ("spec", (6, 1)),
        ("spec.hosts", (7, 3)),
        ("spec.hosts[0]", (7, 11)),
        ("spec.rules[0].paths[0]", (9, 15)),
        ("spec.rules[1]", (11, 7)),
        ("spec.rules[1].allow.groups[0]", (12, 18)),
        ("spec.rules[1].allow.groups[7]", (12, 9)),
        ("spec.rules[1].allow.roles", (11, 7)),
        ("spec.cedar", (6, 1)),
        ("metadata.namespace", (5, 38)),
    ] {
        assert_eq!(at(field), Some(expected), "{field}");
    }
    assert_eq!(
        loaded.positions.locate("AccessPolicy", "default", "grafana", "spec"),
        None
    );
}

#[test]
fn problems_of_compiling_get_a_place() {
    let loaded = understand(one("x.yaml", GOOD), &kinds());
    let problem = |name: &str| Problem {
        kind: "AccessPolicy".to_owned(),
        namespace: "payments".to_owned(),
        name: name.to_owned(),
        field: "spec.hosts[0]".to_owned(),
        reason: Reason::HostConflict,
        message: "is taken".to_owned(),
    };
    for (name, expected) in [
        (
            "grafana",
            "x.yaml:5:11: AccessPolicy payments/grafana: spec.hosts[0]: is taken",
        ),
        (
            "other",
            "resources:1:1: AccessPolicy payments/other: spec.hosts[0]: is taken",
        ),
    ] {
        let placed = loaded.positions.place(problem(name), Path::new("resources"));
        assert_eq!(
            (placed.to_string().as_str(), placed.reason),
            (expected, Reason::HostConflict)
        );
    }
}

#[test]
fn a_secret_is_in_no_message() {
    let canary = "canary-5f1d";
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
    for members in [
        format!("data: {{a: {canary}}}\n"),
        format!("data: {{a: [{canary}]}}\n"),
        format!("data: {canary}\n"),
        format!("stringData: {{a: {{b: {canary}}}}}\n"),
        format!("stringData: {{a: !x {canary}}}\n"),
        format!("stringData: {{a: {canary}}}\ndata: {{a: {canary}}}\n"),
        format!("stringData: {{a: \"{canary}\n"),
        format!("type: [{canary}]\n"),
    ] {
        let loaded = understand(one("x.yaml", &format!("{secret}{members}")), &kinds());
        assert!(!loaded.problems.is_empty(), "{members}");
        assert!(!format!("{loaded:?}").contains(canary), "{:?}", loaded.problems);
    }
    let good = understand(
        one("x.yaml", &format!("{secret}stringData: {{a: {canary}}}\n")),
        &kinds(),
    );
    assert_eq!(good.resources.secrets[0].data["a"], canary.as_bytes());
    assert!(!format!("{good:?}").contains(canary));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_end_the_process(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = yaml::parse(&text);
    }

    #[test]
    fn no_punctuation_ends_the_process(text in "([-:\\[\\]{}?&*!|>'\"%@#,~<=\\t\\n ab01]|---\n|&a |\\*a|!!){0,200}") {
        let _ = yaml::parse(&text);
    }

    #[test]
    fn no_change_to_a_good_file_ends_the_process(at in 0..300_usize, cut in 0..8_usize, put in "[-:\\[\\]{}'\"\\n\\t nul0-9~]{0,6}") {
        let mut text: Vec<char> = GOOD.chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        let text: String = text.into_iter().collect();
        let loaded = understand(one("x.yaml", &text), &KINDS.with(std::clone::Clone::clone));
        let read = loaded.resources.access_policies.len() + loaded.problems.len() + loaded.notes.len();
        prop_assert!(read > 0, "said nothing about {text:?}");
    }
}

thread_local! {
    static KINDS: std::rc::Rc<Kinds> = std::rc::Rc::new(kinds());
}
