use serde_json::{Value, json};

use super::*;
use crate::load::scalar;

#[track_caller]
fn check(text: &str, expected: &[Value]) {
    let documents = parse(text).unwrap_or_else(|fault| panic!("{text:?}: {fault:?}"));
    let values: Vec<Value> = documents.into_iter().map(|document| document.value).collect();
    assert_eq!(values, expected, "{text:?}");
}

#[track_caller]
fn check_fault(text: &str, (line, column): (u32, u32), message: &str) {
    let fault = parse(text).expect_err(text);
    assert_eq!(
        (fault.position, fault.message.as_str()),
        (Position { line, column }, message),
        "{text:?}"
    );
}

#[test]
fn values_are_those_of_json() {
    check(
        "a: 1\nb: [x, 'y', \"z\\n\"]\nc: {d: null, e: ~, f:}\n",
        &[json!({"a": 1, "b": ["x", "y", "z\n"], "c": {"d": null, "e": null, "f": null}})],
    );
    check(
        "a: |\n  one\n  two\nb: >-\n  one\n  two\n",
        &[json!({"a": "one\ntwo\n", "b": "one two"})],
    );
    check(
        "a: &x {b: 1}\nc: *x\nd: &y z\ne: *y\n",
        &[json!({"a": {"b": 1}, "c": {"b": 1}, "d": "z", "e": "z"})],
    );
    check("a: !!str 1\nb: !!int 2\nc: ! 3\n", &[json!({"a": "1", "b": 2, "c": 3})]);
    check(
        "---\na: 1\n---\n---\n# nothing\n...\n---\n- b\n",
        &[json!({"a": 1}), json!(["b"])],
    );
    check(
        "{\"a\": \"\\u00e9\\/\", \"b\": [true, 1.5e3, -0]}",
        &[json!({"a": "é/", "b": [true, 1500.0, 0]})],
    );
    check("", &[]);
}

#[test]
fn unquoted_words_mean_what_both_yaml_versions_say() {
    for (text, expected) in [
        ("1", json!(1)),
        ("-1", json!(-1)),
        ("+1", json!(1)),
        ("0", json!(0)),
        ("0x1f", json!(31)),
        ("-0x1f", json!(-31)),
        ("0o17", json!(15)),
        ("18446744073709551615", json!(u64::MAX)),
        ("1.50", json!(1.5)),
        (".5", json!(0.5)),
        ("1e3", json!(1000.0)),
        ("True", json!(true)),
        ("FALSE", json!(false)),
        ("null", json!(null)),
        ("1.2.3", json!("1.2.3")),
        ("10.0.0.0/8", json!("10.0.0.0/8")),
        ("12h", json!("12h")),
        ("4w", json!("4w")),
        ("1:30", json!("1:30")),
        ("2027-01-31", json!("2027-01-31")),
        ("-", json!("-")),
        ("--1", json!("--1")),
        (".", json!(".")),
        ("e5", json!("e5")),
        ("infinity", json!("infinity")),
        ("nan", json!("nan")),
        ("nope", json!("nope")),
        ("0x", json!("0x")),
        ("tRUE", json!("tRUE")),
    ] {
        assert_eq!(scalar::plain(text), (expected, None), "{text}");
    }
}

#[test]
fn words_that_the_yaml_versions_read_differently_are_pointed_out() {
    for (text, expected) in [
        ("no", Surprise::Word(false)),
        ("Off", Surprise::Word(false)),
        ("n", Surprise::Word(false)),
        ("YES", Surprise::Word(true)),
        ("on", Surprise::Word(true)),
        ("y", Surprise::Word(true)),
        ("0755", Surprise::Number(493)),
        ("-017", Surprise::Number(-15)),
        ("1_000", Surprise::Number(1000)),
        ("0b11", Surprise::Number(3)),
        (".inf", Surprise::NotFinite),
        ("-.INF", Surprise::NotFinite),
        (".nan", Surprise::NotFinite),
        ("1e999", Surprise::NotFinite),
    ] {
        assert_eq!(scalar::plain(text), (json!(text), Some(expected)), "{text}");
    }
}

#[test]
fn oddities_have_places_and_quoted_words_are_none() {
    let odd = |text: &str| {
        let oddities = parse(text).unwrap().into_iter().flat_map(|document| document.oddities);
        oddities
            .map(|o| (o.pointer, o.position.line, o.position.column, o.text))
            .collect::<Vec<_>>()
    };
    let row = |pointer: &str, line, column, text: &str| (pointer.to_owned(), line, column, text.to_owned());
    assert_eq!(odd("a: 'no'\nb: \"0755\"\nc: |\n  on\n'1': x\n'<<': z\n"), []);
    assert_eq!(odd("a:\n  - x\n  - no\n"), [row("/a/1", 3, 5, "no")]);
    assert_eq!(
        odd("a: {on: x, 1: z}\n"),
        [row("/a/on", 1, 5, "on"), row("/a/1", 1, 12, "1")]
    );
    assert_eq!(odd("<<: {a: b}\n"), [row("/<<", 1, 1, "<<")]);
    assert_eq!(
        odd("a: !x 1\nb: !!binary aGk=\n"),
        [row("/a", 1, 4, "1"), row("/b", 2, 4, "aGk=")]
    );
}

#[test]
fn faults_have_places() {
    check_fault("a: 1\na: 2\n", (2, 1), "the key `a` is already given on line 1");
    check_fault(
        "x: [{a: 1}, {a: 2, b: 3, a: 4}]\n",
        (1, 26),
        "the key `a` is already given on line 1",
    );
    check_fault(
        "a:\n\tb: 1\n",
        (2, 1),
        "a tab in the indentation: YAML is indented with spaces",
    );
    check_fault("? [a]\n: b\n", (1, 3), "a key is text, not a list or mapping");
    check_fault("a: &x 1\n*x : b\n", (2, 1), "a key is text, not an alias");
    check_fault("a: &x [*x]\n", (1, 8), "the alias names a key, or what it stands in");
    check_fault(&"[".repeat(65), (1, 65), "nested deeper than 64 levels");
    check_fault(&"- ".repeat(100), (1, 129), "nested deeper than 64 levels");
}

#[test]
fn a_key_that_comes_again_in_another_document_or_mapping_is_fine() {
    check(
        "a: {a: 1}\nb: {a: 1}\n---\na: 2\n",
        &[json!({"a": {"a": 1}, "b": {"a": 1}}), json!({"a": 2})],
    );
}

#[test]
fn aliases_do_not_nest_deeper_or_copy_more_than_is_written_out() {
    let deep = |n| {
        format!(
            "a: &a {}{}\nb: {}*a{}\n",
            "[".repeat(n),
            "]".repeat(n),
            "[".repeat(n),
            "]".repeat(n)
        )
    };
    assert!(parse(&deep(31)).is_ok());
    check_fault(&deep(32), (2, 36), "nested deeper than 64 levels");
    let list = format!("a: &a [{}]\n", "x,".repeat(20_000));
    let copies = |n: usize| format!("{list}b: [{}]\n", "*a,".repeat(n));
    assert!(parse(&copies(3)).is_ok());
    check_fault(&copies(5), (2, 14), "anchors and aliases copy more than 100000 values");
    let anchors = format!("{}{}{}", "&a [".repeat(60), "x,".repeat(20_000), "]".repeat(60));
    assert_eq!(
        parse(&anchors).unwrap_err().message,
        "anchors and aliases copy more than 100000 values"
    );
}

#[test]
fn a_mebibyte_of_anything_neither_hangs_nor_overflows_the_stack() {
    for piece in [
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        ": ",
        "&a ",
        "*a ",
        "!a ",
        "\"",
        "'",
        "a",
        "a:\n",
        "a: &a b\n",
        "\t",
        "#\n",
        "---\n",
        "[a]: ",
        "|\n ",
        "%a\n",
        "\u{e9}",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let _ = parse(&text);
    }
    let lists: String = (0..60_000).map(|i| format!("k{i}: [a, b]\n")).collect();
    assert_eq!(parse(&lists).unwrap().len(), 1);
}

#[test]
fn places_fall_back_to_what_is_around() {
    let documents = parse("a:\n  b:\n    - c: 1\n      d~/e: 2\n").unwrap();
    let places = &documents[0].places;
    for (pointer, end, expected) in [
        ("/a", End::Value, (1, 1)),
        ("/a/b", End::Value, (2, 3)),
        ("/a/b/0", End::Value, (3, 7)),
        ("/a/b/0/c", End::Key, (3, 7)),
        ("/a/b/0/c", End::Value, (3, 10)),
        ("/a/b/0/d~0~1e", End::Value, (4, 13)),
        ("/a/b/0/missing", End::Value, (3, 7)),
        ("/a/b/9/missing", End::Key, (2, 3)),
        ("/z", End::Key, (1, 1)),
    ] {
        let place = places.at(pointer, end);
        assert_eq!((place.line, place.column), expected, "{pointer} {end:?}");
    }
}

#[test]
fn spelled_fields_and_pointers_are_two_ways_to_say_one_thing() {
    let root = json!({"spec": {"rules": [{}, {"paths": ["/a"]}], "0": 1}, "data": {"a.b": 1, "c/d": 2}});
    for (pointer, spelled) in [
        ("", ""),
        ("/spec", "spec"),
        ("/spec/rules/1/paths/0", "spec.rules[1].paths[0]"),
        ("/spec/0", "spec.0"),
        ("/data/a.b", "data[a.b]"),
        ("/data/c~1d", "data[c/d]"),
        ("/spec/missing/deep", "spec.missing.deep"),
    ] {
        assert_eq!(field::spell(&root, pointer), spelled);
        assert_eq!(field::pointer(spelled), pointer);
    }
    assert_eq!(field::pointer(".spec[\"a.b\"]['c'].d"), "/spec/a.b/c/d");
}
