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

/// `Title_2026-01-31.csv`, of characters that every file system takes.
pub(super) fn file_name(title: &str, date: &str, format: Format) -> String {
    let title = file_stem(title, "export");
    let extension: &str = format.into();
    format!("{title}_{date}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_title_and_date_and_no_path() {
        let name = |title: &str| file_name(title, "2026-01-31", Format::Xlsx);
        assert_eq!(name("Offene Rechnungen"), "Offene-Rechnungen_2026-01-31.xlsx");
        assert_eq!(name("../../etc/passwd"), "-..-etc-passwd_2026-01-31.xlsx");
        assert_eq!(name(" "), "export_2026-01-31.xlsx");
        assert!(name(&"x".repeat(500)).len() < 200);
    }
}
