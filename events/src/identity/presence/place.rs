//! What makes two sign-ins come from the same place: the network and the program, neither looked at too closely.

use std::net::IpAddr;

/// The place of a sign-in; nothing where neither address nor program is known. It is not to be kept as it is.
///
/// An address counts by its network (/24 of IPv4, /48 of IPv6), because providers hand out another one
/// now and then. A program counts without the digits of its versions, because it is updated.
pub fn place(ip: Option<IpAddr>, user_agent: Option<&str>) -> Option<String> {
    if ip.is_none() && user_agent.is_none() {
        return None;
    }
    let network = ip.map(network).unwrap_or_default();
    let program = user_agent.unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "");
    Some(format!("{network} {program}"))
}

fn network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

    fn from(ip: &str, program: &str) -> Option<String> {
        place(ip.parse().ok(), Some(program).filter(|program| !program.is_empty()))
    }

    #[test]
    fn the_same_program_in_the_same_network_is_the_same_place() {
        let home = from("192.0.2.7", FIREFOX);
        assert!(home.is_some());
        assert_eq!(from("192.0.2.200", FIREFOX), home);
        assert_eq!(from("::ffff:192.0.2.7", FIREFOX), home);
        assert_eq!(from("192.0.2.7", &FIREFOX.replace("145", "146")), home);
        assert_eq!(from("2001:db8:1:2::3", ""), from("2001:db8:1:ffff::1", ""));
    }

    #[test]
    fn another_network_or_program_is_another_place_and_nothing_is_none() {
        let home = from("192.0.2.7", FIREFOX);
        for (ip, program) in [
            ("192.0.3.7", FIREFOX),
            ("2001:db8:1::1", FIREFOX),
            ("192.0.2.7", "curl/8.5.0"),
            ("192.0.2.7", ""),
            ("", FIREFOX),
        ] {
            assert_ne!(from(ip, program), home, "{ip} {program}");
        }
        assert_ne!(from("2001:db8:1::1", ""), from("2001:db8:2::1", ""));
        assert_eq!(from("", ""), None);
    }
}
