//! E-mail addresses, read strictly: what two programs could read in two ways is no address.

/// An e-mail address in lower case: ASCII, one `@`, a plain local part, and a host name with a dot (or `localhost`).
#[must_use]
pub fn address(text: &str) -> Option<String> {
    // Before the case is changed: some letters beyond ASCII have a lower case within it.
    if !text.is_ascii() || text.len() > 254 {
        return None;
    }
    let email = text.to_ascii_lowercase();
    let (local, domain) = email.split_once('@')?;
    let local_fits = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte));
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let domain_fits =
        domain == "localhost" || (domain.contains('.') && domain.len() <= 253 && domain.split('.').all(label));
    (local_fits && domain_fits).then_some(email)
}

/// The domain of an address that [`address`] returned.
#[must_use]
pub fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::{address, domain};

    #[test]
    fn k06_an_address_is_read_in_one_way_or_not_at_all() {
        for (text, expected) in [
            ("Alice@Example.COM", Some("example.com")),
            ("alice+x@localhost", Some("localhost")),
            ("evil@x.com@company.com", None),
            ("\"a@company.com\"@evil.example", None),
            ("u@company.com.evil", Some("company.com.evil")),
            ("u@COMPANY.com.", None),
            ("u@bücher.example", None),
            ("u@\u{212a}ompany.com", None),
            ("u @company.com", None),
            ("u@company.com\n", None),
            ("u@company.com ", None),
            ("<u@company.com>", None),
            ("u@company.com,v@evil.example", None),
            ("@company.com", None),
            ("u@", None),
            ("u@com", None),
            (".u@company.com", None),
            ("u..v@company.com", None),
            ("u@-company.com", None),
            ("", None),
        ] {
            let found = address(text);
            assert_eq!(found.as_deref().map(domain), expected, "K06 {text:?}");
        }
        assert!(address(&format!("u@{}.com", "a.".repeat(200))).is_none());
    }
}
