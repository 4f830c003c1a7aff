//! Is this a public key for signatures, and one that nobody can do without its secret half?

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Members that only secret keys have (RFC 7518 section 6).
const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// The shortest modulus of RSA, in bytes.
const MIN_MODULUS: usize = 256;

/// Why a key is left out; `None`: it is not.
pub(super) fn fault(jwk: &Value) -> Option<&'static str> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if SECRET.iter().any(|name| jwk.get(name).is_some()) {
        return Some("it is published with its secret half");
    }
    if text("use").is_some_and(|used| used != "sig") {
        return Some("it is for encryption");
    }
    let operations = jwk.get("key_ops").and_then(Value::as_array);
    if operations.is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
        return Some("it is not for verifying");
    }
    if text("kty") != Some("RSA") {
        return None;
    }
    let number = |name| {
        text(name)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .unwrap_or_default()
    };
    let (modulus, exponent) = (number("n"), number("e"));
    let (modulus, exponent) = (trimmed(&modulus), trimmed(&exponent));
    if modulus.len() < MIN_MODULUS {
        return Some("it is shorter than 2048 bits");
    }
    // NIST SP 800-56B section 6.2: odd, and more than 2^16.
    if exponent.len() < 3 || exponent.last().is_none_or(|last| last % 2 == 0) {
        return Some("its exponent is too small");
    }
    is_of_a_broken_generator(modulus).then_some("it was made by a generator whose keys can be factored (ROCA)")
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn rest(number: &[u8], prime: u32) -> u32 {
    number
        .iter()
        .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

/// CVE-2017-15361: modulo each of these primes such a modulus is a power of 65537, which of others hardly any is.
fn is_of_a_broken_generator(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.iter().all(|prime| {
        let wanted = rest(modulus, *prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * (65537 % prime) % prime;
            power == wanted
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn encoded(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// 1 modulo every prime that is looked at: the zeroth power of the generator, and of 2048 bits.
    fn broken() -> Vec<u8> {
        let mut number = vec![0_u8; 256];
        number[0] = 0x80;
        // Adding a multiple of the primes done so far leaves their remainders as they are.
        let mut step = vec![1_u8];
        for prime in [
            2, 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
        ] {
            while rest(&number, prime) != 1 {
                let mut carry = 0;
                for (index, byte) in number.iter_mut().rev().enumerate() {
                    let sum =
                        u16::from(*byte) + step.iter().rev().nth(index).map_or(0, |byte| u16::from(*byte)) + carry;
                    *byte = sum.to_be_bytes()[1];
                    carry = sum >> 8;
                }
            }
            let mut carry = 0;
            for byte in step.iter_mut().rev() {
                let product = u32::from(*byte) * prime + carry;
                *byte = product.to_be_bytes()[3];
                carry = product >> 8;
            }
            step.insert(0, carry.to_be_bytes()[3]);
        }
        number
    }

    #[test]
    fn a14_a15_a16_a_key_that_is_not_sound_is_left_out() {
        let modulus = |bytes: usize| [&[0xc5_u8][..], &vec![0x35; bytes - 1]].concat();
        let rsa = |n: &[u8], e: &str| json!({"kty": "RSA", "n": encoded(n), "e": e, "kid": "k"});
        let ec = |name: &str, value: Value| {
            let mut key = json!({"kty": "EC", "crv": "P-256", "x": "x", "y": "y"});
            key[name] = value;
            key
        };
        for (row, jwk, why) in [
            ("control", rsa(&modulus(256), "AQAB"), None),
            ("control", ec("use", json!("sig")), None),
            ("control", ec("key_ops", json!(["verify"])), None),
            ("A14", json!({"kty": "oct", "k": "AAAA"}), Some("secret half")),
            ("A14", ec("d", json!("AAAA")), Some("secret half")),
            ("A15", ec("use", json!("enc")), Some("for encryption")),
            ("A15", ec("key_ops", json!(["sign"])), Some("not for verifying")),
            ("A16", rsa(&modulus(128), "AQAB"), Some("shorter")),
            (
                "A16",
                rsa(&[&[0; 128][..], &modulus(128)].concat(), "AQAB"),
                Some("shorter"),
            ),
            ("A16", rsa(&[], "AQAB"), Some("shorter")),
            ("A16", rsa(&modulus(256), "AQ"), Some("exponent")),
            ("A16", rsa(&modulus(256), "AAAB"), Some("exponent")),
            ("A16", rsa(&modulus(256), "AQAA"), Some("exponent")),
            ("A16", rsa(&broken(), "AQAB"), Some("ROCA")),
        ] {
            let said = fault(&jwk);
            let fits = match (said, why) {
                (Some(said), Some(why)) => said.contains(why),
                (said, why) => said == why,
            };
            assert!(fits, "{row} {jwk}: {said:?}, wanted {why:?}");
        }
    }
}
