//! Who is calling, as authd signed it: `verify-assertion KEYS ISSUER METHOD URL`, with the assertion on standard input.

use std::process::ExitCode;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

type Refused = Box<dyn std::error::Error>;

fn verify(assertion: &str, keys: &JwkSet, issuer: &str, method: &str, url: &str) -> Result<Value, Refused> {
    let header = decode_header(assertion)?;
    // The type keeps a session's token, which the same key signs, from passing for an assertion.
    if header.typ.as_deref() != Some("authd-assertion+jwt") {
        return Err("not an assertion".into());
    }
    let key = header.kid.and_then(|kid| keys.find(&kid));
    let key = key.ok_or("unknown key: fetch the keys again, at most every minute")?;
    // The algorithm is ours to say, never the header's.
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[host(url).ok_or("not a URL")?]);
    // Seconds that two clocks may differ.
    validation.leeway = 5;
    let claims = decode::<Value>(assertion, &DecodingKey::from_jwk(key)?, &validation)?.claims;
    let without_query = url.split('?').next().unwrap_or_default();
    if claims["htm"] != method || claims["htu"] != without_query {
        return Err("made for another request".into());
    }
    Ok(claims)
}

fn host(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    authority.split(':').next()
}

fn run() -> Result<Value, Refused> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, issuer, method, url] = arguments.as_slice() else {
        return Err("give KEYS ISSUER METHOD URL".into());
    };
    let keys: JwkSet = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let assertion = std::io::read_to_string(std::io::stdin())?;
    verify(assertion.trim(), &keys, issuer, method, url)
}

fn main() -> ExitCode {
    match run() {
        Ok(claims) => {
            println!("{claims}");
            ExitCode::SUCCESS
        }
        Err(refused) => {
            eprintln!("refused: {refused}");
            ExitCode::FAILURE
        }
    }
}
