//! The images hold one static program each, which runs with nothing beside it, as nobody's user.
//!
//! Base images cannot be had everywhere, so what the images' build does is done here without them: the same link against musl, and
//! the programs alone in a root folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tests::repository;

/// The user of the images.
const NOBODYS: &str = "65532";

/// The folder of each Dockerfile, and its program.
const IMAGES: [(&str, &str); 2] = [("authd", "authd"), ("operator", "authd-operator")];

/// Where `tests/run` has put the programs that are linked as in the images.
fn program(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("x86_64-unknown-linux-musl/debug").join(name)
}

/// The lines of the stage that becomes the image, with continued lines joined.
fn last_stage(folder: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join(folder).join("Dockerfile")).unwrap();
    let text = text.replace("\\\n", " ");
    let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    let begin = lines.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    lines[begin..].to_vec()
}

fn words<'a>(stage: &'a [String], instruction: &str) -> Vec<&'a str> {
    stage
        .iter()
        .filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' '))
        .collect()
}

#[test]
fn an_image_is_one_program_without_a_shell_for_nobodys_user() {
    for (folder, program) in IMAGES {
        let stage = last_stage(folder);
        assert_eq!(words(&stage, "FROM"), ["scratch"], "{folder}");
        assert_eq!(words(&stage, "USER"), [format!("{NOBODYS}:{NOBODYS}")], "{folder}");
        assert_eq!(words(&stage, "ENTRYPOINT"), [format!("[\"/{program}\"]")], "{folder}");
        assert!(words(&stage, "RUN").is_empty(), "{folder}: {stage:?}");
        let copied: Vec<&str> = words(&stage, "COPY")
            .iter()
            .filter_map(|line| line.rsplit(' ').next())
            .collect();
        assert!(copied.contains(&format!("/{program}").as_str()), "{folder}: {copied:?}");
    }
}

/// The types of an ELF file's program headers.
fn segments(path: &Path) -> Vec<u32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}: `tests/run` links it", path.display()));
    assert_eq!(&bytes[..5], b"\x7fELF\x02", "{} is no 64-bit ELF file", path.display());
    let number = |at: usize, length: usize| {
        let mut eight = [0; 8];
        eight[..length].copy_from_slice(&bytes[at..at + length]);
        usize::try_from(u64::from_le_bytes(eight)).unwrap()
    };
    let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count)
        .map(|index| u32::try_from(number(headers + index * size, 4)).unwrap())
        .collect()
}

#[test]
fn the_programs_of_the_images_need_no_loader() {
    const INTERPRETER: u32 = 3;
    for (_, name) in IMAGES {
        assert!(
            !segments(&program(name)).contains(&INTERPRETER),
            "{name} is linked dynamically"
        );
    }
    assert!(
        segments(&std::env::current_exe().unwrap()).contains(&INTERPRETER),
        "this very test is linked dynamically, and must be told from the others"
    );
}

/// Runs a program of the image as its user, in a root folder with nothing but itself and the quickstart.
fn alone(name: &str, arguments: &[&str]) -> Output {
    let root = tempfile::tempdir().unwrap();
    std::fs::copy(program(name), root.path().join(name)).unwrap();
    let resources = root.path().join("resources");
    std::fs::create_dir(&resources).unwrap();
    for entry in std::fs::read_dir(repository().join("examples/quickstart")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            std::fs::copy(&path, resources.join(path.file_name().unwrap())).unwrap();
        }
    }
    Command::new("unshare")
        .args(["--user", "--map-user", NOBODYS, "--map-group", NOBODYS, "--root"])
        .arg(root.path())
        .args(["--wd", "/", &format!("/{name}")])
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_programs_of_the_images_run_with_nothing_beside_them() {
    for (name, arguments, expected) in [
        ("authd", ["check", "/resources"], "no problems"),
        ("authd-operator", ["crds", "--help"], "Usage: authd-operator crds"),
    ] {
        let output = alone(name, &arguments);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains(expected), "{name}: {output:?}");
    }
    let refused = alone("authd", &["check", "/nowhere"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
