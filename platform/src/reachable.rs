//! Addresses elsewhere that somebody named and we call: public ones only, so that nobody has us look around in our own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

/// Finds addresses as everybody does, and leaves out those that nobody may be at.
#[derive(Debug, Clone, Copy)]
pub struct Guarded {
    /// Whether this machine may be called as well, and without TLS: for development only.
    pub loopback: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guarded = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| guarded.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the host has no public address".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

impl Guarded {
    /// What calls such addresses: names are looked up once and each address that they lead to is judged before it is connected to;
    /// no redirects, no proxy, and within these limits until it is connected and until the answer has come.
    pub fn client(self, connect: Duration, whole: Duration) -> anyhow::Result<Client> {
        Client::builder()
            .connect_timeout(connect)
            .timeout(whole)
            .redirect(redirect::Policy::none())
            .https_only(!self.loopback)
            .no_proxy()
            .referer(false)
            .dns_resolver(self)
            .user_agent(concat!("annals/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("no HTTP client can be made")
    }

    /// An address that may be asked: with TLS, or on this machine where that is allowed; no address in it that nobody may be at.
    pub fn url(self, text: &str) -> anyhow::Result<Url> {
        let url = Url::parse(text)?;
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let is_here = host == "localhost" || literal.is_some_and(|ip| ip.is_loopback());
        let secure =
            url.scheme() == "https" || (url.scheme() == "http" && is_here && self.loopback);
        anyhow::ensure!(secure, "the address does not begin with https");
        anyhow::ensure!(
            url.username().is_empty() && url.password().is_none(),
            "the address holds credentials"
        );
        anyhow::ensure!(literal.is_none_or(|ip| self.allows(ip)), "the address is not public");
        Ok(url)
    }

    /// Whether what we call may be there.
    pub fn allows(self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => self.allows_v4(ip),
            IpAddr::V6(ip) => self.allows_v6(ip),
        }
    }

    fn allows_v4(self, ip: Ipv4Addr) -> bool {
        let [a, b, c, _] = ip.octets();
        let special = ip.is_private()
            || ip.is_link_local() // also the metadata of clouds
            || ip.is_multicast()
            || ip.is_documentation()
            || a == 0
            || a >= 240
            || (a == 100 && (64..128).contains(&b)) // shared by carriers
            || (a == 192 && b == 0 && c == 0)
            || (a == 198 && (18..20).contains(&b)); // for measuring
        if ip.is_loopback() { self.loopback } else { !special }
    }

    fn allows_v6(self, ip: Ipv6Addr) -> bool {
        if ip.is_loopback() {
            return self.loopback;
        }
        if let Some(v4) = ip.to_ipv4_mapped() {
            return self.allows_v4(v4);
        }
        // Of what is left only 2000::/3 is given out, and in it lie ways to IPv4 and examples.
        let [a, b, ..] = ip.segments();
        let given_out = (a & 0xe000) == 0x2000;
        let special = a == 0x2002
            || (a == 0x2001 && (b < 0x200 || b == 0xdb8))
            || (a == 0x3fff && b < 0x1000);
        given_out && !special
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: Guarded = Guarded { loopback: false };
    const HERE: Guarded = Guarded { loopback: true };

    #[test]
    fn addresses_that_are_not_public_are_nobodys() {
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!PUBLIC.allows(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(PUBLIC.allows(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["127.0.0.1", "::1"] {
            assert!(HERE.allows(ip.parse().unwrap()), "{ip}");
        }
        assert!(!HERE.allows("10.0.0.1".parse().unwrap()));
        assert!(!HERE.allows("169.254.169.254".parse().unwrap()));
    }

    #[test]
    fn addresses_are_looked_at_however_they_are_written() {
        for url in [
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::ffff:a00:1]/",
            "https://127.1/",
            "https://169.254.169.254/latest",
            "http://a.example/",
            "https://u:p@a.example/",
            "ftp://a.example/",
            "file:///etc/passwd",
            "",
            "https://",
        ] {
            assert!(PUBLIC.url(url).is_err(), "{url}");
        }
        assert!(PUBLIC.url("https://a.example/x").is_ok());
        assert!(PUBLIC.url("http://127.0.0.1:9400/").is_err());
        assert!(HERE.url("http://127.0.0.1:9400/").is_ok());
        assert!(HERE.url("http://localhost:9400/").is_ok());
        assert!(HERE.url("http://a.example/").is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_leads_nowhere() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(PUBLIC.resolve(name()).await.is_err());
        assert!(HERE.resolve(name()).await.is_ok());
    }
}
