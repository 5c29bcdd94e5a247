//! What one installation keeps in its data folder besides its engines: keys, ports, the demo's credentials.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use platform::config::Settings;
use platform::secrets;
use serde::{Deserialize, Serialize};

use crate::engines::{self, Engines, Folder, Reserved};

const FILE: &str = "installation.json";
const USUAL_PORT: u16 = 7400;
/// Where mail comes from when nothing else was said; the mailbox of development takes it.
const MAIL_FROM: &str = "annals@localhost";

/// Made on first start, kept as long as the data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Installation {
    /// The base port of the last start.
    port: u16,
    master_key: String,
    bootstrap_token: String,
    service_secret: String,
    pub(super) demo: Option<Demo>,
    /// Keeps others that start at the same time off our ports until we listen.
    #[serde(skip)]
    reserved: Option<Reserved>,
}

/// The demo organisation's owner.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Demo {
    pub(super) slug: String,
    pub(super) handle: String,
    pub(super) email: String,
    pub(super) password: String,
    /// Whether the answer came; a start that was cut off before asks again.
    pub(super) made: bool,
}

impl Installation {
    pub(super) fn open(folder: &Folder) -> anyhow::Result<Self> {
        if let Some(text) = folder.read(FILE)? {
            let path = folder.path().join(FILE);
            return serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged", path.display()));
        }
        let fresh = Self {
            port: USUAL_PORT,
            master_key: STANDARD.encode(secrets::random::<32>()),
            bootstrap_token: secrets::random_token(),
            service_secret: secrets::random_token(),
            demo: None,
            reserved: None,
        };
        fresh.keep(folder)?; // before anything is sealed with these keys
        Ok(fresh)
    }

    pub(super) fn keep(&self, folder: &Folder) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot write the installation")?;
        folder.write_private(FILE, &text)
    }

    /// Our settings: what was given, else what this installation keeps.
    pub(super) fn settings(
        &mut self,
        given: Settings,
        engines: &Engines,
        port: Option<u16>,
    ) -> anyhow::Result<Settings> {
        let usual = Settings::default();
        let folder = engines.folder();
        let kept =
            |given: String, kept: &String| if given.is_empty() { kept.clone() } else { given };
        let mut settings = Settings {
            database_url: engines.database_url().to_owned(),
            nats_url: engines.nats_url().to_owned(),
            redis_url: engines.redis_url().to_owned(),
            smtp_url: engines.smtp_url().to_owned(),
            mail_from: kept(given.mail_from, &MAIL_FROM.to_owned()),
            master_key: kept(given.master_key, &self.master_key),
            bootstrap_token: kept(given.bootstrap_token, &self.bootstrap_token),
            service_secret: kept(given.service_secret, &self.service_secret),
            ..given
        };
        if settings.data_dir == usual.data_dir {
            settings.data_dir = folder.private_dir("files")?;
        }
        if settings.log == usual.log {
            settings.log = "warn".into(); // the addresses are what one wants to see here
        }
        (self.port, self.reserved) = self.choose_port(port)?;
        self.keep(folder)?;
        for (address, url, offset, usual) in [
            (&mut settings.command_addr, &mut settings.command_url, 1, usual.command_addr),
            (&mut settings.query_addr, &mut settings.query_url, 2, usual.query_addr),
        ] {
            if *address == usual {
                *address = self.own(offset);
            }
            if *url == format!("http://{usual}") {
                *url = format!("http://{address}");
            }
            ensure!(
                engines::is_free(address.port()),
                "port {} is in use; give other ports with --port N",
                address.port()
            );
        }
        Ok(settings)
    }

    /// Where the mailbox of development is shown.
    pub(super) fn mailbox_address(&self) -> SocketAddr {
        self.own(3)
    }

    /// A port of ours on this machine alone.
    fn own(&self, offset: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port + offset))
    }

    /// The one asked for; else the last one or the usual one, if free; else any.
    fn choose_port(&self, asked: Option<u16>) -> anyhow::Result<(u16, Option<Reserved>)> {
        let free = |port: u16| {
            let reserved = engines::reserve(port)?;
            let free = (1..=3).all(|offset| port.checked_add(offset).is_some_and(engines::is_free));
            free.then_some((port, Some(reserved)))
        };
        if let Some(port) = asked {
            return Ok((port, engines::reserve(port)));
        }
        if let Some(chosen) = [self.port, USUAL_PORT].into_iter().find_map(free) {
            return Ok(chosen);
        }
        loop {
            if let Some(chosen) = free(engines::pick()?) {
                return Ok(chosen);
            }
        }
    }
}
