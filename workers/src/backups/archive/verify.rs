//! Verifying a backup: every hash, every seal and every organisation's chain, from the file alone.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::frames::{Frame, FrameError, Reader};
use super::lines::{Chains, FilePiece, recorded, split};
use super::{Key, Kind, Manifest};

/// After so many errors the rest is not looked for.
const ERRORS_MOST: usize = 100;

/// What a verification found.
#[derive(Debug)]
pub struct Report {
    /// What the backup says about itself, if that could be read.
    pub manifest: Option<Manifest>,
    /// How many things were checked.
    pub checks: u64,
    /// How many events were read.
    pub events: u64,
    /// How many whole files were read.
    pub files: u64,
    /// What is wrong; nothing means that the backup is whole.
    pub errors: Vec<String>,
}

impl Report {
    /// Whether every byte is as it was written.
    pub fn whole(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Checks all of a backup. Only a medium that cannot be read is an error here; what is wrong with the backup stands in the
/// report.
pub fn verify<R: Read + Seek>(source: R, key: &Key) -> Result<Report, std::io::Error> {
    let mut check = Check::default();
    let mut reader = match Reader::begin(source, key) {
        Ok(reader) => reader,
        Err(error) => return check.ended(error),
    };
    let manifest = match reader.manifest() {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            check.wrong(error.to_string());
            None
        }
    };
    if manifest.as_ref().is_some_and(|manifest| manifest.backup_id != reader.backup()) {
        check.wrong("the manifest is of another backup".into());
    }
    check.report.manifest = manifest;
    loop {
        match reader.frame() {
            Ok(Some(frame)) => check.frame(&frame),
            Ok(None) => break,
            Err(error) => return check.ended(error),
        }
    }
    check.totals();
    Ok(check.report)
}

struct Check {
    report: Report,
    chains: Chains,
    streams: BTreeMap<String, u64>,
    last_position: i64,
    open_file: Option<(FilePiece, u64)>,
    frames: usize,
    manifest_seen: bool,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            report: Report { manifest: None, checks: 0, events: 0, files: 0, errors: Vec::new() },
            chains: Chains::default(),
            streams: BTreeMap::new(),
            last_position: 0,
            open_file: None,
            frames: 0,
            manifest_seen: false,
        }
    }
}

impl Check {
    fn wrong(&mut self, what: String) {
        if self.report.errors.len() < ERRORS_MOST {
            self.report.errors.push(what);
        }
    }

    fn that(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.report.checks += 1;
        if !holds {
            self.wrong(otherwise());
        }
    }

    fn ended(mut self, error: FrameError) -> Result<Report, std::io::Error> {
        match error {
            FrameError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                Err(error)
            }
            FrameError::Io(_)
            | FrameError::Magic
            | FrameError::OtherKey { .. }
            | FrameError::Altered { .. }
            | FrameError::Broken { .. }
            | FrameError::Manifest => {
                self.wrong(error.to_string());
                Ok(self.report)
            }
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let number = frame.number;
        let expected = self.report.manifest.as_ref().and_then(|m| m.chunks.get(number as usize));
        let expected = expected.map(|chunk| (chunk.kind, chunk.size_bytes, chunk.sha256.clone()));
        let Some(body) = &frame.body else {
            self.wrong(FrameError::Altered { number }.to_string());
            return;
        };
        self.frames += 1;
        let Some(kind) = frame.kind else {
            self.wrong(format!("chunk {number} is of a kind that this build does not know"));
            return;
        };
        if kind == Kind::Manifest {
            self.that(!self.manifest_seen, || "there are two manifests".into());
            self.manifest_seen = true;
            return;
        }
        if self.report.manifest.is_some() {
            let same = expected
                .is_some_and(|known| known == (kind, frame.size_bytes, frame.sha256.clone()));
            self.that(same, || format!("chunk {number} is not the one the manifest lists"));
        }
        self.body(kind, number, body);
    }

    fn body(&mut self, kind: Kind, number: u32, body: &[u8]) {
        match kind {
            Kind::Events => self.events(number, body),
            Kind::Keys | Kind::Secrets | Kind::SubjectKeys => {
                for line in split(body) {
                    let readable = serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
                    self.that(readable, || format!("chunk {number} has a line that is not JSON"));
                }
            }
            Kind::File => self.file(number, body),
            Kind::Manifest => {}
        }
    }

    fn events(&mut self, number: u32, body: &[u8]) {
        let alone = self.report.manifest.as_ref().is_some_and(|m| m.scope.tenant().is_some());
        for event in recorded(body) {
            let Ok(event) = event else {
                self.wrong(format!("chunk {number} has a line that is no event"));
                continue;
            };
            let (last, position) = (self.last_position, event.position);
            let follows = if alone { position > last } else { position == last + 1 };
            self.that(follows, || format!("position {position} follows {last}"));
            self.last_position = position;
            let linked = self.chains.take(&event);
            self.that(linked.is_ok(), || linked.err().unwrap_or_default());
            self.report.events += 1;
            *self.streams.entry(event.aggregate_type).or_default() += 1;
        }
    }

    fn file(&mut self, number: u32, body: &[u8]) {
        let Some((piece, bytes)) = FilePiece::split(body) else {
            self.wrong(format!("chunk {number} is no piece of a file"));
            return;
        };
        let read = match self.open_file.take() {
            Some((open, read)) => {
                let same = open.file_id == piece.file_id && open.tenant_id == piece.tenant_id;
                self.that(same && piece.offset == read, || format!("file {} is cut", open.file_id));
                read
            }
            None => 0,
        };
        let read = read + bytes.len() as u64;
        if read == piece.size_bytes {
            self.report.files += 1;
        } else {
            self.open_file = Some((piece, read));
        }
    }

    /// What only the whole can show.
    fn totals(&mut self) {
        if let Some((piece, _)) = self.open_file.take() {
            self.wrong(format!("file {} is cut", piece.file_id));
        }
        self.that(self.manifest_seen, || "there is no manifest".into());
        let Some(manifest) = self.report.manifest.clone() else { return };
        let (events, files) = (self.report.events, self.report.files);
        self.that(self.frames == manifest.chunks.len() + 1, || "chunks are missing".into());
        self.that(events == manifest.events, || {
            format!("there are {events} events, the manifest counts {}", manifest.events)
        });
        self.that(files == manifest.files, || {
            format!("there are {files} files, the manifest counts {}", manifest.files)
        });
        let (heads, streams) = (self.chains.heads(), std::mem::take(&mut self.streams));
        self.that(heads == manifest.tenants, || "the chains do not end at their heads".into());
        self.that(streams == manifest.streams, || "the streams are not those counted".into());
    }
}
