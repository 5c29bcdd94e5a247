//! What bytes are: read once from end to end for their digest, and looked at where they begin and end and, of an archive, where it
//! lists what is in it. Nothing is unpacked, decoded or run.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _};

use events::files::content::{Finding, PICTURES};
use sha2::{Digest as _, Sha256};

use super::archive;

/// As much as is looked at of the beginning.
const HEAD_BYTES: usize = 8 * 1024;
const READ_BYTES: usize = 256 * 1024;
/// What is known by its beginning and may be text all the same.
const TEXTUAL: &[&str] = &["application/pdf", "application/rtf", "text/rtf"];
/// How pages and drawings begin, in lower case, as browsers recognise them.
const PAGES: &[&[u8]] = &[
    b"<!doctype",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<iframe",
    b"<style",
    b"<title",
    b"<svg",
    b"<?xml",
    b"<!--",
    b"<h1",
    b"<div",
    b"<table",
    b"<font",
    b"<a",
    b"<b",
    b"<br",
    b"<p",
];

/// What was found out about bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inspected {
    pub(super) sha256: [u8; 32],
    pub(super) size_bytes: u64,
    pub(super) finding: Finding,
}

/// Reads a file from its beginning.
pub(super) fn inspect(mut file: &File) -> io::Result<Inspected> {
    file.rewind()?;
    let (mut hash, mut text) = (Sha256::new(), Utf8::default());
    let (mut head, mut size_bytes) = (Vec::with_capacity(HEAD_BYTES), 0);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let bytes = &buffer[..read];
        hash.update(bytes);
        text.take(bytes);
        size_bytes += read as u64;
        let missing = HEAD_BYTES.saturating_sub(head.len()).min(read);
        head.extend_from_slice(&bytes[..missing]);
    }
    let is_text = text.holds();
    // Of texts, many a word is the beginning of something else.
    let known = |kind: &infer::Type| !is_text || TEXTUAL.contains(&kind.mime_type());
    let kind = infer::get(&head).filter(known);
    let begins_as = kind.map(|kind| kind.mime_type().to_owned());
    let pixels = match begins_as.as_deref() {
        Some(kind) if PICTURES.contains(&kind) => pixels(file)?,
        Some(_) | None => None,
    };
    let starts = head.starts_with(b"#!");
    let is_program = starts || kind.is_some_and(|kind| is_program(kind.mime_type()));
    let (is_markup, end) = (is_markup(&head), archive::end(file, size_bytes)?);
    let archive = archive::list(file, (&head, end.as_ref()))?;
    let ends_as_archive = end.is_some();
    let finding =
        Finding { begins_as, is_program, is_text, is_markup, ends_as_archive, archive, pixels };
    Ok(Inspected { sha256: hash.finalize().into(), size_bytes, finding })
}

fn is_program(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/x-executable"
            | "application/vnd.microsoft.portable-executable"
            | "application/x-mach-binary"
            | "application/wasm"
            | "application/java"
            | "application/x-llvm"
            | "application/vnd.android.dex"
            | "application/vnd.android.dey"
            | "application/x-google-chrome-extension"
            | "application/vnd.debian.binary-package"
            | "application/x-rpm"
            | "application/x-shockwave-flash"
            | "text/x-shellscript"
    )
}

/// Width and height as the beginning of a picture says; nothing when it does not.
fn pixels(mut file: &File) -> io::Result<Option<(u32, u32)>> {
    file.rewind()?;
    let size = imagesize::reader_size(BufReader::new(file)).ok();
    let number = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    Ok(size.map(|size| (number(size.width), number(size.height))))
}

fn is_markup(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    PAGES.iter().any(|page| {
        let begins = head.get(..page.len()).is_some_and(|it| it.eq_ignore_ascii_case(page));
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b">/-".contains(byte);
        begins && head.get(page.len()).is_none_or(ends)
    })
}

/// Whether bytes that come in pieces are text in UTF-8 without control characters.
#[derive(Debug, Default)]
struct Utf8 {
    broken: bool,
    /// The beginning of a character whose end has not come yet.
    begun: Vec<u8>,
}

impl Utf8 {
    fn take(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        let control = |byte: &u8| byte.is_ascii_control() && !b"\t\n\r\x0c".contains(byte);
        if bytes.iter().any(control) {
            self.broken = true;
            return;
        }
        let mut joined = std::mem::take(&mut self.begun);
        let bytes = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        if let Err(error) = std::str::from_utf8(bytes) {
            self.broken = error.error_len().is_some();
            self.begun = bytes[error.valid_up_to()..].to_vec();
        }
    }

    fn holds(&self) -> bool {
        !self.broken && self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use events::files::content::{Unfit, fit};
    use proptest::prelude::*;

    use super::*;

    fn found(bytes: &[u8]) -> Finding {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        inspect(&file).unwrap().finding
    }

    /// A PNG's beginning that claims to be so large.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let sizes = [width.to_be_bytes(), height.to_be_bytes()].concat();
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &sizes, b"\x08\x06\0\0\0", &[0; 11]].concat()
    }

    fn archive() -> Vec<u8> {
        [b"PK\x05\x06".as_slice(), &[0; 16], &3_u16.to_le_bytes(), b"abc"].concat()
    }

    #[test]
    fn tricks_are_seen_through() {
        let bomb = png(100_000, 100_000);
        assert_eq!(bomb.len(), 40);
        let exe = [b"MZ\x90\0\x03\0\0\0".as_slice(), &[0; 120]].concat();
        let elf = [b"\x7fELF\x02\x01\x01\0".as_slice(), &[0; 120]].concat();
        let page = b"\n <!DOCTYPE html><script>alert(1)</script>".as_slice();
        let gifar = [b"GIF89a\x0a\0\x0a\0\0\0\0;".as_slice(), &archive()].concat();
        let drawing = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".as_slice();
        for (said, bytes, refused) in [
            ("image/png", bomb.as_slice(), Unfit::TooManyPixels),
            ("image/png", &png(1, 1)[..20], Unfit::Unreadable),
            ("application/pdf", &exe, Unfit::Program),
            ("application/octet-stream", &exe, Unfit::Program),
            ("application/pdf", &elf, Unfit::Program),
            ("text/plain", b"#!/bin/sh\nrm -rf /\n", Unfit::Program),
            ("image/png", page, Unfit::Mismatched),
            ("text/plain", page, Unfit::Mismatched),
            ("text/csv", page, Unfit::Mismatched),
            ("image/png", drawing, Unfit::Mismatched),
            ("image/jpeg", &png(1, 1), Unfit::Mismatched),
            ("image/gif", &gifar, Unfit::Ambiguous),
            ("application/pdf", &archive(), Unfit::Mismatched),
            ("text/csv", b"a,b\0c\n", Unfit::Mismatched),
            ("text/plain", b"\xff\xfea\0b\0", Unfit::Mismatched),
            ("application/pdf", b"GIF89a%PDF-1.7", Unfit::Mismatched),
        ] {
            assert_eq!(fit(said, &found(bytes)), Err(refused), "{said} {:?}", found(bytes));
        }
    }

    #[test]
    fn what_people_send_is_recognised() {
        for (said, bytes) in [
            ("image/png", png(640, 480)),
            ("image/gif", b"GIF89a\x0a\0\x0a\0\0\0\0;".to_vec()),
            ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec()),
            ("application/pdf", b"%PDF-1.4\nall of it is text".to_vec()),
            ("text/csv", "name;ort\nMüller;Zürich\n".into()),
            ("text/plain", b"MZ is the mark of an old program, and this is none".to_vec()),
            ("text/plain", b"a < b, and <b>not</b> a page".to_vec()),
            ("text/plain", b"\xef\xbb\xbfwith a mark of its order".to_vec()),
            ("application/json", b"{\"a\": [1]}".to_vec()),
            ("text/html", b"<html><p>hello".to_vec()),
            ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
        ] {
            let found = found(&bytes);
            assert_eq!(fit(said, &found).as_deref(), Ok(said), "{found:?}");
        }
    }

    proptest! {
        #[test]
        fn text_is_recognised_wherever_it_is_cut(text in "[^\\x00-\\x1f\\x7f]{0,60}", cuts in prop::collection::vec(0_usize..200, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut utf8 = Utf8::default();
            for pair in cuts.windows(2) {
                utf8.take(&bytes[pair[0]..pair[1]]);
            }
            prop_assert!(utf8.holds());
            utf8.take(b"\xff");
            prop_assert!(!utf8.holds());
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            found(&bytes);
        }
    }
}
