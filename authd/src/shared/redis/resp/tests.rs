use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

#[test]
fn a_command_is_a_list_of_texts() {
    let parts: [&[u8]; 3] = [b"SET", b"a b", b""];
    assert_eq!(command(parts), b"*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$0\r\n\r\n");
}

#[test]
fn answers_are_read() {
    for (bytes, expected) in [
        ("+OK\r\n", text("OK")),
        ("+\r\n", text("")),
        ("-ERR no\r\n", Reply::Error("ERR no".to_owned())),
        (":-7\r\n", Reply::Number(-7)),
        ("$-1\r\n", Reply::Nothing),
        ("*-1\r\n", Reply::Nothing),
        ("$4\r\na\r\nb\r\n", text("a\r\nb")),
        ("*0\r\n", Reply::List(vec![])),
        (
            "*3\r\n$2\r\nhi\r\n:1\r\n*1\r\n+x\r\n",
            Reply::List(vec![text("hi"), Reply::Number(1), Reply::List(vec![text("x")])]),
        ),
    ] {
        assert_eq!(
            read(bytes.as_bytes()),
            Ok(Some((expected.clone(), bytes.len()))),
            "{bytes:?}"
        );
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes.as_bytes()[..end]), Ok(None), "{:?}", &bytes[..end]);
        }
        let more = format!("{bytes}+next");
        assert_eq!(
            read(more.as_bytes()),
            Ok(Some((expected, bytes.len()))),
            "what follows stays"
        );
    }
}

#[test]
fn nonsense_is_none() {
    let deep = "*1\r\n".repeat(5) + ":1\r\n";
    for bytes in [
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\n",
        ":\r\n",
        ":one\r\n",
        ":99999999999999999999\r\n",
        "$-2\r\n",
        "$536870912\r\n",
        "*1000000000\r\n",
        "$1\r\nabc\r\n",
        "*1\r\n!\r\n",
        "%1\r\n+a\r\n+b\r\n",
        &deep,
    ] {
        assert_eq!(read(bytes.as_bytes()), Err(Nonsense), "{bytes:?}");
    }
    assert_eq!(read(&vec![b'+'; MOST + 1]), Err(Nonsense), "a line without an end");
    assert!(read(("*1\r\n".repeat(4) + ":1\r\n").as_bytes()).is_ok(), "control");
}

proptest! {
    /// Nothing that a server sends ends the process, and what is read never goes beyond what came.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![
        4 => prop::sample::select(b"+-:$*0123456789\r\n".to_vec()),
        1 => any::<u8>(),
    ], 0..200)) {
        if let Ok(Some((_, taken))) = read(&bytes) {
            prop_assert!(taken <= bytes.len());
        }
    }

    #[test]
    fn a_command_reads_back(parts in prop::collection::vec("[ -~]{0,20}", 1..10)) {
        let bytes = command(parts.iter().map(String::as_bytes).collect::<Vec<_>>());
        let list = parts.into_iter().map(Reply::Text).collect();
        prop_assert_eq!(read(&bytes), Ok(Some((Reply::List(list), bytes.len()))));
    }
}
