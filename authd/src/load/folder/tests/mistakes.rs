//! Every way to get a resource wrong, and the exact lines that say so: `mistakes.txt` beside this file.

use super::{check, kinds};

/// The name of a case, its file, and the lines that are said about it.
fn split(case: &str) -> (&str, String, Vec<&str>) {
    let (name, rest) = case.split_once('\n').unwrap();
    let text = rest.split("--> ").next().unwrap();
    let text = text.replace('→', "\t").replace('␍', "\r").replace('␂', "\u{feff}");
    let said = rest.lines().filter_map(|line| line.strip_prefix("--> ")).collect();
    (name, text, said)
}

#[test]
fn every_mistake_is_said_with_its_place_and_what_would_be_right() {
    let kinds = kinds();
    for case in include_str!("mistakes.txt").split("\n## ").skip(1) {
        let (name, text, expected) = split(case);
        check(&kinds, (name, "x.yaml"), &text, &expected);
    }
}

#[test]
fn what_is_too_long_is_said_in_numbers() {
    let kinds = kinds();
    let header = "apiVersion: authd.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n";
    let hosts: Vec<String> = (0..65).map(|i| format!("h{i}.example.com")).collect();
    let hosts = format!("{header}  hosts: [{}]\n  cedar: x\n", hosts.join(", "));
    let said = "x.yaml:5:3: AccessPolicy default/p: spec.hosts: the list has 65 items, at most 64 are allowed";
    check(&kinds, ("list", "x.yaml"), &hosts, &[said]);

    let role = "r".repeat(129);
    let role = format!("{header}  hosts: [a.example.com]\n  rules: [{{allow: {{roles: [{role}]}}}}]\n");
    let said = format!(
        "x.yaml:6:28: AccessPolicy default/p: spec.rules[0].allow.roles[0]: `{}...` has 129 characters, at most 128 are allowed",
        "r".repeat(60)
    );
    check(&kinds, ("text", "x.yaml"), &role, &[&said]);

    check(
        &kinds,
        ("nothing", "x.yaml"),
        "",
        &["x.yaml:1:1: the file is empty: delete it, or write a resource"],
    );
}
