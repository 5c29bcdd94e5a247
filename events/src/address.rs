//! Addresses elsewhere that somebody names: whether one is written as we would ever ask it. Where it leads is seen when it is asked.

use std::net::IpAddr;

/// Longest domain.
const DOMAIN_MAX_BYTES: usize = 253;

/// Two labels or more of letters, digits and hyphens.
pub(crate) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= DOMAIN_MAX_BYTES && text.contains('.') && text.split('.').all(is_label)
}

/// An https address of a host that has a name of two labels or more; where development allows `loopback`, one on this machine as
/// well.
pub(crate) fn is_address(url: &str, loopback: bool) -> bool {
    let is_written =
        url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte));
    let Some((scheme, rest)) = url.split_once("://").filter(|_| is_written) else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or(port.is_empty().then_some("443"))),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("443")),
        },
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0);
    if !port.is_some_and(is_port) {
        return false;
    }
    let is_here = match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost",
    };
    match scheme {
        "https" if is_here => loopback,
        "https" => is_domain(host) && host.parse::<IpAddr>().is_err(),
        "http" => loopback && is_here,
        _ => false,
    }
}
