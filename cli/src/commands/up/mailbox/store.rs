//! The folder (a Maildir) in which the private mail server puts what it takes, read and never changed but emptied.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::message::{Full, Summary};

/// Messages that are shown; older ones stay in the folder.
pub(super) const SHOWN_MOST: usize = 500;
/// What is read of a message for the list.
const HEAD_BYTES: u64 = 64 * 1024;
/// What is read of a message at all; the server takes less.
const MESSAGE_BYTES: u64 = 40 * 1024 * 1024;
/// Where messages lie: the new ones, and those that another reader has looked at.
const PLACES: [&str; 2] = ["new", "cur"];

/// The mailbox.
#[derive(Debug)]
pub(super) struct Mailbox {
    folder: PathBuf,
    /// A message never changes, so its head is read once.
    known: Mutex<HashMap<String, Arc<Summary>>>,
}

/// Which messages are wanted; every word in any case.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// What an address that it went to contains.
    #[serde(default)]
    pub(super) to: String,
    /// What sender, recipient or subject contain.
    #[serde(default)]
    pub(super) q: String,
    /// How long to wait for the first message that fits, in seconds.
    #[serde(default)]
    pub(super) wait_seconds: u64,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// When it was taken, in seconds and microseconds, and its number among those of one moment, as its name says.
    at: (i64, i64, i64),
    name: String,
    path: PathBuf,
}

impl Mailbox {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, known: Mutex::default() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every message, newest first; those of a folder that is not there yet are none.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for place in PLACES {
            let files = match fs::read_dir(self.folder.join(place)) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                files => files?,
            };
            for file in files {
                let file = file?;
                let Ok(name) = file.file_name().into_string() else { continue };
                // A name that begins with a dot is none of a message; what stands behind the colon is another reader's mark.
                let name = name.split(':').next().unwrap_or_default().to_owned();
                if file.file_type()?.is_file() && !name.starts_with('.') {
                    entries.push(Entry { at: moment(&name), name, path: file.path() });
                }
            }
        }
        entries.sort_unstable();
        entries.reverse();
        Ok(entries)
    }

    /// The newest messages that fit, newest first, and how many there are in all.
    pub(super) fn list(&self, filter: &Filter) -> io::Result<(Vec<Arc<Summary>>, usize)> {
        let mut entries = self.entries()?;
        let total = entries.len();
        entries.truncate(SHOWN_MOST);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = HashMap::new();
        let mut found = Vec::new();
        for entry in entries {
            let id = entry.id();
            let summary = match known.get(&id) {
                Some(summary) => Arc::clone(summary),
                None => match entry.summary() {
                    Err(error) if error.kind() == ErrorKind::NotFound => continue, // deleted meanwhile
                    summary => Arc::new(summary?),
                },
            };
            if summary.fits(&filter.to, &filter.q) {
                found.push(Arc::clone(&summary));
            }
            shown.insert(id, summary);
        }
        *known = shown;
        Ok((found, total))
    }

    /// One message, and what its file holds.
    pub(super) fn message(&self, id: &str) -> io::Result<Option<(Full, Vec<u8>)>> {
        let Some(entry) = self.entries()?.into_iter().find(|entry| entry.id() == id) else {
            return Ok(None);
        };
        let raw = head(&entry.path, MESSAGE_BYTES)?;
        Ok(Some((Full::read(entry.summary()?, &raw), raw)))
    }

    /// Deletes every message; how many there were.
    pub(super) fn clear(&self) -> io::Result<usize> {
        let entries = self.entries()?;
        for entry in &entries {
            match fs::remove_file(&entry.path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(entries.len())
    }
}

impl Entry {
    /// What it is called in addresses: nothing that anybody sent is in it.
    pub(super) fn id(&self) -> String {
        hex::encode(&Sha256::digest(&self.name)[..16])
    }

    fn summary(&self) -> io::Result<Summary> {
        let at = Timestamp::new(self.at.0, 0).unwrap_or_default();
        let size_bytes = fs::metadata(&self.path)?.len();
        Ok(Summary::read(self.id(), at, size_bytes, &head(&self.path, HEAD_BYTES)?))
    }
}

fn head(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// When a message was taken, by a name such as `1732.M25P71Q3.host`; 0 for what is not said.
fn moment(name: &str) -> (i64, i64, i64) {
    let mut parts = name.split('.');
    let seconds = parts.next().and_then(|text| text.parse().ok()).unwrap_or_default();
    let detail = parts.next().unwrap_or_default();
    let after = |mark: char| {
        let digits = detail.split(mark).nth(1)?;
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    (seconds, after('M').unwrap_or_default(), after('Q').unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_its_message_was_taken() {
        assert_eq!(moment("1732000000.M25P71Q3.host"), (1_732_000_000, 25, 3));
        assert_eq!(moment("1732000000.host"), (1_732_000_000, 0, 0));
        assert_eq!(moment("x"), (0, 0, 0));
    }

    #[test]
    fn the_newest_comes_first_and_older_ones_than_are_shown_stay_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("new")).unwrap();
        let mailbox = Mailbox::new(folder.path().to_owned());
        assert_eq!(mailbox.list(&Filter::default()).unwrap().1, 0);
        for number in 0..=SHOWN_MOST {
            let text = format!("Subject: {number}\n\n");
            fs::write(folder.path().join(format!("new/17.M{number}P1Q1.host")), text).unwrap();
        }
        let (shown, total) = mailbox.list(&Filter::default()).unwrap();
        assert_eq!((shown.len(), total), (SHOWN_MOST, SHOWN_MOST + 1));
        assert_eq!((shown[0].subject.as_str(), shown[499].subject.as_str()), ("500", "1"));
        assert_eq!(mailbox.clear().unwrap(), SHOWN_MOST + 1);
        assert_eq!(mailbox.list(&Filter::default()).unwrap().1, 0);
    }

    #[test]
    fn nothing_but_a_message_of_the_folder_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("new")).unwrap();
        fs::write(folder.path().join("secret"), "Subject: none\n\n").unwrap();
        std::os::unix::fs::symlink("../secret", folder.path().join("new/1.M1P1Q1.h")).unwrap();
        let mailbox = Mailbox::new(folder.path().to_owned());
        assert_eq!(mailbox.entries().unwrap(), Vec::new());
        for id in ["../secret", "1.M1P1Q1.h", "", "."] {
            assert!(mailbox.message(id).unwrap().is_none(), "{id}");
        }
    }
}
