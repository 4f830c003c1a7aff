//! Collections of bad signatures that others keep. Row A41 of the attacks.

use authd::token::{KeyRing, fuzz_signed, keys};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::SecretBox;
use serde_json::Value;
use tests::corpora;
use tests::world::Shared;

static SHARED: Shared = Shared::new();

/// Where the collection contradicts itself or RFC 7515: the number in `json_web_signature_test.json`, and what is right.
const MISTAKES: [(u64, bool); 4] = [
    // Byte for byte number 357, which is valid: the padding that they are about got lost.
    (367, true),
    (370, true),
    // A `?` between letters is no base64url, whatever decoders make of it.
    (372, false),
    (373, false),
];

/// One token of Wycheproof, with the keys that it is to be judged by.
struct Vector {
    name: String,
    keys: Vec<Value>,
    token: String,
    valid: bool,
}

/// Every token of a file.
fn vectors(file: &str) -> Vec<Vector> {
    let read: Value = serde_json::from_str(&corpora::read(file)).unwrap();
    let mut vectors = Vec::new();
    for group in read["testGroups"].as_array().unwrap() {
        let key = group.get("private").or(group.get("public")).unwrap();
        let keys = key["keys"].as_array().cloned().unwrap_or_else(|| vec![key.clone()]);
        for test in group["tests"].as_array().unwrap() {
            let number = test["tcId"].as_u64().unwrap();
            let mistake = MISTAKES
                .iter()
                .find(|(of, _)| *of == number && file.contains("signature"));
            vectors.push(Vector {
                name: format!("A41 {file} {}: {} {}", test["tcId"], group["comment"], test["comment"]),
                keys: keys.clone(),
                token: test["jws"].as_str().unwrap().to_owned(),
                valid: mistake.map_or(test["result"] == "valid", |(_, valid)| *valid),
            });
        }
    }
    assert_eq!(read["numberOfTests"], vectors.len(), "A41 {file}: all were read");
    vectors
}

fn bytes(key: &Value, member: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD
        .decode(key[member].as_str().unwrap_or_default())
        .unwrap()
}

/// Whether the secret is long enough to be configured. A key of zeros is in the collection too, and is guessable: it is judged by
/// its signatures all the same.
fn is_usable(key: &Value) -> bool {
    let ring = KeyRing::hs256(&SecretBox::from(bytes(key, "k").into_boxed_slice()));
    !matches!(ring, Err(keys::Error::ShortSecret { .. }))
}

#[test]
fn a41_signatures_with_a_secret_are_judged_as_wycheproof_says() {
    let (mut accepted, mut refused, mut unusable) = (0, 0, 0);
    for vector in vectors("json_web_signature_test.json")
        .into_iter()
        .chain(vectors("json_web_key_test.json"))
    {
        // One instance has one secret: sets of several kinds, or of two with one name, cannot be configured.
        let [key] = &vector.keys[..] else { continue };
        if key["kty"] != "oct" || key["alg"] != "HS256" {
            continue;
        }
        if !is_usable(key) {
            assert!(!vector.valid, "{}: the key cannot be used", vector.name);
            unusable += 1;
            continue;
        }
        let opened = fuzz_signed(&bytes(key, "k"), &vector.token);
        assert_eq!(opened.is_ok(), vector.valid, "{}: {opened:?}", vector.name);
        if vector.valid {
            accepted += 1;
        } else {
            refused += 1;
        }
    }
    assert_eq!((accepted, refused, unusable), (11, 30, 2), "A41: what HS256 is asked");
}

#[test]
fn a04_a41_no_part_of_another_key_is_a_secret() {
    let mut asked = 0;
    for file in ["json_web_signature_test.json", "json_web_key_test.json"] {
        for vector in vectors(file) {
            for key in vector.keys.iter().filter(|key| key["kty"] != "oct") {
                let point = [bytes(key, "x"), bytes(key, "y")].concat();
                let uncompressed = [vec![4], point.clone()].concat();
                let as_text = key.to_string().into_bytes();
                for secret in [
                    bytes(key, "n"),
                    bytes(key, "e"),
                    point,
                    uncompressed,
                    as_text,
                    Vec::new(),
                ] {
                    assert!(fuzz_signed(&secret, &vector.token).is_err(), "{}", vector.name);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 2000, "A41: {asked} pairs of key and token");
}

#[tokio::test]
async fn a41_no_token_of_the_collection_opens_anything() {
    let world = SHARED.world().await;
    let tokens: Vec<_> = ["json_web_signature_test.json", "json_web_key_test.json"]
        .into_iter()
        .flat_map(vectors)
        .collect();
    assert_eq!(tokens.len(), 401 + 26, "A41");
    for vector in &tokens {
        let status = world.forward("GET", "/").bearer(&vector.token).send().await.status;
        assert!([400, 401].contains(&status), "{}: {status}", vector.name);
    }
    let admin = world.admin().await;
    let status = world.forward("GET", "/").bearer(&admin.token).send().await.status;
    assert_eq!(status, 200, "A41 control");
}
