//! Fetching a file: what arrived is kept beside its place under its digest, so that a break costs nothing, and goes to its place once
//! all of it is there and is what was promised.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use events::FileId;
use indicatif::ProgressBar;
use platform::clock;
use serde::{Deserialize as _, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;
use uuid::Uuid;

use super::super::bar;
use super::super::client::Client;
use super::super::export::Link;
use super::super::manner::Manner;

/// How often in a row nothing at all may arrive before a break.
const FRUITLESS_AT_MOST: usize = 3;

/// A file that arrived as it was promised.
#[derive(Debug, Serialize)]
pub(super) struct Fetched {
    file_id: FileId,
    file: PathBuf,
    size_bytes: u64,
    sha256: String,
    /// How many of the bytes an earlier attempt had fetched.
    begun_at_bytes: u64,
}

/// What has arrived of a file so far.
struct Arriving {
    path: PathBuf,
    file: File,
    hash: Sha256,
    size_bytes: u64,
}

pub(super) async fn fetch(client: &Client, id: FileId, output: &Path) -> anyhow::Result<Fetched> {
    let mut link = link(client, id).await?;
    let target = place(output, &link.file_name)?;
    let mut arriving = Arriving::open(&target, &link)?;
    let begun_at_bytes = arriving.size_bytes;
    let bar = bar::styled("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_length(link.size_bytes);
    let mut fruitless = 0;
    while arriving.size_bytes < link.size_bytes {
        let before = arriving.size_bytes;
        let Err(error) = arriving.receive(client, &link, &bar).await else { continue };
        fruitless = if arriving.size_bytes > before { 0 } else { fruitless + 1 };
        if fruitless >= FRUITLESS_AT_MOST {
            return Err(error.context("the download broke off; say it again, and it goes on"));
        }
        // A link lives for a minute, which may be over.
        link = self::link(client, id).await?;
    }
    bar.finish_and_clear();
    let sha256 = arriving.finish(&target, &link.sha256)?;
    let size_bytes = link.size_bytes;
    Ok(Fetched { file_id: id, file: target, size_bytes, sha256, begun_at_bytes })
}

async fn link(client: &Client, id: FileId) -> anyhow::Result<Link> {
    let key: Uuid = clock::new_id();
    let answer = client.post(&format!("/files/{id}/downloads"), key, &json!({})).await?;
    Link::deserialize(&answer).context("the answer names no link to the file")
}

/// Where a file goes: under its own name in a folder, and never elsewhere than told.
fn place(output: &Path, file_name: &str) -> anyhow::Result<PathBuf> {
    let target = if output.is_dir() {
        let name = Path::new(file_name).file_name().context("the file has no name; name one")?;
        output.join(name)
    } else {
        output.to_owned()
    };
    ensure!(!target.exists(), "{} is there already; name another --output", target.display());
    Ok(target)
}

impl Arriving {
    /// What is beside the place already, of the same content.
    fn open(target: &Path, link: &Link) -> anyhow::Result<Self> {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".{}.part", link.sha256.get(..16).unwrap_or_default()));
        let path = PathBuf::from(name);
        let told = || format!("cannot write {}", path.display());
        // Somebody else may have put a link there that leads elsewhere.
        let own = nix::fcntl::OFlag::O_NOFOLLOW.bits();
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600).custom_flags(own);
        let mut file = options.open(&path).with_context(told)?;
        file.try_lock().with_context(|| {
            format!("{} is being fetched already; wait for its end", target.display())
        })?;
        if file.metadata()?.len() > link.size_bytes {
            file.set_len(0)?;
        }
        let mut hash = Sha256::new();
        let size_bytes = super::take_in(&mut file, &mut hash).with_context(told)?;
        Ok(Self { path, file, hash, size_bytes })
    }

    /// Takes what comes behind what is there, until its end or until it breaks off.
    async fn receive(
        &mut self,
        client: &Client,
        link: &Link,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        bar.set_position(self.size_bytes);
        let mut response = client.open_from(&link.url, self.size_bytes).await?;
        if self.size_bytes > 0 && response.status() != 206 {
            self.begin_again()?;
        }
        while let Some(part) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            self.size_bytes += part.len() as u64;
            if self.size_bytes > link.size_bytes {
                self.begin_again()?;
                bail!("more arrives than was promised");
            }
            self.hash.update(&part);
            self.file.write_all(&part)?;
            bar.set_position(self.size_bytes);
        }
        ensure!(self.size_bytes == link.size_bytes, "less arrives than was promised");
        Ok(())
    }

    /// Lets go of what is there, where it is not the beginning of what comes.
    fn begin_again(&mut self) -> std::io::Result<()> {
        (self.hash, self.size_bytes) = (Sha256::new(), 0);
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        Ok(())
    }

    /// Puts it into its place, if it is what was promised; otherwise nothing of it stays.
    fn finish(self, target: &Path, promised: &str) -> anyhow::Result<String> {
        let arrived = TempPath::try_from_path(self.path)?;
        let sha256 = hex::encode(self.hash.finalize());
        ensure!(sha256 == promised, "what arrived is not what was promised; nothing was kept");
        self.file.sync_all()?;
        let taken = || format!("{} is there already; name another --output", target.display());
        arrived.persist_noclobber(target).map_err(|error| error.error).with_context(taken)?;
        Ok(sha256)
    }
}

impl Fetched {
    pub(super) fn tell(&self, manner: &Manner) {
        let Self { file, size_bytes, sha256, .. } = self;
        let words = format!("{} has {size_bytes} bytes, SHA-256 {sha256}", file.display());
        manner.tell(&json!(self), &words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"What was agreed on.";

    fn link(content: &[u8]) -> Link {
        Link {
            url: String::new(),
            file_name: "a.txt".into(),
            size_bytes: content.len() as u64,
            sha256: hex::encode(Sha256::digest(content)),
        }
    }

    fn left(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_arrived_before_is_gone_on_with_and_only_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("a.txt"), link(TEXT));
        let mut first = Arriving::open(&target, &link).unwrap();
        first.file.write_all(&TEXT[..10]).unwrap();
        let busy = Arriving::open(&target, &link).err().unwrap().to_string();
        assert!(busy.contains("is being fetched already"), "{busy}");
        drop(first);
        let mut second = Arriving::open(&target, &link).unwrap();
        assert_eq!(second.size_bytes, 10);
        second.hash.update(&TEXT[10..]);
        second.file.write_all(&TEXT[10..]).unwrap();
        second.finish(&target, &link.sha256).unwrap();
        assert_eq!(
            (std::fs::read(&target).unwrap(), left(folder.path())),
            (TEXT.to_vec(), vec!["a.txt".to_owned()])
        );
    }

    #[test]
    fn of_what_is_not_what_was_promised_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("a.txt"), link(TEXT));
        let mut arriving = Arriving::open(&target, &link).unwrap();
        arriving.hash.update(b"something else");
        let refused = arriving.finish(&target, &link.sha256).unwrap_err().to_string();
        assert!(refused.contains("is not what was promised"), "{refused}");
        assert_eq!(left(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("a.txt"), link(TEXT));
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "mine").unwrap();
        let part = folder.path().join(format!("a.txt.{}.part", &link.sha256[..16]));
        std::os::unix::fs::symlink(&elsewhere, part).unwrap();
        assert!(Arriving::open(&target, &link).is_err());
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"mine");
    }
}
