//! From where does a request come? Forwarded addresses are believed only from a trusted proxy.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use policy::snapshot::Settings;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The client's address; `None` when a trusted proxy says something that cannot be read.
///
/// Of `X-Forwarded-For`, the last address that is not itself a trusted proxy counts: what stands before it was said by the client.
/// Without that header, `X-Real-IP` counts, and without both the peer itself.
#[must_use]
pub fn client_address(settings: &Settings, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    if settings.trusts(peer) {
        forwarded_address(settings, peer, headers)
    } else {
        Some(peer)
    }
}

/// The same, where the peer is known to be a proxy whatever its address.
#[must_use]
pub fn forwarded_address(settings: &Settings, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    let mut forwarded = headers.get_all(&FORWARDED_FOR).iter();
    match (forwarded.next(), forwarded.next()) {
        (None, _) => real_ip(headers, peer),
        (Some(chain), None) => last_stranger(settings, chain),
        (Some(_), Some(_)) => None,
    }
}

fn real_ip(headers: &HeaderMap, peer: IpAddr) -> Option<IpAddr> {
    let mut values = headers.get_all(&REAL_IP).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(peer),
        (Some(value), None) => read(value.to_str().ok()?),
        (Some(_), Some(_)) => None,
    }
}

fn last_stranger(settings: &Settings, chain: &HeaderValue) -> Option<IpAddr> {
    let mut nearest = None;
    for hop in chain.to_str().ok()?.rsplit(',') {
        let address = read(hop.trim())?;
        nearest = Some(address);
        if !settings.trusts(address) {
            break;
        }
    }
    nearest
}

fn read(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}
