//! An access matrix as files hold it: one `user permission` per line, read strictly and kept small.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use events::text;

use super::names;

/// Longer than any two names that can be used.
const LINE_MOST_BYTES: usize = 4_096;

/// Who may do what.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    /// The permissions, in the order in which they were met.
    pub(super) permissions: Vec<String>,
    /// The users, in the order in which they were met.
    pub(super) users: Vec<User>,
}

/// A user and the places of their permissions, in order and each once.
#[derive(Debug, Default)]
pub(super) struct User {
    pub(super) handle: String,
    pub(super) permissions: Vec<u32>,
}

/// A line that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) file: PathBuf,
    pub(super) line: u64,
    pub(super) reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.reason)
    }
}

/// A matrix being read.
#[derive(Default)]
pub(super) struct Reading {
    matrix: Matrix,
    /// Users by their handle as the server compares it.
    users: HashMap<String, usize>,
    /// Permissions by their name in the files.
    permissions: HashMap<String, u32>,
    /// Permissions by what they became.
    written: HashMap<String, u32>,
}

impl Reading {
    /// Reads a file; `fault` hears of every line that cannot be used.
    pub(super) fn file(
        &mut self,
        path: &Path,
        fault: &mut impl FnMut(Fault),
    ) -> anyhow::Result<()> {
        let cannot_read = || format!("cannot read {}", path.display());
        let source = BufReader::new(File::open(path).with_context(cannot_read)?);
        self.lines(source, |line, reason| fault(Fault { file: path.to_owned(), line, reason }))
            .with_context(cannot_read)
    }

    /// Reads lines; `fault` hears of every one that cannot be used, by its number from 1.
    pub(super) fn lines(
        &mut self,
        mut source: impl BufRead,
        mut fault: impl FnMut(u64, String),
    ) -> std::io::Result<()> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let most = u64::try_from(LINE_MOST_BYTES).unwrap_or(u64::MAX) + 1;
            if source.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let taken = if line.len() > LINE_MOST_BYTES && line.last() != Some(&b'\n') {
                skip_line(&mut source)?;
                Err(format!("the line is longer than {LINE_MOST_BYTES} bytes"))
            } else {
                std::str::from_utf8(&line)
                    .map_err(|_| "the line is not UTF-8".to_owned())
                    .and_then(|text| self.line(text))
            };
            if let Err(reason) = taken {
                fault(number, reason);
            }
        }
        Ok(())
    }

    fn line(&mut self, text: &str) -> Result<(), String> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let mut words = text.split_whitespace();
        let (Some(user), Some(permission), None) = (words.next(), words.next(), words.next())
        else {
            let words = text.split_whitespace().count();
            let plural = if words == 1 { "word" } else { "words" };
            return Err(format!("there must be a user and a permission, not {words} {plural}"));
        };
        let user = self.user(names::handle(user)?)?;
        let permission = self.permission(permission)?; // last: only what is used is created
        self.matrix.users[user].permissions.push(permission);
        Ok(())
    }

    fn permission(&mut self, name: &str) -> Result<u32, String> {
        if let Some(known) = self.permissions.get(name) {
            return Ok(*known);
        }
        let written = names::permission(name)?;
        let next = u32::try_from(self.matrix.permissions.len())
            .map_err(|_| "there are too many permissions".to_owned())?;
        let place = *self.written.entry(written.clone()).or_insert_with(|| {
            self.matrix.permissions.push(written);
            next
        });
        self.permissions.insert(name.to_owned(), place);
        Ok(place)
    }

    fn user(&mut self, handle: &str) -> Result<usize, String> {
        let next = self.matrix.users.len();
        let place = *self.users.entry(text::fold(handle)).or_insert(next);
        if place == next {
            self.matrix.users.push(User { handle: handle.to_owned(), permissions: Vec::new() });
        }
        let known = &self.matrix.users[place].handle;
        if known != handle {
            return Err(format!("the user \"{handle}\" is another spelling of \"{known}\""));
        }
        Ok(place)
    }

    /// The matrix, every pair once.
    pub(super) fn end(self) -> Matrix {
        let mut matrix = self.matrix;
        for user in &mut matrix.users {
            user.permissions.sort_unstable();
            user.permissions.dedup();
            user.permissions.shrink_to_fit();
        }
        matrix
    }
}

fn skip_line(source: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let read = source.fill_buf()?;
        let (skipped, ended) = match read.iter().position(|byte| *byte == b'\n') {
            Some(place) => (place + 1, true),
            None => (read.len(), read.is_empty()),
        };
        source.consume(skipped);
        if ended {
            return Ok(());
        }
    }
}

#[cfg(test)]
pub(super) fn of_text(text: &[u8]) -> (Matrix, Vec<(u64, String)>) {
    let mut reading = Reading::default();
    let mut faults = Vec::new();
    let read = reading.lines(text, |line, reason| faults.push((line, reason)));
    assert!(read.is_ok(), "memory can be read");
    (reading.end(), faults)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(matrix: &Matrix) -> usize {
        matrix.users.iter().map(|user| user.permissions.len()).sum()
    }

    #[test]
    fn blanks_comments_and_repetitions_are_allowed() {
        let (matrix, faults) = of_text(b"# who may\r\n\n 7\t 12 \r\n7 13\n7 12\n8 12");
        assert_eq!(faults, []);
        assert_eq!(matrix.permissions, ["access.12:use", "access.13:use"]);
        let users: Vec<_> =
            matrix.users.iter().map(|user| (user.handle.as_str(), &*user.permissions)).collect();
        assert_eq!(users, [("7", &[0, 1][..]), ("8", &[0][..])]);
        assert_eq!(pairs(&matrix), 3);
    }

    #[test]
    fn two_spellings_of_one_permission_are_one() {
        let (matrix, faults) = of_text(b"a 1\na access.1:use\n");
        assert_eq!((matrix.permissions.len(), pairs(&matrix), faults.len()), (1, 1, 0));
    }

    #[test]
    fn every_line_that_cannot_be_used_is_told_with_its_number() {
        let long = format!("a {}\n", "x".repeat(2 * LINE_MOST_BYTES));
        let text = [
            &b"anna 1\nanna\nanna 1 2\n\xff 1\nAnna 2\n"[..],
            long.as_bytes(),
            b"a\xe2\x80\x8bb 1\nanna rbac.nothing:do\nberta 3\n",
        ]
        .concat();
        let (matrix, faults) = of_text(&text);
        let lines: Vec<u64> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8]);
        for ((_, reason), words) in faults.iter().zip([
            "not 1 word",
            "not 3 words",
            "not UTF-8",
            "another spelling of \"anna\"",
            "longer than",
            "invisible",
            "catalogue",
        ]) {
            assert!(reason.contains(words), "{reason}");
        }
        assert_eq!(pairs(&matrix), 2);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let read = Reading::default().file(Path::new("no/such/file"), &mut |_| {});
        assert!(format!("{:#}", read.unwrap_err()).contains("no/such/file"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_keep_the_matrix_in_order(
            bytes in prop::collection::vec(any::<u8>(), 0..2_000)
        ) {
            let (matrix, _) = of_text(&bytes);
            for user in &matrix.users {
                prop_assert!(user.permissions.is_sorted());
                prop_assert!(user.permissions.iter().all(|p| (*p as usize) < matrix.permissions.len()));
            }
        }

        #[test]
        fn words_and_white_space_in_any_order_are_read(text in "[ab1 \t\r\n#]{0,200}") {
            let lines = text.split('\n').filter(|line| {
                let line = line.trim();
                !line.is_empty() && !line.starts_with('#')
            });
            let bad = lines.filter(|line| line.split_whitespace().count() != 2).count();
            prop_assert_eq!(of_text(text.as_bytes()).1.len(), bad);
        }
    }
}
