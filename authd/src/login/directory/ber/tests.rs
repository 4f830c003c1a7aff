use super::{ENUMERATED, INTEGER, MAX_MESSAGE, Malformed, OCTETS, Reader, SEQUENCE, element, frame, integer, number};

#[test]
fn what_is_written_is_read() {
    for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
        let contents = vec![7; length];
        let bytes = element(OCTETS, &contents);
        let mut reader = Reader(&bytes);
        assert_eq!(reader.expect(OCTETS), Ok(contents.as_slice()), "{length}");
        assert!(reader.is_at_end());
    }
    for value in [0, 1, 127, 128, 255, 256, -1, -128, -129, i32::MAX, i32::MIN] {
        let bytes = integer(INTEGER, value);
        assert_eq!(Reader(&bytes).number(INTEGER), Ok(value), "{value}");
    }
    assert_eq!(integer(ENUMERATED, 127), [0x0a, 1, 127]);
    assert_eq!(integer(ENUMERATED, 128), [0x0a, 2, 0, 128]);
}

#[test]
fn g14_a_length_that_is_too_much_is_refused_before_anything_is_kept() {
    for (bytes, expected) in [
        (&b""[..], Ok(None)),
        (b"\x30", Ok(None)),
        (b"\x30\x82\x01", Ok(None)),
        (b"\x30\x03\x01\x01\xff", Ok(Some(5))),
        (b"\x30\x81\x80", Ok(Some(131))),
        (b"HTTP/1.1 400", Err(Malformed)),
        (b"\x30\x80", Err(Malformed)),
        (b"\x30\x84\x80\x00\x00\x00", Err(Malformed)),
        (b"\x30\x84\xff\xff\xff\xff", Err(Malformed)),
        (b"\x30\x85\x01\x00\x00\x00\x00", Err(Malformed)),
        (b"\x30\xff", Err(Malformed)),
    ] {
        assert_eq!(frame(bytes), expected, "{bytes:?}");
    }
    let longest = element(SEQUENCE, &vec![0; MAX_MESSAGE - 5]);
    assert_eq!(frame(&longest), Ok(Some(MAX_MESSAGE)));
    let longer = element(SEQUENCE, &vec![0; MAX_MESSAGE - 4]);
    assert_eq!(frame(&longer), Err(Malformed));
}

#[test]
fn an_element_that_ends_too_early_is_malformed() {
    for bytes in [
        &b""[..],
        b"\x04",
        b"\x04\x02a",
        b"\x04\x82\x00",
        b"\x1f\x01a",
        b"\x04\x84\xff\xff\xff\xffa",
    ] {
        assert_eq!(Reader(bytes).next(), Err(Malformed), "{bytes:?}");
    }
    assert_eq!(Reader(b"\x04\x01a").expect(INTEGER), Err(Malformed));
    assert_eq!(number(b""), Err(Malformed));
    assert_eq!(number(b"\0\0\0\0\0"), Err(Malformed));
}
