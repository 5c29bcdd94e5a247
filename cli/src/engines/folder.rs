//! The data folder: who uses it, and what the engines in it remember from one start to the next.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use super::Engine;

/// The data folder of one `annals up`, ours alone while this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Locked; the kernel lets go of it when we end, however we end.
    _lock: File,
}

/// What one private engine keeps from start to start.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Memory {
    pub(super) port: Option<u16>,
    pub(super) password: String,
    /// The process of the last start, to end it if it outlived us.
    pub(super) pid: Option<i32>,
    /// Where its files are.
    pub(super) home: PathBuf,
}

impl Folder {
    /// Opens or makes the folder; refuses while another process uses it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        make_dir(path, if geteuid().is_root() { 0o711 } else { 0o700 })?;
        let path = path.canonicalize().with_context(|| cannot("find", path))?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .with_context(|| {
                format!("{}; use a folder of yours: --data DIR", cannot("open", &lock_path))
            })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                anyhow::bail!(
                    "{} is in use by process {}; stop that one, or take another folder: --data DIR",
                    path.display(),
                    pid.trim()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| cannot("lock", &lock_path));
            }
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .with_context(|| cannot("write", &lock_path))?;
        Ok(Self { path, _lock: lock })
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only we may read, whole or not at all.
    pub fn write_private(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let (path, fresh) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let write = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file =
                options.create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)
        };
        write().with_context(|| cannot("write", &path))
    }

    /// A folder in it that only we may enter, made if it is missing.
    pub fn private_dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        make_dir(&path, 0o700)?;
        Ok(path)
    }

    /// Reads such a file; none when there is none yet.
    pub fn read(&self, name: &str) -> anyhow::Result<Option<String>> {
        let path = self.path.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| cannot("read", &path)),
        }
    }

    /// What this engine remembers; the first time, nothing but a new password.
    pub(super) fn recall(&self, engine: Engine) -> anyhow::Result<Memory> {
        let name = memory_name(engine);
        match self.read(&name)? {
            Some(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged", self.path.join(name).display())),
            None => Ok(Memory { password: random_password(), ..Memory::default() }),
        }
    }

    /// Keeps what this engine remembers.
    pub(super) fn remember(&self, engine: Engine, memory: &Memory) -> anyhow::Result<()> {
        let text =
            serde_json::to_string_pretty(memory).context("cannot write what is remembered")?;
        self.write_private(&memory_name(engine), &text)
    }
}

/// 192 random bits, fit for any URL and configuration file.
pub fn random_password() -> String {
    hex::encode(rand::random::<[u8; 24]>())
}

/// Makes a folder, and its parents, with this mode if it is new.
pub(super) fn make_dir(path: &Path, mode: u32) -> anyhow::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .with_context(|| cannot("make", path))?;
    let mode = std::fs::Permissions::from_mode(mode); // whatever the umask is
    std::fs::set_permissions(path, mode).with_context(|| cannot("make", path))
}

pub(super) fn cannot(verb: &str, path: &Path) -> String {
    format!("cannot {verb} {}", path.display())
}

fn memory_name(engine: Engine) -> String {
    format!("{}.json", engine.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_refused_by_the_process_that_uses_it() {
        let place = tempfile::tempdir().unwrap();
        let held = Folder::open(place.path()).unwrap();
        let refused = Folder::open(place.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(held);
        Folder::open(place.path()).unwrap();
    }

    #[test]
    fn an_engine_remembers_its_password() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let first = folder.recall(Engine::Redis).unwrap();
        folder.remember(Engine::Redis, &first).unwrap();
        assert_eq!(folder.recall(Engine::Redis).unwrap().password, first.password);
        assert_ne!(folder.recall(Engine::Nats).unwrap().password, first.password);
        let mode = place.path().join("redis.json").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
