//! Which port can a peer have that is told its port, or whose port somebody must know before it starts?

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// A port that nobody uses, and that nobody is given by chance before its owner starts or while it is away: it is below what Linux
/// gives out by itself, and is given out here once.
///
/// # Panics
/// There is none.
#[must_use]
pub fn free() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (0..12_000)
        .filter_map(|_| {
            let nth = NEXT.fetch_add(1, Ordering::Relaxed);
            u16::try_from(20_000 + (std::process::id().wrapping_mul(131) + nth) % 12_000).ok()
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port is free")
}
