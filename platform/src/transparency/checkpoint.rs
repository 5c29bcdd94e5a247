//! Checkpoints (C2SP tlog-checkpoint): which log, how many leaves, which root.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::TenantId;

use super::Hash;

/// Whose log, and since when its positions count: `<host>/t/<tenant>/g<epoch>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The installation, as its tokens name it, without a scheme.
    pub host: String,
    /// The organisation.
    pub tenant: TenantId,
    /// Another one after a restore; the tree begins anew with it.
    pub epoch: i32,
}

/// A log of a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many events.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a checkpoint of ours: {0}")]
pub struct Malformed(&'static str);

impl Origin {
    /// The origin of an organisation's log in the installation that issues tokens as `issuer`.
    pub fn new(issuer: &str, tenant: TenantId, epoch: i32) -> Self {
        let host = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
        Self { host: host.trim_end_matches('/').to_owned(), tenant, epoch }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/t/{}/g{}", self.host, self.tenant, self.epoch)
    }
}

impl FromStr for Origin {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const BAD: Malformed = Malformed("its first line is not <host>/t/<organisation>/g<epoch>");
        let (rest, epoch) = text.rsplit_once("/g").ok_or(BAD)?;
        let (host, tenant) = rest.rsplit_once("/t/").ok_or(BAD)?;
        let origin = Self {
            host: host.to_owned(),
            tenant: tenant.parse().map_err(|_| BAD)?,
            epoch: epoch.parse().map_err(|_| BAD)?,
        };
        // Another spelling of the same would be another name.
        if origin.to_string() == text { Ok(origin) } else { Err(BAD) }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, size, root } = self;
        write!(f, "{origin}\n{size}\n{}\n", STANDARD.encode(root))
    }
}

impl FromStr for Checkpoint {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let whole = text.strip_suffix('\n').ok_or(Malformed("its last line is not whole"))?;
        let mut lines = whole.split('\n');
        let mut line = || lines.next().ok_or(Malformed("it has three lines at least"));
        let origin = line()?.parse()?;
        let number = line()?;
        let size: u64 = number.parse().map_err(|_| Malformed("its second line is no size"))?;
        if size.to_string() != number {
            return Err(Malformed("its size is not written as a plain number"));
        }
        let root = STANDARD.decode(line()?).ok().and_then(|root| root.try_into().ok());
        let root = root.ok_or(Malformed("its third line is no SHA-256 in base64"))?;
        if lines.any(str::is_empty) {
            return Err(Malformed("it has empty lines"));
        }
        Ok(Self { origin, size, root })
    }
}
