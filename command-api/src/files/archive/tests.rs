//! Archives as programs pack them, and as those alter them who mean harm.

use std::io::{Cursor, Write as _};

use events::files::content::Unfit;
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const MIB: u64 = 1024 * 1024;

/// A real archive of files with such names and contents.
fn packed<N: AsRef<str>>(files: &[(N, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        archive.start_file(name.as_ref(), SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// One with an entry whose sizes take more than 32 bits, and the records that this takes.
fn packed_long() -> Vec<u8> {
    let entry = b"PK\x01\x02-\0-\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a";
    let sizes = [5 * 1024 * MIB, 0].map(u64::to_le_bytes).concat();
    let list = [entry.as_slice(), b"\x01\0\x10\0", &sizes].concat();
    let size_bytes = list.len() as u64;
    let counts = [1, 1, size_bytes, 0].map(u64::to_le_bytes).concat();
    let record = [b"PK\x06\x06,\0\0\0\0\0\0\0-\0-\0\0\0\0\0\0\0\0\0".as_slice(), &counts].concat();
    let pointer = [b"PK\x06\x07\0\0\0\0".as_slice(), &size_bytes.to_le_bytes(), b"\x01\0\0\0"];
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &[0xff; 12], b"\0\0"].concat();
    [list, record, pointer.concat(), end].concat()
}

fn found(bytes: &[u8]) -> Archive {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let end = end(&file, bytes.len() as u64).unwrap();
    list(&file, (&bytes[..bytes.len().min(64)], end.as_ref())).unwrap()
}

fn check(bytes: &[u8]) -> Result<(), Unfit> {
    found(bytes).check(100 * MIB)
}

/// Where the list has its entries.
fn entries(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| bytes[*at..].starts_with(ENTRY_MARK)).collect()
}

/// With other bytes at a place.
fn altered(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut altered = bytes.to_vec();
    altered[at..at + with.len()].copy_from_slice(with);
    altered
}

#[test]
fn what_people_pack_is_listed() {
    let text = vec![b'x'; 100_000];
    let archive =
        packed(&[("a.txt", text.as_slice()), ("b/c.zip", b"PK"), ("b/\u{e4}.docx", b"PK")]);
    assert!(archive.len() < 10_000, "it is compressed");
    let listed =
        Listed { entries_count: 3, unpacked_bytes: 100_004, nested_count: 1, leads_outside: false };
    assert_eq!((found(&archive), check(&archive)), (Archive::Listed(listed), Ok(())));
    assert_eq!(found(&packed::<&str>(&[])), Archive::Listed(Listed::default()));
    assert_eq!((found(b"a text"), found(b"")), (Archive::None, Archive::None));
    let long = Listed { entries_count: 1, unpacked_bytes: 5 * 1024 * MIB, ..Listed::default() };
    assert_eq!(found(&packed_long()), Archive::Listed(long));
}

#[test]
fn a_bomb_is_known_by_what_it_declares() {
    let archive = packed(&[("a", b"a".as_slice()), ("b", b"b")]);
    let size = |at: usize, bytes: u32| altered(&archive, at + 24, &bytes.to_le_bytes());
    let [first, second] = *entries(&archive) else { panic!("two entries") };
    let declared = size(first, u32::MAX - 1);
    assert_eq!(check(&declared), Err(Unfit::TooLargeUnpacked), "4 GiB");
    assert_eq!(check(&size(first, 1024 * 1024)), Ok(()));
    let both = altered(&declared, second + 24, &(u32::MAX - 1).to_le_bytes());
    assert_eq!(found(&both).check(410 * MIB), Ok(()), "8 GiB in 8200 MiB");
    assert_eq!(found(&both).check(400 * MIB), Err(Unfit::TooLargeUnpacked), "8 GiB in 8000 MiB");
    let terabytes = (40 * 1024 * 1024 * MIB).to_le_bytes();
    let long = packed_long();
    let at = long.windows(8).position(|size| size == (5 * 1024 * MIB).to_le_bytes()).unwrap();
    assert_eq!(check(&altered(&long, at, &terabytes)), Err(Unfit::TooLargeUnpacked));
    assert_eq!(check(&altered(&long, at, &[0xff; 8])), Err(Unfit::TooLargeUnpacked));
}

#[test]
fn real_zeros_that_pack_well_are_a_bomb_as_well() {
    let zeros = vec![0; 30 * 1024 * 1024];
    let archive = packed(&[("zeros", zeros.as_slice())]);
    assert!(archive.len() < 100_000, "{}", archive.len());
    assert_eq!(found(&archive).check(MIB), Err(Unfit::TooLargeUnpacked));
    assert_eq!(found(&archive).check(2 * MIB), Ok(()));
}

#[test]
fn too_many_entries_and_archives_and_what_leads_outside_are_seen() {
    let none: &[u8] = &[];
    let many: Vec<_> = (0..=ENTRIES_MAX_COUNT).map(|number| (number.to_string(), none)).collect();
    assert_eq!(check(&packed(&many[1..])), Ok(()));
    assert_eq!(check(&packed(&many)), Err(Unfit::TooManyEntries));
    let nested: Vec<_> = (0..16).map(|number| (format!("lib {number}.zip"), none)).collect();
    assert_eq!(check(&packed(&nested)), Err(Unfit::TooManyArchives));
    assert_eq!(check(&packed(&nested[..10])), Ok(()));
    for name in ["../x", "a/../../x", "/etc/passwd", "..\\x", "C:\\x"] {
        // Those who pack take no such name, so it comes in afterwards.
        let archive = packed(&[("fine", none), (&"_".repeat(name.len()), none)]);
        let at = entries(&archive)[1] + ENTRY_BYTES;
        let renamed = altered(&archive, at, name.as_bytes());
        assert_eq!(
            (check(&archive), check(&renamed)),
            (Ok(()), Err(Unfit::LeadsOutside)),
            "{name}"
        );
    }
    let archive = packed(&[("fine", none), ("link", none)]);
    let mode = entries(&archive)[1] + 40;
    assert_eq!(check(&altered(&archive, mode, &[0xff, 0xa1])), Err(Unfit::LeadsOutside));
    assert_eq!(check(&altered(&archive, mode, &[0xff, 0x81])), Ok(()), "a file of its own");
}

#[test]
fn an_archive_that_contradicts_itself_is_not_read() {
    let archive = packed(&[("a", b"some text".as_slice()), ("b", b"more of it")]);
    let [first, second] = *entries(&archive) else { panic!("two entries") };
    let end = archive.len() - END_BYTES;
    let cut = archive[..archive.len() - 1].to_vec();
    let commented = |comment: &[u8]| {
        let size = u16::try_from(comment.len()).unwrap().to_le_bytes();
        [&archive[..archive.len() - 2], &size, comment].concat()
    };
    assert_eq!(check(&commented(b"a comment")), Ok(()));
    for (bytes, what) in [
        (cut, "cut off"),
        ([b"#".as_slice(), &archive].concat(), "something before it"),
        ([&archive, b"#".as_slice()].concat(), "something behind it"),
        (commented(&archive[end..]), "an end within the comment"),
        (altered(&archive, end + 10, &[1, 0]), "another count than that of this disk"),
        (altered(&archive, end + 8, &[1, 0, 1, 0]), "fewer entries than there are"),
        (altered(&archive, end + 8, &[3, 0, 3, 0]), "more entries than there are"),
        (altered(&archive, end + 4, &[1, 0]), "more disks"),
        (altered(&archive, end + 16, &[0; 4]), "a list elsewhere"),
        (altered(&archive, end + 16, &[0xff; 4]), "a place that takes more, and is not there"),
        (altered(&archive, second, b"PK\x09\x09"), "an entry that is none"),
        (altered(&archive, first + 28, &[0xff; 2]), "a name that does not end"),
        (altered(&archive, first + 24, &[0xff; 4]), "a size that takes more, and is not there"),
        (altered(&archive, first + 20, &[0xfe, 0xff, 0, 0]), "entries that share their room"),
    ] {
        assert_eq!(found(&bytes), Archive::Unlisted, "{what}");
    }
    let long = packed_long();
    let record = long.windows(4).position(|mark| mark == LONG_END_MARK).unwrap();
    for (at, with, what) in [
        (0, [b'x'], "no record where it is said to be"),
        (16, [1], "more disks"),
        (32, [2], "more entries than there are"),
        (48, [1], "a list elsewhere"),
    ] {
        assert_eq!(found(&altered(&long, record + at, &with)), Archive::Unlisted, "{what}");
    }
    let pointer = long.windows(4).position(|mark| mark == POINTER_MARK).unwrap();
    let beyond = altered(&long, pointer + 8, &[0xff; 8]);
    assert_eq!(found(&beyond), Archive::Unlisted, "a record where no file has bytes");
}

proptest! {
    #[test]
    fn no_archive_is_too_strange(at in 0_usize..200, with in prop::collection::vec(any::<u8>(), 1..8)) {
        for archive in [packed(&[("a", b"some text".as_slice())]), packed_long()] {
            let at = at.min(archive.len() - with.len());
            let _strange = found(&altered(&archive, at, &with));
        }
    }
}
