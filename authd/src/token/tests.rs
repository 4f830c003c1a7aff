use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use secrecy::SecretBox;
use serde_json::{Value, json};

use super::keys::{Schedule, State};
use super::*;
use crate::random::Random;

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "https://auth.example.com";
const SECRET: &[u8] = b"Zk3v9Qw7Lr2Xt8Mn5Bp1Hs6Jd4Fg0Cy!";
const ACCOUNT: &str = "01920000-0000-7000-8000-0000000000a1";
const SESSION: &str = "01920000-0000-7000-8000-0000000000b2";
const TOKEN: &str = "3f2b0c52-9d1e-4b7a-8c33-0123456789ab";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn uuid(text: &str) -> Uuid {
    Uuid::parse_str(text).unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn schedule() -> Schedule {
    Schedule {
        rotate_every: Some(hours(720)),
        lifetime: Lifetime::Limited(hours(12)),
    }
}

fn open(folder: &std::path::Path, seed: u64, now: Timestamp) -> Result<KeyRing, keys::Error> {
    KeyRing::open(folder, Random::seeded(seed), schedule(), now)
}

fn tokens(keys: KeyRing) -> Tokens {
    Tokens::new(Arc::new(keys), ISSUER, AUDIENCE, Lifetime::Limited(hours(12)))
}

fn eddsa() -> Tokens {
    let folder = tempfile::tempdir().unwrap();
    tokens(open(folder.path(), 1, at(0)).unwrap())
}

fn hs256() -> Tokens {
    tokens(KeyRing::hs256(&SecretBox::from(SECRET.to_vec().into_boxed_slice())).unwrap())
}

fn alice(tokens: &Tokens) -> Claims {
    tokens.claims(uuid(ACCOUNT), uuid(SESSION), uuid(TOKEN), at(0))
}

fn kid(tokens: &Tokens) -> String {
    tokens.keys.load().signing().unwrap().kid().to_owned()
}

/// Signs any header and claims with the current key, as a thief of the key or a careless peer would.
fn forge(tokens: &Tokens, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = tokens.keys.load().signing().unwrap().sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn good_header(tokens: &Tokens) -> String {
    let algorithm = tokens.keys.load().signing().unwrap().algorithm().name();
    format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"{}"}}"#, kid(tokens))
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": ACCOUNT, "id": ACCOUNT, "jti": TOKEN, "sid": SESSION,
        "iat": at(0).as_second(), "exp": at(0).as_second() + 43_200,
    })
}

/// The good claims with one member set, or taken away where the value is null.
fn with(name: &str, value: &Value) -> String {
    let mut claims = good_claims();
    let members = claims.as_object_mut().unwrap();
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value.clone());
    }
    claims.to_string()
}

#[track_caller]
fn check(id: &str, token: &str, tokens: &Tokens, expected: Result<(), Error>) {
    let verified = tokens.verify(token, at(10)).map(|_| ());
    assert_eq!(verified, expected, "{id}: {token}");
}

#[track_caller]
fn check_headers(id: &str, refused: &[(&str, Error)]) {
    for tokens in [eddsa(), hs256()] {
        let claims = good_claims().to_string();
        check(id, &forge(&tokens, &good_header(&tokens), &claims), &tokens, Ok(()));
        for (header, expected) in refused {
            let header = header
                .replace("ALG", tokens.keys.load().signing().unwrap().algorithm().name())
                .replace("KID", &kid(&tokens));
            let verified = tokens.verify(&forge(&tokens, &header, &claims), at(10));
            assert_eq!(verified, Err(*expected), "{id}: {header}");
        }
    }
}

#[track_caller]
fn check_claims(id: &str, name: &str, accepted: &[Value], refused: &[(Value, Error)]) {
    for tokens in [eddsa(), hs256()] {
        let header = good_header(&tokens);
        check(
            id,
            &forge(&tokens, &header, &good_claims().to_string()),
            &tokens,
            Ok(()),
        );
        for value in accepted {
            check(id, &forge(&tokens, &header, &with(name, value)), &tokens, Ok(()));
        }
        for (value, expected) in refused {
            let verified = tokens.verify(&forge(&tokens, &header, &with(name, value)), at(10));
            assert_eq!(verified, Err(*expected), "{id}: {name} = {value}");
        }
    }
}

#[test]
fn what_was_signed_is_verified() {
    for tokens in [eddsa(), hs256()] {
        let claims = alice(&tokens);
        let token = tokens.sign(&claims).unwrap();
        assert_eq!(tokens.verify(&token, at(10)), Ok(claims));
    }
}

#[test]
fn a01_an_unsigned_token_is_refused() {
    let tokens = eddsa();
    let good = tokens.sign(&alice(&tokens)).unwrap();
    check("A01 control", &good, &tokens, Ok(()));
    let none = encode(format!(r#"{{"alg":"none","typ":"JWT","kid":"{}"}}"#, kid(&tokens)));
    let claims = encode(good_claims().to_string());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    check("A01", &format!("{none}.{claims}."), &tokens, Err(Error::Malformed));
    check(
        "A01",
        &format!("{none}.{claims}.{signature}"),
        &tokens,
        Err(Error::UnknownAlgorithm),
    );
    check("A01", &format!("{signed}."), &tokens, Err(Error::Malformed));
}

#[test]
fn a02_spellings_of_no_algorithm_are_refused() {
    let named = |alg: &str| format!(r#"{{"alg":{alg},"typ":"JWT","kid":"KID"}}"#);
    let unknown = [
        r#""None""#,
        r#""NONE""#,
        r#""nOnE""#,
        r#""none ""#,
        r#""""#,
        r#""eddsa""#,
        r#""Ed25519""#,
    ]
    .map(|alg| (named(alg), Error::UnknownAlgorithm));
    let malformed = ["null", "1", r#"["EdDSA"]"#, r#"["HS256"]"#, r#""\u0045dDSA""#, "{}"]
        .map(|alg| (named(alg), Error::Malformed));
    let mut refused: Vec<_> = unknown
        .iter()
        .chain(&malformed)
        .map(|(header, error)| (&**header, *error))
        .collect();
    refused.push((r#"{"typ":"JWT","kid":"KID"}"#, Error::Malformed));
    check_headers("A02", &refused);
}

#[test]
fn a04_the_public_key_is_no_shared_secret() {
    let tokens = eddsa();
    let public = tokens.keys.load().signing().unwrap().public_bytes().unwrap().to_vec();
    for secret in [
        public.clone(),
        STANDARD.encode(&public).into_bytes(),
        encode(&public).into_bytes(),
    ] {
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{}"}}"#, kid(&tokens));
        let signed = format!("{}.{}", encode(header), encode(good_claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        check(
            "A04",
            &format!("{signed}.{}", encode(tag)),
            &tokens,
            Err(Error::WrongAlgorithm),
        );
    }
    check("A04 control", &tokens.sign(&alice(&tokens)).unwrap(), &tokens, Ok(()));
}

#[test]
fn a06_a_key_has_one_algorithm() {
    check_headers(
        "A06",
        &[
            (r#"{"alg":"HS512","typ":"JWT","kid":"KID"}"#, Error::UnknownAlgorithm),
            (r#"{"alg":"ES256","typ":"JWT","kid":"KID"}"#, Error::UnknownAlgorithm),
            (r#"{"alg":"RS256","typ":"JWT","kid":"KID"}"#, Error::UnknownAlgorithm),
        ],
    );
    let tokens = hs256();
    let header = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{}"}}"#, kid(&tokens));
    let token = forge(&tokens, &header, &good_claims().to_string());
    check("A06", &token, &tokens, Err(Error::WrongAlgorithm));
}

#[test]
fn a07_a09_a21_a22_a26_headers_that_bring_keys_or_demands_are_refused() {
    let other = [
        r#""jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#""jku":"https://evil.example/jwks.json""#,
        r#""x5u":"https://evil.example/cert.pem""#,
        r#""x5c":["MIIB"]"#,
        r#""x5t":"abc""#,
        r#""x5t#S256":"abc""#,
        r#""b64":false"#,
        r#""b64":false,"crit":["b64"]"#,
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""crit":["b64","b64"]"#,
        r#""zip":"DEF""#,
        r#""enc":"A256GCM""#,
        r#""p2c":2147483648"#,
        r#""cty":"JWT""#,
    ];
    for member in other {
        let header = format!(r#"{{"alg":"ALG","typ":"JWT","kid":"KID",{member}}}"#);
        check_headers("A07 A09 A21 A22 A26", &[(&header, Error::ForbiddenHeader)]);
    }
}

#[test]
fn a10_a_kid_is_only_compared() {
    let kids = [
        "../../../dev/null",
        "' OR 1=1--",
        "file:///etc/passwd",
        "",
        "KID ",
        "KID.pem",
    ];
    for kid in kids {
        let header = format!(r#"{{"alg":"ALG","typ":"JWT","kid":"{kid}"}}"#);
        check_headers("A10", &[(&header, Error::UnknownKey)]);
    }
    for kid in [r"a\nADMIN", r"\u0000", "a\nADMIN", "\0"] {
        let header = format!(r#"{{"alg":"ALG","typ":"JWT","kid":"{kid}"}}"#);
        check_headers("A10", &[(&header, Error::Malformed)]);
    }
    let long = format!(r#"{{"alg":"ALG","typ":"JWT","kid":"{}"}}"#, "k".repeat(10 * 1024));
    check_headers("A10 10 KiB", &[(&long, Error::TooLong)]);
    let long = format!(r#"{{"alg":"ALG","typ":"JWT","kid":"{}"}}"#, "k".repeat(2 * 1024));
    check_headers("A10 2 KiB", &[(&long, Error::TooLong)]);
}

#[test]
fn a12_without_a_kid_the_only_fitting_key_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(open(folder.path(), 1, at(0)).unwrap());
    let claims = with("exp", &json!(at(0).as_second() + 10_000_000));
    let token = forge(&tokens, r#"{"alg":"EdDSA","typ":"JWT"}"#, &claims);
    check("A12 one key", &token, &tokens, Ok(()));
    let other = forge(&hs256(), r#"{"alg":"HS256","typ":"JWT"}"#, &claims);
    check("A12 none of that algorithm", &other, &tokens, Err(Error::UnknownKey));
    assert!(
        tokens.keys.rotate_if_due(at(720 * 3600)).unwrap(),
        "a next key is published"
    );
    check("A12 two keys", &token, &tokens, Err(Error::UnknownKey));
}

#[test]
fn a17_a_signature_of_zeros_or_another_length_is_refused() {
    for tokens in [eddsa(), hs256()] {
        let token = tokens.sign(&alice(&tokens)).unwrap();
        let (signed, _) = token.rsplit_once('.').unwrap();
        for length in [1, 31, 32, 33, 63, 64] {
            let token = format!("{signed}.{}", encode(vec![0; length]));
            check("A17", &token, &tokens, Err(Error::BadSignature));
        }
        let token = format!("{signed}.{}", encode([0; 65]));
        check("A17", &token, &tokens, Err(Error::Malformed));
    }
}

#[test]
fn a19_no_other_last_character_is_accepted() {
    for tokens in [eddsa(), hs256()] {
        let token = tokens.sign(&alice(&tokens)).unwrap();
        for part in 0..3 {
            for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
                let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
                if parts[part].ends_with(last) {
                    continue;
                }
                parts[part].pop();
                parts[part].push(last);
                assert!(tokens.verify(&parts.join("."), at(10)).is_err(), "A19: {part} {last}");
            }
        }
        check("A19 control", &token, &tokens, Ok(()));
    }
}

#[test]
fn a20_other_spellings_of_base64_are_refused() {
    for tokens in [eddsa(), hs256()] {
        let token = tokens.sign(&alice(&tokens)).unwrap();
        check("A20 control", &token, &tokens, Ok(()));
        for odd in ["=", "==", " ", "\n", "\r\n", "\t", "+", "/", "!", "\0", "é", "%3D"] {
            for position in [0, token.find('.').unwrap(), token.rfind('.').unwrap(), token.len()] {
                let mut changed = token.clone();
                changed.insert_str(position, odd);
                assert!(tokens.verify(&changed, at(10)).is_err(), "A20: {odd:?} at {position}");
            }
        }
    }
}

#[test]
fn a24_any_other_number_of_parts_is_refused() {
    let tokens = eddsa();
    let token = tokens.sign(&alice(&tokens)).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    check("A24 control", &parts.join("."), &tokens, Ok(()));
    let two = parts[..2].join(".");
    let refused = [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        parts[0].into(),
        two.clone(),
        format!("{token}.{}", parts[2]),
        format!("{token}.."),
        format!("{two}.a.b.c"),
        format!("{two}.a.b.c.d"),
        format!(".{token}"),
        format!("{token}."),
    ];
    for token in refused {
        check("A24", &token, &tokens, Err(Error::Malformed));
    }
    check(
        "too long",
        &format!("{token}{}", "A".repeat(8 * 1024)),
        &tokens,
        Err(Error::TooLong),
    );
}

#[test]
fn a25_duplicate_members_are_refused() {
    check_headers(
        "A25",
        &[
            (
                r#"{"alg":"ALG","alg":"none","typ":"JWT","kid":"KID"}"#,
                Error::DuplicateMember,
            ),
            (
                r#"{"alg":"none","alg":"ALG","typ":"JWT","kid":"KID"}"#,
                Error::DuplicateMember,
            ),
            (
                r#"{"alg":"ALG","typ":"JWT","kid":"KID","kid":"KID"}"#,
                Error::DuplicateMember,
            ),
            (
                r#"{"alg":"ALG","typ":"JWT","kid":"KID","\u0061lg":"none"}"#,
                Error::Malformed,
            ),
        ],
    );
    for tokens in [eddsa(), hs256()] {
        for name in ["iss", "aud", "sub", "id", "jti", "sid", "iat", "exp", "custom"] {
            let claims = with("custom", &json!(1));
            let value = serde_json::from_str::<Value>(&claims).unwrap()[name].to_string();
            let twice = claims.replacen('{', &format!(r#"{{"{name}":{value},"#), 1);
            let token = forge(&tokens, &good_header(&tokens), &twice);
            check("A25", &token, &tokens, Err(Error::DuplicateMember));
        }
        check(
            "A25 control",
            &forge(&tokens, &good_header(&tokens), &with("custom", &json!(1))),
            &tokens,
            Ok(()),
        );
    }
}

#[test]
fn a27_expiry_and_issue_have_a_skew_of_a_minute() {
    let now = at(10).as_second();
    let far = json!(i64::MAX);
    check_claims(
        "A27",
        "exp",
        &[json!(now - 59), json!(now), far.clone()],
        &[
            (json!(now - 60), Error::Expired),
            (json!(now - 61), Error::Expired),
            (json!(i64::MIN), Error::Expired),
            (json!(-1), Error::Expired),
            (Value::Null, Error::MissingClaim),
        ],
    );
    check_claims(
        "A27",
        "iat",
        &[json!(now + 60), json!(0)],
        &[
            (json!(now + 61), Error::NotYetValid),
            (far.clone(), Error::NotYetValid),
            (Value::Null, Error::MissingClaim),
        ],
    );
    check_claims(
        "A27",
        "nbf",
        &[json!(now + 60), json!(0)],
        &[(json!(now + 61), Error::NotYetValid), (far, Error::NotYetValid)],
    );
}

#[test]
fn a29_a34_only_our_audience_is_accepted() {
    check_claims(
        "A29",
        "aud",
        &[json!(AUDIENCE), json!([AUDIENCE])],
        &[
            (Value::Null, Error::MissingClaim),
            (json!("https://api.example.com"), Error::WrongAudience),
            (json!("https://auth.example.com.evil"), Error::WrongAudience),
            (json!("https://Auth.example.com"), Error::WrongAudience),
            (json!("https://auth.example.com/"), Error::WrongAudience),
            (json!([]), Error::Malformed),
            (json!([AUDIENCE, "other"]), Error::Malformed),
            (json!([[AUDIENCE]]), Error::Malformed),
            (json!({ "aud": AUDIENCE }), Error::Malformed),
            (json!(1), Error::Malformed),
        ],
    );
}

#[test]
fn a30_a31_only_our_issuer_is_accepted() {
    check_claims(
        "A30 A31",
        "iss",
        &[json!(ISSUER)],
        &[
            (Value::Null, Error::MissingClaim),
            (json!("https://auth.example.com/"), Error::WrongIssuer),
            (json!("https://AUTH.example.com"), Error::WrongIssuer),
            (json!("http://auth.example.com"), Error::WrongIssuer),
            (json!("https://auth.examp1e.com"), Error::WrongIssuer),
            (json!([ISSUER]), Error::Malformed),
        ],
    );
}

#[test]
fn a32_a42_tokens_of_other_kinds_are_refused() {
    let types = ["at+jwt", "logout+jwt", "dpop+jwt", "jwt", "JWE", ""]
        .map(|typ| format!(r#"{{"alg":"ALG","typ":"{typ}","kid":"KID"}}"#));
    for header in &types {
        check_headers("A32", &[(header, Error::WrongType)]);
    }
    check_headers("A32", &[(r#"{"alg":"ALG","kid":"KID"}"#, Error::WrongType)]);
    check_claims("A32", "nonce", &[], &[(json!("n-0S6"), Error::ForbiddenClaim)]);
    check_claims("A32", "events", &[], &[(json!({}), Error::ForbiddenClaim)]);
    check_claims(
        "A42",
        "cnf",
        &[],
        &[
            (json!({ "jkt": "0ZcOCORZNYy" }), Error::ForbiddenClaim),
            (json!({}), Error::ForbiddenClaim),
        ],
    );
    for name in ["sub", "id", "jti", "sid"] {
        check_claims("A32", name, &[], &[(Value::Null, Error::MissingClaim)]);
    }
}

#[test]
fn a39_claims_are_never_coerced() {
    for name in ["sub", "id", "jti", "sid"] {
        check_claims(
            "A39",
            name,
            &[],
            &[
                (json!(1), Error::Malformed),
                (json!([ACCOUNT]), Error::Malformed),
                (json!(""), Error::BadId),
                (json!("alice"), Error::BadId),
                (json!("01920000000070008000000000000 0a1"), Error::BadId),
                (json!("019200000000700080000000000000a1"), Error::BadId),
                (json!("{01920000-0000-7000-8000-0000000000a1}"), Error::BadId),
                (json!("01920000-0000-7000-8000-0000000000A1"), Error::BadId),
            ],
        );
    }
    check_claims("A39", "id", &[], &[(json!(SESSION), Error::BadId)]);
    for name in ["iat", "exp", "nbf"] {
        let odd = [
            json!("1800000000"),
            json!(1.8e9),
            json!(true),
            json!([1]),
            json!(u64::MAX),
        ];
        check_claims("A39", name, &[], &odd.map(|value| (value, Error::Malformed)));
    }
    let tokens = eddsa();
    for claims in ["null", "[]", "\"\"", "{", "{}x", "", "{\"sub\":null}"] {
        assert!(
            tokens
                .verify(&forge(&tokens, &good_header(&tokens), claims), at(10))
                .is_err(),
            "A39: {claims}"
        );
    }
}

#[test]
fn tokens_that_never_expire_are_for_instances_that_say_so() {
    let tokens = Tokens {
        lifetime: Lifetime::Unlimited,
        ..hs256()
    };
    let claims = alice(&tokens);
    assert_eq!(claims.expires_at, None);
    let token = tokens.sign(&claims).unwrap();
    assert_eq!(tokens.verify(&token, at(1_000_000_000)), Ok(claims));
    check("same token elsewhere", &token, &hs256(), Err(Error::MissingClaim));
}

#[test]
fn a40_a_key_lives_from_published_to_retired() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Arc::new(open(folder.path(), 1, at(0)).unwrap());
    let tokens = Tokens::new(Arc::clone(&keys), ISSUER, AUDIENCE, Lifetime::Limited(hours(12)));
    let due = 720 * 3600;
    let old = |now| {
        tokens
            .sign(&tokens.claims(uuid(ACCOUNT), uuid(SESSION), uuid(TOKEN), at(now)))
            .unwrap()
    };
    let first = kid(&tokens);
    assert!(!keys.rotate_if_due(at(due - 601)).unwrap(), "nothing is due");
    assert!(keys.rotate_if_due(at(due - 600)).unwrap(), "the next key is published");
    assert_eq!(kid(&tokens), first, "and does not sign yet");
    assert!(!keys.rotate_if_due(at(due - 1)).unwrap());
    let published: Vec<String> = keys.load().published(at(due)).map(|key| key.kid().to_owned()).collect();
    assert_eq!(published.len(), 2);
    let token = old(due - 1);
    assert!(keys.rotate_if_due(at(due)).unwrap(), "the next key signs");
    assert_eq!(kid(&tokens), published[1]);
    assert!(
        tokens.verify(&token, at(due + 43_200 - 2)).is_ok(),
        "A40 previous key in grace"
    );
    let long = forge(&tokens, &good_header(&tokens), &with("exp", &json!(i64::MAX)));
    assert!(tokens.verify(&long, at(due + 1)).is_ok(), "A40 control");
    let retired = at(due + 43_200 + 60);
    let of_first = keys.load().verifying(Algorithm::EdDsa, Some(&first), retired).err();
    assert_eq!(of_first, Some(Error::UnknownKey), "A40 previous key after grace");
    assert!(keys.rotate_if_due(retired).unwrap());
    assert!(!folder.path().join(format!("{first}.pem")).exists());
}

#[test]
fn a40_a_next_key_verifies_and_a_key_that_waited_too_short_does_not_sign() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(open(folder.path(), 1, at(0)).unwrap());
    let late = 800 * 3600;
    assert!(tokens.keys.rotate_if_due(at(late)).unwrap());
    assert!(
        !tokens.keys.rotate_if_due(at(late + 599)).unwrap(),
        "published for less than ten minutes"
    );
    let next = {
        let ring = tokens.keys.load();
        let key = ring
            .published(at(late))
            .find(|key| matches!(key.state(), State::Next { .. }))
            .unwrap();
        let header = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{}"}}"#, key.kid());
        let signed = format!("{}.{}", encode(header), encode(good_claims().to_string()));
        format!("{signed}.{}", encode(key.sign(signed.as_bytes()).unwrap()))
    };
    check("A40 next key", &next, &tokens, Ok(()));
    assert!(tokens.keys.rotate_if_due(at(late + 600)).unwrap());
}

#[test]
fn a40_a_revoked_key_is_refused_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(open(folder.path(), 1, at(0)).unwrap());
    let token = tokens.sign(&alice(&tokens)).unwrap();
    let revoked = kid(&tokens);
    check("A40 control", &token, &tokens, Ok(()));
    assert!(!tokens.keys.revoke("unknown", at(1)).unwrap());
    assert!(tokens.keys.revoke(&revoked, at(1)).unwrap());
    check("A40 revoked", &token, &tokens, Err(Error::UnknownKey));
    assert_ne!(kid(&tokens), revoked, "another key signs");
    check("A40 new key", &tokens.sign(&alice(&tokens)).unwrap(), &tokens, Ok(()));
    let reopened = super::tests::tokens(open(folder.path(), 2, at(2)).unwrap());
    check("A40 restart", &token, &reopened, Err(Error::UnknownKey));
    assert_eq!(kid(&reopened), kid(&tokens));
    assert!(!folder.path().join(format!("{revoked}.pem")).exists());
}

#[test]
fn keys_survive_a_restart_and_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signing-keys");
    let before = tokens(open(&path, 1, at(0)).unwrap());
    let token = before.sign(&alice(&before)).unwrap();
    let after = tokens(open(&path, 2, at(5)).unwrap());
    check("restart", &token, &after, Ok(()));
    for entry in std::fs::read_dir(&path).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let left_behind = ["00ff.pem", "00ff.pem.partial"].map(|name| path.join(name));
    for file in &left_behind {
        std::fs::write(file, "").unwrap();
    }
    drop(open(&path, 3, at(6)).unwrap());
    for file in left_behind {
        assert!(
            !file.exists(),
            "a key that the index does not name is removed: {}",
            file.display()
        );
    }
    let pem = path.join(format!("{}.pem", kid(&before)));
    std::fs::set_permissions(&pem, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        open(&path, 3, at(6)),
        Err(keys::Error::ReadableByOthers { .. })
    ));
}

#[test]
fn a16_a_key_file_that_is_no_ed25519_key_of_its_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ring = open(folder.path(), 1, at(0)).unwrap();
    let pem = folder
        .path()
        .join(format!("{}.pem", tokens(ring).keys.load().signing().unwrap().kid()));
    let elsewhere = tempfile::tempdir().unwrap();
    let other = kid(&tokens(open(elsewhere.path(), 2, at(0)).unwrap()));
    let other = std::fs::read_to_string(elsewhere.path().join(format!("{other}.pem"))).unwrap();
    let good = std::fs::read_to_string(&pem).unwrap();
    // A P-256 private key (PKCS#8), cut to what a careless copy would hold.
    let p256 =
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n";
    for bad in ["", "garbage", p256, &good[..60], &other] {
        std::fs::write(&pem, bad).unwrap();
        assert!(
            matches!(open(folder.path(), 3, at(1)), Err(keys::Error::Key { .. })),
            "A16: {bad}"
        );
    }
    std::fs::write(&pem, &good).unwrap();
    open(folder.path(), 3, at(1)).unwrap();
    for bad in [
        "",
        "{}",
        r#"{"keys":[{"kid":"../x","state":"Current","at":1}]}"#,
        r#"{"keys":[{"kid":"ab","state":"Current"}]}"#,
    ] {
        std::fs::write(folder.path().join("index.json"), bad).unwrap();
        assert!(
            matches!(open(folder.path(), 3, at(1)), Err(keys::Error::Index { .. })),
            "A16: {bad}"
        );
    }
}

#[test]
fn short_and_guessable_secrets_are_refused() {
    let ring = |secret: &[u8]| KeyRing::hs256(&SecretBox::from(secret.to_vec().into_boxed_slice()));
    assert!(ring(SECRET).is_ok());
    assert!(
        ring(b"3e1f0a9c7b5d2846e8f1a0c3b5d79264").is_ok(),
        "32 hexadecimal digits"
    );
    for bytes in [0, 10, 31] {
        assert!(matches!(ring(&SECRET[..bytes]), Err(keys::Error::ShortSecret { bytes: told }) if told == bytes));
    }
    let guessable: [&[u8]; 6] = [
        b"a-string-secret-at-least-256-bits-long",
        b"YOUR-256-BIT-SECRET-your-256-bit-secret",
        &[b'a'; 64],
        b"secret-secret-secret-secret-secret-secret",
        b"please-changeme-before-production-use!",
        b"t0p-s3cr3tt0p-s3cr3tt0p-s3cr3tt0p-s3cr3t",
    ];
    for secret in guessable {
        assert!(matches!(ring(secret), Err(keys::Error::GuessableSecret)), "{secret:?}");
    }
}

#[test]
fn the_key_set_holds_public_keys_alone() {
    let tokens = eddsa();
    let ring = tokens.keys.load();
    let set = json!(jwks::key_set(&ring, at(0)));
    let x = encode(ring.signing().unwrap().public_bytes().unwrap());
    let expected = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid(&tokens), "use": "sig", "alg": "EdDSA" }] });
    assert_eq!(set, expected);
    assert_eq!(
        json!(jwks::key_set(&hs256().keys.load(), at(0))),
        json!({ "keys": [] }),
        "never a shared secret"
    );
    assert_eq!(
        jwks::discovery(ISSUER, Algorithm::EdDsa).jwks_uri,
        "https://auth.example.com/.well-known/jwks.json"
    );
}

#[test]
fn nothing_secret_is_in_debug() {
    for tokens in [eddsa(), hs256()] {
        let shown = format!("{tokens:?}");
        assert!(!shown.contains("Zk3v9"), "{shown}");
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
}

#[test]
fn another_implementation_reads_our_tokens() {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    for (tokens, algorithm) in [
        (eddsa(), jsonwebtoken::Algorithm::EdDSA),
        (hs256(), jsonwebtoken::Algorithm::HS256),
    ] {
        let token = tokens.sign(&alice(&tokens)).unwrap();
        let key = match tokens.keys.load().signing().unwrap().public_bytes() {
            Some(public) => DecodingKey::from_ed_components(&encode(public)).unwrap(),
            None => DecodingKey::from_secret(SECRET),
        };
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        let data = decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(data.claims, good_claims());
        assert_eq!(data.header.kid, Some(kid(&tokens)));
    }
}

#[test]
fn tokens_of_another_implementation_are_read() {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let folder = tempfile::tempdir().unwrap();
    let ed = tokens(open(folder.path(), 1, at(0)).unwrap());
    let pem = std::fs::read(folder.path().join(format!("{}.pem", kid(&ed)))).unwrap();
    let ed_key = EncodingKey::from_ed_pem(&pem).unwrap();
    for (tokens, key, algorithm) in [
        (ed, ed_key, jsonwebtoken::Algorithm::EdDSA),
        (
            hs256(),
            EncodingKey::from_secret(SECRET),
            jsonwebtoken::Algorithm::HS256,
        ),
    ] {
        let mut header = Header::new(algorithm);
        header.kid = Some(kid(&tokens));
        let token = encode(&header, &good_claims(), &key).unwrap();
        check("jsonwebtoken", &token, &tokens, Ok(()));
    }
}

proptest! {
    #[test]
    fn a19_no_changed_bit_or_character_survives(index in any::<prop::sample::Index>(), bit in 0u8..7, other in any::<char>()) {
        for tokens in [hs256(), eddsa()] {
            let token = tokens.sign(&alice(&tokens)).unwrap();
            let index = index.index(token.len());
            let mut flipped = token.clone().into_bytes();
            flipped[index] ^= 1 << bit;
            let flipped = String::from_utf8(flipped).unwrap();
            prop_assert!(tokens.verify(&flipped, at(10)).is_err());
            let mut replaced = token.clone();
            replaced.replace_range(index..=index, &other.to_string());
            prop_assert!(replaced == token || tokens.verify(&replaced, at(10)).is_err());
        }
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in ".{0,300}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,80}", 0..6)) {
        let tokens = hs256();
        prop_assert!(tokens.verify(&text, at(10)).is_err());
        prop_assert!(tokens.verify(&parts.join("."), at(10)).is_err());
    }

    #[test]
    fn any_signed_json_is_read_without_a_panic(claims in ".{0,200}", header in ".{0,200}") {
        let tokens = hs256();
        prop_assert!(tokens.verify(&forge(&tokens, &good_header(&tokens), &claims), at(10)).is_err());
        prop_assert!(tokens.verify(&forge(&tokens, &header, &claims), at(10)).is_err());
    }
}
