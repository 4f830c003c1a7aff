use super::*;

#[test]
fn gen() {
    let cases: Vec<(String, String, String)> = serde_json::from_str(&std::fs::read_to_string("/tmp/load/in.json").unwrap()).unwrap();
    let mut out = Vec::new();
    for (_, text, file) in cases {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file), text).unwrap();
        let loaded = read(dir.path());
        let lines = loaded.problems.iter().map(ToString::to_string).chain(loaded.notes.iter().map(|n| format!("note: {n}")));
        let prefix = format!("{}/", dir.path().display());
        out.push(lines.map(|l| l.replace(&prefix, "")).collect::<Vec<_>>());
    }
    std::fs::write("/tmp/load/out.json", serde_json::to_string(&out).unwrap()).unwrap();
}
