//! The erasure ledger: who was erased, on disk outside Postgres, so that no restore brings anybody back.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use events::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::secrets::{MasterKey, hmac};

const FOLDER: &str = "erasures";
const FILE: &str = "ledger.ndjson";

/// The file below the setting `data_dir`; lines are added to it and never changed.
#[derive(Clone)]
pub struct Ledger {
    folder: PathBuf,
    key: [u8; 32],
}

/// One line: somebody was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The organisation.
    pub tenant_id: TenantId,
    /// The user or invitation; the organisation itself when all of it was purged.
    pub subject_id: Uuid,
    /// When.
    pub erased_at: Timestamp,
}

impl Erasure {
    /// Whether it takes the key of somebody.
    pub fn takes(&self, (tenant, subject): (TenantId, Uuid)) -> bool {
        self.tenant_id == tenant && (self.subject_id == subject || self.subject_id == tenant.0)
    }

    /// Whether all of an organisation is gone with it.
    pub fn takes_all_of(&self, tenant: TenantId) -> bool {
        self.tenant_id == tenant && self.subject_id == tenant.0
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    erasure: Erasure,
    /// HMAC-SHA-256 of the rest, in hexadecimal digits.
    mac: String,
}

impl Ledger {
    /// The ledger of an installation; there may be no file yet.
    pub fn new(data_dir: &Path, master: &MasterKey) -> Self {
        Self { folder: data_dir.join(FOLDER), key: master.derive("erasure-ledger/v1") }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Everybody who was erased.
    pub fn read(&self) -> anyhow::Result<Vec<Erasure>> {
        let path = self.path();
        let mut text = String::new();
        match File::open(&path) {
            Ok(mut file) => file.read_to_string(&mut text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        // A crash may leave the last line half written; the erasure is then written again.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().enumerate();
        let read = lines.map(|(index, line)| {
            let at = || format!("line {} of {}", index + 1, path.display());
            let line: Line = serde_json::from_str(line).with_context(at)?;
            let mac = self.mac(&line.erasure);
            let right = bool::from(mac.as_bytes().ct_eq(line.mac.as_bytes()));
            ensure!(right, "{} was altered, or is of another master key", at());
            Ok(line.erasure)
        });
        read.collect()
    }

    /// Adds a line, unless it is there; it is on disk when this returns.
    pub fn add(&self, erasure: &Erasure) -> anyhow::Result<()> {
        let is_of = |other: &Erasure| {
            (other.tenant_id, other.subject_id) == (erasure.tenant_id, erasure.subject_id)
        };
        if self.read()?.iter().any(is_of) {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)?;
        let path = self.path();
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        let line = Line { erasure: erasure.clone(), mac: self.mac(erasure) };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // What a crash cut off was never acted on.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(u64::try_from(whole)?)?;
        }
        file.write_all(&line)?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    fn mac(&self, erasure: &Erasure) -> String {
        let Erasure { tenant_id, subject_id, erased_at } = erasure;
        hex::encode(hmac(&self.key, format!("{tenant_id}|{subject_id}|{erased_at}").as_bytes()))
    }
}
