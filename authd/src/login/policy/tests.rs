use super::*;

const EMAIL: &str = "Alice.Example@example.com";

#[track_caller]
fn check(password: &str, expected: Result<(), Refusal>) {
    assert_eq!(
        Policy { min_length: 12 }.check(password, EMAIL),
        expected,
        "{password:?}"
    );
}

#[test]
fn lengths_are_characters_below_and_bytes_above() {
    let short = Err(Refusal::TooShort { min_length: 12 });
    let table = [
        ("", short),
        ("k9#mQ2vL8xw", short),
        ("k9#mQ2vL8xwz", Ok(())),
        ("päßwörtöñüłż", Ok(())),
        ("correct horse battery staple", Ok(())),
        ("            ", Err(Refusal::Repeated)),
        ("nul\0nul\0nul\0nul", Err(Refusal::Nul)),
    ];
    for (password, expected) in table {
        check(password, expected);
    }
    let long = "k9#mQ2vL8xwz".repeat(6);
    check(&long, Ok(()));
    check(&format!("{long}a"), Err(Refusal::TooLong));
    check(&"ß¥".repeat(19), Err(Refusal::TooLong));
}

#[test]
fn f07_common_passwords_and_names_are_refused() {
    let table = [
        ("unbelievable", Err(Refusal::Common)),
        ("Password12345", Err(Refusal::Common)),
        ("!!!sunshine!!!", Err(Refusal::Common)),
        ("qwertyuiop123", Err(Refusal::Common)),
        ("1234567891011", Err(Refusal::Common)),
        ("abcabcabcabc", Err(Refusal::Repeated)),
        ("aaaaaaaaaaaaaaaa", Err(Refusal::Repeated)),
        ("authd-2026-1234", Err(Refusal::Personal)),
        ("alice.example", Err(Refusal::Personal)),
        ("alice.example1999", Err(Refusal::Personal)),
        ("alice.example@example.com", Err(Refusal::Personal)),
        ("alice rides a bicycle", Ok(())),
        ("password managers are fine", Ok(())),
    ];
    for (password, expected) in table {
        check(password, expected);
    }
    let lenient = Policy { min_length: 8 };
    assert_eq!(lenient.check("iloveyou", EMAIL), Err(Refusal::Common));
    assert_eq!(lenient.check("x7Kp!q2Z", EMAIL), Ok(()), "control");
}

#[test]
fn the_list_is_in_the_form_that_it_is_searched_in() {
    let mut seen = std::collections::HashSet::new();
    for line in COMMON.lines() {
        assert!(line.chars().count() >= 8, "{line:?}");
        assert_eq!(line, line.to_lowercase());
        assert_eq!(line, line.trim());
        assert!(seen.insert(line), "{line} twice");
    }
    assert!(seen.len() >= 250, "{}", seen.len());
}
