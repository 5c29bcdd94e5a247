//! Free ports on the loopback address.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use anyhow::Context as _;

/// Whether nobody listens on the port now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port that no other Annals of this machine chooses while this lives.
#[derive(Debug)]
pub struct Reserved(#[expect(dead_code, reason = "holds the name by being there")] UnixListener);

/// Reserves a port, which is bound later: a name in the kernel, gone with whoever holds it however they end.
/// Nothing where another holds it.
pub fn reserve(port: u16) -> Option<Reserved> {
    let name = SocketAddr::from_abstract_name(format!("annals/port/{port}")).ok()?;
    UnixListener::bind_addr(&name).ok().map(Reserved)
}

/// A free port below those that the kernel lends to outgoing connections: one of those could be
/// taken while the engine restarts, even by a client that keeps dialling the engine itself.
pub fn pick() -> anyhow::Result<u16> {
    const LOWEST: u16 = 20_000;
    const TRIES: usize = 200;
    let highest = lowest_lent().unwrap_or(32_768).max(LOWEST + 1_000);
    (0..TRIES)
        .map(|_| LOWEST + rand::random::<u16>() % (highest - LOWEST))
        .find(|port| is_free(*port))
        .context("no free port on 127.0.0.1; end some of the programs that listen there")
}

fn lowest_lent() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(held.local_addr().unwrap().port()));
    }

    #[test]
    fn a_port_is_reserved_by_one_at_a_time() {
        let port = pick().unwrap();
        let held = reserve(port);
        assert!(held.is_some() && reserve(port).is_none());
        drop(held);
        assert!(reserve(port).is_some());
    }

    #[test]
    fn picks_outside_the_range_of_outgoing_connections() {
        assert!(pick().unwrap() < lowest_lent().unwrap_or(32_768).max(21_000));
    }
}
