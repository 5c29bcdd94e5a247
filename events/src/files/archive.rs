//! What an archive's own list says that is in it, and whether that may be kept: whoever unpacks it is not to run out of disk.

use super::content::Unfit;

/// The most entries of an archive.
pub const ENTRIES_MAX_COUNT: u64 = 10_000;
/// The most archives within an archive: each can hold as many again.
pub const NESTED_MAX_COUNT: u64 = 10;
/// How many times what its purpose allows an archive may unpack to.
pub const UNPACKED_MOST_TIMES: u64 = 20;

/// How archives are named within an archive. Office documents are none of them: a folder of those is what people send.
const NAMED: &[&str] = &[
    "zip", "zipx", "jar", "war", "ear", "apk", "7z", "rar", "gz", "tgz", "bz2", "tbz2", "xz",
    "txz", "zst", "lz4", "lzma", "br", "tar", "cab", "iso", "arj", "cpio",
];

/// What the list of an archive says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Archive {
    /// It is no archive that has a list.
    #[default]
    None,
    /// Its list is not there, is broken, or tells readers different things.
    Unlisted,
    /// Its list is there.
    Listed(Listed),
}

/// What is in an archive, as its list declares it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// How many entries; no more are read than one above the most.
    pub entries_count: u64,
    /// How many bytes they have when they are unpacked.
    pub unpacked_bytes: u64,
    /// How many of them are archives, by their names.
    pub nested_count: u64,
    /// Whether one is a link, or its name leads elsewhere than into the folder that it is unpacked to.
    pub leads_outside: bool,
}

impl Listed {
    /// Counts an entry of the list.
    pub fn add(&mut self, name: &[u8], unpacked_bytes: u64, is_link: bool) {
        self.entries_count += 1;
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(unpacked_bytes);
        self.nested_count += u64::from(is_archive(name));
        self.leads_outside |= is_link || leads_outside(name);
    }
}

impl Archive {
    /// Whether it may be kept for a purpose that allows files of so many bytes.
    pub fn check(self, max_bytes: u64) -> Result<(), Unfit> {
        let listed = match self {
            Self::None => return Ok(()),
            Self::Unlisted => return Err(Unfit::Unlisted),
            Self::Listed(listed) => listed,
        };
        if listed.leads_outside {
            return Err(Unfit::LeadsOutside);
        }
        if listed.entries_count > ENTRIES_MAX_COUNT {
            return Err(Unfit::TooManyEntries);
        }
        if listed.nested_count > NESTED_MAX_COUNT {
            return Err(Unfit::TooManyArchives);
        }
        if listed.unpacked_bytes > max_bytes.saturating_mul(UNPACKED_MOST_TIMES) {
            return Err(Unfit::TooLargeUnpacked);
        }
        Ok(())
    }
}

fn is_archive(name: &[u8]) -> bool {
    let end = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    end.len() < name.len() && NAMED.iter().any(|named| named.as_bytes().eq_ignore_ascii_case(end))
}

/// Both slashes part names, since Windows reads them so, and a letter with a colon is a disk.
fn leads_outside(name: &[u8]) -> bool {
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let is_absolute = name.first().is_some_and(is_slash);
    let is_of_disk =
        name.first().is_some_and(u8::is_ascii_alphabetic) && name.get(1) == Some(&b':');
    let climbs = name.split(is_slash).any(|part| part == b"..");
    is_absolute || is_of_disk || climbs || name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str], unpacked_bytes: u64) -> Archive {
        let mut listed = Listed::default();
        for name in names {
            listed.add(name.as_bytes(), unpacked_bytes, false);
        }
        Archive::Listed(listed)
    }

    #[test]
    fn names_stay_within_the_folder() {
        for name in
            ["a.txt", "a/b.txt", "a..b", "...", "..a/b", "a/", "ä/ö.txt", "xl/media/image1.png"]
        {
            assert_eq!(listed(&[name], 1).check(1), Ok(()), "{name}");
        }
        for name in [
            "../a",
            "a/../../b",
            "a/..",
            "..",
            "/etc/passwd",
            "\\a",
            "..\\a",
            "a\\..\\b",
            "C:\\a",
            "c:a",
            "a\0.txt",
            "//server/share",
        ] {
            assert_eq!(listed(&["fine", name], 1).check(1), Err(Unfit::LeadsOutside), "{name:?}");
        }
        let mut links = Listed::default();
        links.add(b"a", 1, true);
        assert_eq!(Archive::Listed(links).check(1), Err(Unfit::LeadsOutside));
    }

    #[test]
    fn what_is_declared_is_added_up_and_never_wraps() {
        assert_eq!(listed(&["a", "b"], 10).check(1), Ok(()));
        assert_eq!(listed(&["a", "b"], 11).check(1), Err(Unfit::TooLargeUnpacked));
        assert_eq!(listed(&["a", "b"], u64::MAX).check(1), Err(Unfit::TooLargeUnpacked));
        assert_eq!(listed(&["a", "b"], u64::MAX).check(u64::MAX), Ok(()), "nothing is larger");
    }

    #[test]
    fn entries_and_archives_are_counted() {
        let count = |of: u64| usize::try_from(of).unwrap();
        let most = vec!["a"; count(ENTRIES_MAX_COUNT)];
        assert_eq!(listed(&most, 0).check(1), Ok(()));
        let more = vec!["a"; count(ENTRIES_MAX_COUNT) + 1];
        assert_eq!(listed(&more, 0).check(1), Err(Unfit::TooManyEntries));
        let most = vec!["lib.zip"; count(NESTED_MAX_COUNT)];
        assert_eq!(listed(&most, 0).check(1), Ok(()));
        for name in ["lib.zip", "LIB.ZIP", "a/b.tar.gz", ".7z"] {
            let more = vec![name; count(NESTED_MAX_COUNT) + 1];
            assert_eq!(listed(&more, 0).check(1), Err(Unfit::TooManyArchives), "{name}");
        }
        for name in ["zip", "a/zip", "letter.docx", "zip.txt"] {
            let many = vec![name; count(NESTED_MAX_COUNT) + 1];
            assert_eq!(listed(&many, 0).check(1), Ok(()), "{name}");
        }
    }

    #[test]
    fn an_archive_without_a_list_is_not_kept() {
        assert_eq!(Archive::Unlisted.check(u64::MAX), Err(Unfit::Unlisted));
        assert_eq!(Archive::None.check(0), Ok(()));
    }
}
