//! The file itself: written from rows as they come, under a name that says what it is.

use std::io::{BufWriter, Write as _};

use anyhow::anyhow;
use events::exports::export::Format;
use events::exports::file_stem;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::render::pdf::logo::Logo;
use super::render::{self, Header, Rendered, Row, csv, ndjson, parquet, pdf, xlsx};
use super::rows::Fetched;

type Rows = Box<dyn Iterator<Item = anyhow::Result<Row>>>;

const WRITTEN_AT_ONCE: usize = 64 * 1024;
/// Longest part of a file's name that says what its rows are.
const FILTER_MAX_CHARS: usize = 60;

/// Rows on their way into the file.
pub(super) enum Batch {
    /// As they were read.
    Fetched(Fetched),
    /// Made of what was read.
    Made(Vec<Row>),
    /// There are no more. A renderer that does not see this knows that the reading was broken off.
    End,
}

/// Writes the file, on a thread that may block.
pub(super) fn write(
    format: Format,
    (header, logo): (&Header, Option<&Logo>),
    mut batches: mpsc::Receiver<Batch>,
    (file, scratch): (&NamedTempFile, &std::path::Path),
) -> Result<Rendered, render::Error> {
    let mut is_over = false;
    let next = move || -> Option<Rows> {
        if is_over {
            return None;
        }
        let batch = batches.blocking_recv();
        is_over = matches!(batch, Some(Batch::End) | None);
        match batch {
            Some(Batch::Fetched(rows)) => Some(Box::new(rows.cells())),
            Some(Batch::Made(rows)) => Some(Box::new(rows.into_iter().map(Ok))),
            Some(Batch::End) => None,
            None => Some(Box::new(std::iter::once(Err(anyhow!("the reading was broken off"))))),
        }
    };
    let rows = std::iter::from_fn(next).flatten();
    let mut sink = BufWriter::with_capacity(WRITTEN_AT_ONCE, file.as_file());
    let rendered = match format {
        Format::Csv => csv::render(header, rows, &mut sink)?,
        Format::Xlsx => xlsx::render(header, rows, scratch, &mut sink)?,
        Format::Pdf => pdf::render(header, logo, rows, &mut sink)?,
        Format::Ndjson => ndjson::render(header, rows, &mut sink)?,
        Format::Parquet => parquet::render(header, rows, &mut sink)?,
    };
    sink.flush()?;
    Ok(rendered)
}

/// `Title_2026-01-31.csv`, of characters that every file system takes; with the words of the filter behind the title, if that is told.
pub(super) fn file_name(
    (title, filter): (&str, Option<&str>),
    date: &str,
    format: Format,
) -> String {
    let words = filter.unwrap_or_default().split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let filter: String = words.join("-").chars().take(FILTER_MAX_CHARS).collect();
    let parts = [&file_stem(title, "export"), &filter, date];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let extension: &str = format.into();
    format!("{}.{extension}", parts.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_title_and_date_and_no_path() {
        let name = |title: &str| file_name((title, None), "2026-01-31", Format::Xlsx);
        assert_eq!(name("Offene Rechnungen"), "Offene-Rechnungen_2026-01-31.xlsx");
        assert_eq!(name("../../etc/passwd"), "-..-etc-passwd_2026-01-31.xlsx");
        assert_eq!(name(" "), "export_2026-01-31.xlsx");
        assert!(name(&"x".repeat(500)).len() < 200);
    }

    #[test]
    fn the_words_of_the_filter_stand_behind_the_title() {
        let name =
            |filter: &str| file_name(("Audit trail", Some(filter)), "2026-01-31", Format::Csv);
        let denied = r#"status="denied" and at >= "2026-01-01""#;
        assert_eq!(name(denied), "Audit-trail_status-denied-and-at-2026-01-01_2026-01-31.csv");
        assert_eq!(name("../"), "Audit-trail_2026-01-31.csv");
        assert!(name(&"x".repeat(500)).len() < 200);
    }
}
