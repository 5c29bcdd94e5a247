//! Frames: pieces of a backup file, each compressed, sealed and hashed.

use std::io::{Read, Seek, SeekFrom, Write};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use events::BackupId;
use platform::secrets;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Chunk, Key, Kind, Manifest};

const MAGIC: &[u8; 16] = b"ANNALS-BACKUP/1\n";
const FILE_HEAD_BYTES: usize = 16 + 16 + 8;
const FRAME_HEAD_BYTES: usize = 1 + 4 + 4 + NONCE_BYTES;
const NONCE_BYTES: usize = 12;
const FOOT_BYTES: u64 = 8;
const _: () = assert!(size_of::<u64>() as u64 == FOOT_BYTES);
/// No frame is longer; a flipped length is found before it is believed.
const FRAME_MOST_BYTES: u32 = 256 * 1024 * 1024;
const COMPRESSION: i32 = 3;

/// A piece on its way into a file.
#[derive(Debug)]
pub(super) struct Part {
    pub kind: Kind,
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub items: u64,
    pub body: Vec<u8>,
}

/// Why a piece of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The medium failed.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// Not a backup of ours.
    #[error("the file is not an annals backup")]
    Magic,
    /// Made under another master key.
    #[error("the backup was made with master key {made}, this installation has {ours}")]
    OtherKey {
        /// The key it was made with.
        made: String,
        /// The key given.
        ours: String,
    },
    /// The frame's own bytes do not add up.
    #[error("chunk {number} was altered")]
    Altered {
        /// Which one, counted from 0.
        number: u32,
    },
    /// The frames do not follow one another; what comes after cannot be found.
    #[error("the file breaks off or is damaged after chunk {number}")]
    Broken {
        /// The last one found, counted from 1.
        number: u32,
    },
    /// The manifest cannot be used.
    #[error("the manifest was altered")]
    Manifest,
}

/// The header of a file and the cipher that its frames are sealed with.
struct Seal {
    head: [u8; FILE_HEAD_BYTES],
    cipher: Aes256Gcm,
}

impl Seal {
    fn new(backup: BackupId, key: &Key) -> Self {
        let mut head = [0; FILE_HEAD_BYTES];
        head[..16].copy_from_slice(MAGIC);
        head[16..32].copy_from_slice(backup.0.as_bytes());
        head[32..].copy_from_slice(&key.id());
        Self { head, cipher: Aes256Gcm::new(&key.of(backup).into()) }
    }

    fn place(&self, kind: u8, number: u32) -> Vec<u8> {
        let mut place = self.head.to_vec();
        place.push(kind);
        place.extend_from_slice(&number.to_be_bytes());
        place
    }
}

/// Writes a file frame by frame.
pub(super) struct Writer<W> {
    sink: W,
    seal: Seal,
    written: u64,
    chunks: Vec<Chunk>,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(mut sink: W, backup: BackupId, key: &Key) -> std::io::Result<Self> {
        let seal = Seal::new(backup, key);
        sink.write_all(&seal.head)?;
        Ok(Self { sink, seal, written: FILE_HEAD_BYTES as u64, chunks: Vec::new() })
    }

    pub(super) fn part(&mut self, part: &Part) -> std::io::Result<()> {
        let (size_bytes, sha256) = self.frame(part.kind, &part.body)?;
        let (first, last) = (part.first, part.last);
        let chunk = Chunk { kind: part.kind, first, last, items: part.items, size_bytes, sha256 };
        self.chunks.push(chunk);
        Ok(())
    }

    /// Writes the manifest with what was written before it; the manifest as written.
    pub(super) fn finish(mut self, mut manifest: Manifest) -> std::io::Result<(W, Manifest)> {
        manifest.chunks = std::mem::take(&mut self.chunks);
        let start = self.written;
        let body = serde_json::to_vec(&manifest)?;
        // Numbered like a chunk, after the last one.
        self.chunks.clone_from(&manifest.chunks);
        self.frame(Kind::Manifest, &body)?;
        self.sink.write_all(&start.to_be_bytes())?;
        self.sink.flush()?;
        Ok((self.sink, manifest))
    }

    fn frame(&mut self, kind: Kind, body: &[u8]) -> std::io::Result<(u64, String)> {
        let number = u32::try_from(self.chunks.len()).map_err(std::io::Error::other)?;
        let packed = zstd::encode_all(body, COMPRESSION)?;
        let nonce: [u8; NONCE_BYTES] = secrets::random();
        let place = self.seal.place(kind as u8, number);
        let sealed = self
            .seal
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: &packed, aad: &place })
            .map_err(|_| std::io::Error::other("a chunk is too large to be sealed"))?;
        let length = u32::try_from(sealed.len()).map_err(std::io::Error::other)?;
        if length > FRAME_MOST_BYTES {
            return Err(std::io::Error::other("a chunk is too large to be sealed"));
        }
        let mut head = Vec::with_capacity(FRAME_HEAD_BYTES);
        head.push(kind as u8);
        head.extend_from_slice(&number.to_be_bytes());
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(&nonce);
        self.sink.write_all(&head)?;
        self.sink.write_all(&sealed)?;
        let size = head.len() as u64 + sealed.len() as u64;
        self.written += size;
        let mut hash = Sha256::new();
        hash.update(&head);
        hash.update(&sealed);
        Ok((size, hex::encode(hash.finalize())))
    }
}

/// A frame as read: opened if it could be.
pub(super) struct Frame {
    pub kind: Option<Kind>,
    pub number: u32,
    pub size_bytes: u64,
    pub sha256: String,
    /// The body, unless the frame was altered.
    pub body: Option<Vec<u8>>,
}

/// Reads a file frame by frame.
pub(super) struct Reader<R> {
    source: R,
    seal: Seal,
    length: u64,
    at: u64,
    next: u32,
}

impl<R: Read + Seek> Reader<R> {
    pub(super) fn begin(mut source: R, key: &Key) -> Result<Self, FrameError> {
        let length = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let mut head = [0; FILE_HEAD_BYTES];
        if length < FILE_HEAD_BYTES as u64 + FOOT_BYTES {
            return Err(FrameError::Magic);
        }
        source.read_exact(&mut head)?;
        if head[..16] != MAGIC[..] {
            return Err(FrameError::Magic);
        }
        if head[32..] != key.id() {
            let (made, ours) = (hex::encode(&head[32..]), hex::encode(key.id()));
            return Err(FrameError::OtherKey { made, ours });
        }
        let backup = BackupId(Uuid::from_slice(&head[16..32]).unwrap_or_default());
        let at = FILE_HEAD_BYTES as u64;
        Ok(Self { source, seal: Seal::new(backup, key), length, at, next: 0 })
    }

    /// The backup that the file says it is.
    pub(super) fn backup(&self) -> BackupId {
        BackupId(Uuid::from_slice(&self.seal.head[16..32]).unwrap_or_default())
    }

    /// The next frame up to and with the manifest; nothing after it.
    pub(super) fn frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.at + FOOT_BYTES == self.length {
            return Ok(None);
        }
        let broken = FrameError::Broken { number: self.next };
        let mut head = [0; FRAME_HEAD_BYTES];
        if self.at + (FRAME_HEAD_BYTES as u64) + FOOT_BYTES > self.length {
            return Err(broken);
        }
        self.source.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let size_bytes = FRAME_HEAD_BYTES as u64 + u64::from(length);
        if length > FRAME_MOST_BYTES || self.at + size_bytes + FOOT_BYTES > self.length {
            return Err(broken);
        }
        let mut sealed = vec![0; length as usize];
        self.source.read_exact(&mut sealed)?;
        let mut hash = Sha256::new();
        hash.update(head);
        hash.update(&sealed);
        let frame = Frame {
            kind: Kind::of(head[0]),
            number: self.next,
            size_bytes,
            sha256: hex::encode(hash.finalize()),
            body: self.open(&head, &sealed),
        };
        self.at += size_bytes;
        self.next += 1;
        Ok(Some(frame))
    }

    fn open(&self, head: &[u8; FRAME_HEAD_BYTES], sealed: &[u8]) -> Option<Vec<u8>> {
        let number = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        if number != self.next {
            return None;
        }
        let nonce: [u8; NONCE_BYTES] = head[9..].try_into().ok()?;
        let place = self.seal.place(head[0], number);
        let payload = Payload { msg: sealed, aad: &place };
        let packed = self.seal.cipher.decrypt(&Nonce::from(nonce), payload).ok()?;
        zstd::decode_all(packed.as_slice()).ok()
    }

    /// The manifest, found by the offset at the end of the file; reading goes on where it was.
    pub(super) fn manifest(&mut self) -> Result<Manifest, FrameError> {
        let (at, next) = (self.at, self.next);
        let found = self.manifest_at_end();
        (self.at, self.next) = (at, next);
        self.source.seek(SeekFrom::Start(at))?;
        found
    }

    fn manifest_at_end(&mut self) -> Result<Manifest, FrameError> {
        let mut foot = [0; size_of::<u64>()];
        self.source.seek(SeekFrom::Start(self.length - FOOT_BYTES))?;
        self.source.read_exact(&mut foot)?;
        let start = u64::from_be_bytes(foot);
        if start < FILE_HEAD_BYTES as u64 || start + FOOT_BYTES > self.length {
            return Err(FrameError::Manifest);
        }
        self.source.seek(SeekFrom::Start(start))?;
        let mut head = [0; FRAME_HEAD_BYTES];
        self.source.read_exact(&mut head).map_err(|_| FrameError::Manifest)?;
        self.source.seek(SeekFrom::Start(start))?;
        self.at = start;
        self.next = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let frame = self.frame().map_err(|_| FrameError::Manifest)?.ok_or(FrameError::Manifest)?;
        let ends = self.at + FOOT_BYTES == self.length;
        let body = frame.body.filter(|_| ends && frame.kind == Some(Kind::Manifest));
        let manifest: Option<Manifest> = body.and_then(|body| serde_json::from_slice(&body).ok());
        manifest
            .filter(|manifest| manifest.chunks.len() == frame.number as usize)
            .ok_or(FrameError::Manifest)
    }
}

/// Reads the manifest of a backup alone: authentic, but whether the chunks are whole is for [`super::verify`] to say.
pub fn manifest<R: Read + Seek>(source: R, key: &Key) -> Result<Manifest, FrameError> {
    Reader::begin(source, key)?.manifest()
}
