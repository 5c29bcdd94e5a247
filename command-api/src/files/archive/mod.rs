//! The list of what is in a ZIP archive, of which office documents are some, as its end points to it: its names and its sizes are read, and nothing
//! that they name.
//!
//! Readers of such archives differ in what they make of one that contradicts itself, so only one that does not is read here.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek as _, SeekFrom};

use events::files::archive::{Archive, ENTRIES_MAX_COUNT, Listed};

/// The end is a record of 22 bytes and a comment of at most 65535.
const END_BYTES: usize = 22;
const TAIL_BYTES: usize = END_BYTES + 65_535;
const END_MARK: &[u8] = b"PK\x05\x06";
/// Where it takes more than 32 bits, another record is before the end, and one that points to it between.
const LONG_END_BYTES: usize = 56;
const LONG_END_MARK: &[u8] = b"PK\x06\x06";
const POINTER_BYTES: usize = 20;
const POINTER_MARK: &[u8] = b"PK\x06\x07";
/// An entry of the list, without its name and what follows that.
const ENTRY_BYTES: usize = 46;
const ENTRY_MARK: &[u8] = b"PK\x01\x02";
/// What a mode of Unix says that a thing is, and what it says of a symbolic link (`sys/stat.h` of POSIX).
const MODE_KIND: u32 = 0o170_000;
const MODE_LINK: u32 = 0o120_000;
/// How archives begin: with an entry, empty, and in pieces.
const BEGINNINGS: [&[u8]; 3] = [b"PK\x03\x04", END_MARK, b"PK\x07\x08"];
/// The field beside an entry's name that has what takes more than 32 bits.
const LONG_FIELD: u16 = 1;

/// The end of an archive, as its record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Where the record begins.
    at: u64,
    /// How many entries the list has, how many bytes it takes, and where it begins.
    list: List,
    /// Whether it is all here, and the only end.
    is_whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct List {
    entries_count: u64,
    size_bytes: u64,
    begins_at: u64,
}

/// The end of an archive, where bytes end as one.
pub(super) fn end(mut file: &File, size_bytes: u64) -> io::Result<Option<End>> {
    let from = size_bytes.saturating_sub(TAIL_BYTES as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::with_capacity(TAIL_BYTES);
    file.take(TAIL_BYTES as u64).read_to_end(&mut tail)?;
    let ends = |record: &[u8]| {
        record.starts_with(END_MARK) && record.len() == END_BYTES + usize::from(u16_at(record, 20))
    };
    let found = (0..tail.len().saturating_sub(END_BYTES - 1)).find(|at| ends(&tail[*at..]));
    Ok(found.map(|at| {
        let record = &tail[at..];
        let disks = [u16_at(record, 4), u16_at(record, 6)];
        // Some readers take the last that looks like an end, which may be within the comment of this one.
        let is_only = !record[1..].windows(END_MARK.len()).any(|mark| mark == END_MARK);
        End {
            at: from + at as u64,
            list: List {
                entries_count: u16_at(record, 10).into(),
                size_bytes: u32_at(record, 12).into(),
                begins_at: u32_at(record, 16).into(),
            },
            is_whole: is_only && disks == [0, 0] && u16_at(record, 8) == u16_at(record, 10),
        }
    }))
}

/// What an archive lists; none where bytes neither begin nor end as one.
pub(super) fn list(file: &File, (head, end): (&[u8], Option<&End>)) -> io::Result<Archive> {
    let begins = BEGINNINGS.iter().any(|beginning| head.starts_with(beginning));
    match end {
        None if begins => Ok(Archive::Unlisted),
        None => Ok(Archive::None),
        Some(end) => match listed(file, end) {
            Ok(listed) => Ok(listed.map_or(Archive::Unlisted, Archive::Listed)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Archive::Unlisted),
            Err(error) => Err(error),
        },
    }
}

fn listed(mut file: &File, end: &End) -> io::Result<Option<Listed>> {
    let Some((list, ends_at)) = placed(file, end)? else { return Ok(None) };
    if !end.is_whole || list.begins_at.checked_add(list.size_bytes) != Some(ends_at) {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(list.begins_at))?;
    let mut rest = BufReader::new(file.take(list.size_bytes));
    let (mut listed, mut packed_bytes) = (Listed::default(), 0_u64);
    let mut read_bytes = 0;
    while read_bytes < list.size_bytes {
        let Some(entry) = Entry::read(&mut rest)? else { return Ok(None) };
        listed.add(&entry.name, entry.unpacked_bytes, entry.is_link);
        packed_bytes = packed_bytes.saturating_add(entry.packed_bytes);
        if listed.entries_count > ENTRIES_MAX_COUNT {
            return Ok(Some(listed));
        }
        read_bytes += entry.size_bytes;
    }
    // Entries that take more room together than there is share it, as those of a bomb do.
    let is_shared = packed_bytes > list.begins_at;
    Ok((listed.entries_count == list.entries_count && !is_shared).then_some(listed))
}

/// Where the list is and has to end: at the end of the archive, or before what says what takes more than 32 bits.
fn placed(mut file: &File, end: &End) -> io::Result<Option<(List, u64)>> {
    let short = end.list;
    let is_long = short.entries_count == u64::from(u16::MAX)
        || [short.size_bytes, short.begins_at].contains(&u32::MAX.into());
    let Some(pointer_at) = end.at.checked_sub(POINTER_BYTES as u64) else {
        return Ok((!is_long).then_some((short, end.at)));
    };
    let mut pointer = [0; POINTER_BYTES];
    file.seek(SeekFrom::Start(pointer_at))?;
    file.read_exact(&mut pointer)?;
    if !pointer.starts_with(POINTER_MARK) {
        return Ok((!is_long).then_some((short, end.at)));
    }
    let at = u64_at(&pointer, 8);
    if at.checked_add(LONG_END_BYTES as u64).is_none_or(|end| end > pointer_at) {
        return Ok(None);
    }
    let mut record = [0; LONG_END_BYTES];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut record)?;
    let list = List {
        entries_count: u64_at(&record, 32),
        size_bytes: u64_at(&record, 40),
        begins_at: u64_at(&record, 48),
    };
    // What the short record says too, it has to say alike.
    let alike = |short: u64, long: u64, most: u64| short == most || short == long;
    let is_one = record.starts_with(LONG_END_MARK)
        && [u32_at(&record, 16), u32_at(&record, 20), u32_at(&pointer, 4)] == [0, 0, 0]
        && alike(short.entries_count, list.entries_count, u16::MAX.into())
        && alike(short.size_bytes, list.size_bytes, u32::MAX.into())
        && alike(short.begins_at, list.begins_at, u32::MAX.into());
    Ok(is_one.then_some((list, at)))
}

/// An entry of the list.
struct Entry {
    name: Vec<u8>,
    packed_bytes: u64,
    unpacked_bytes: u64,
    /// Whether it stands for another file, by the mode that Unix gave it.
    is_link: bool,
    /// How much of the list it takes.
    size_bytes: u64,
}

impl Entry {
    fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut fixed = [0; ENTRY_BYTES];
        from.read_exact(&mut fixed)?;
        if !fixed.starts_with(ENTRY_MARK) {
            return Ok(None);
        }
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
        let [mut name, mut fields, mut comment] = lengths.map(|length| vec![0; length]);
        for part in [&mut name, &mut fields, &mut comment] {
            from.read_exact(part)?;
        }
        let short = [u32_at(&fixed, 24), u32_at(&fixed, 20)];
        let size_bytes = (ENTRY_BYTES + lengths.iter().sum::<usize>()) as u64;
        Ok(long(short, &fields).map(|[unpacked_bytes, packed_bytes]| Self {
            name,
            packed_bytes,
            unpacked_bytes,
            is_link: (u32_at(&fixed, 38) >> 16) & MODE_KIND == MODE_LINK,
            size_bytes,
        }))
    }
}

/// Sizes of which those are beside the name that take more than 32 bits, in their order.
fn long(short: [u32; 2], mut fields: &[u8]) -> Option<[u64; 2]> {
    let mut long: &[u8] = &[];
    while fields.len() >= 4 {
        let (kind, length) = (u16_at(fields, 0), usize::from(u16_at(fields, 2)));
        let field = fields.get(4..4 + length)?;
        if kind == LONG_FIELD {
            long = field;
        }
        fields = &fields[4 + length..];
    }
    let mut sizes = [0; 2];
    for (size, short) in sizes.iter_mut().zip(short) {
        *size = short.into();
        if short == u32::MAX {
            let (first, rest) = long.split_first_chunk()?;
            (*size, long) = (u64::from_le_bytes(*first), rest);
        }
    }
    Some(sizes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests;
