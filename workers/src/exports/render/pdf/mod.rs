//! PDF (ISO 32000) as archives take it: a table on pages of the organisation's paper with a repeated head, wrapped cells, page numbers and
//! embedded fonts.

mod archival;
mod file;
mod fonts;
mod layout;
pub mod logo;
mod measure;
mod page;
mod tags;
#[cfg(test)]
mod tests;

use std::io::Write;

use events::exports::export::{LimitPolicy, Style};
use sha2::{Digest, Sha256};

use self::fonts::{Faces, Weight};
use self::layout::Layout;
use self::logo::Logo;
use super::total::{LABEL, Totals};
use super::{CHARACTERS_MISSING, Cell, Error, Header, LARGE_FOR_PDF, ROWS_LEFT_OUT, Rendered, Row};

/// More than this is nothing to print; the request is told to use another format.
pub const ROWS: u64 = 20_000;
/// From here on a table is too long to be read on pages, which is said with the file.
const LARGE_ROWS: usize = 5_000;
const COLUMNS: usize = 32;
/// What a document says that it was made by.
const PRODUCER: &str = "Annals";

/// Writes a document. Its table is read whole before the first byte is written, because all rows decide how wide the columns are.
pub fn render<W: Write>(
    header: &Header,
    logo: Option<&Logo>,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    sink: W,
) -> Result<Rendered, Error> {
    if header.columns.len() > COLUMNS {
        return Err(Error::TooManyColumns { format: "PDF", limit: COLUMNS });
    }
    let faces = Faces::get()?;
    let mut table = Table::read(header, rows)?;
    if let Some(totals) = table.totals.take() {
        table.texts.push(totals);
    }
    if let Some(logo) = logo {
        logo.identify(&mut table.identity);
    }
    let mut layout = Layout::begin(header, logo, (faces, &table.texts), sink)?;
    layout.picture()?;
    layout.above();
    layout.facts()?;
    layout.head()?;
    let (last, others) = match table.texts.split_last() {
        Some((last, others)) if !header.look.totals.is_empty() => (Some(last), others),
        Some(_) | None => (None, &table.texts[..]),
    };
    for row in others {
        layout.row(Weight::Regular, row)?;
    }
    if let Some(totals) = last {
        layout.row(Weight::Bold, totals)?;
    }
    let (rows, left_out) = (others.len(), table.rows_left_out);
    layout.note_left_out(left_out)?;
    let cut_cells = layout.note_missing()?;
    layout.end(&table.identity.finalize()[..16])?;
    let warnings = [
        (left_out > 0, ROWS_LEFT_OUT),
        (cut_cells > 0, CHARACTERS_MISSING),
        (rows > LARGE_ROWS, LARGE_FOR_PDF),
    ];
    let warnings = warnings.iter().filter(|(holds, _)| *holds).map(|(_, code)| *code).collect();
    Ok(Rendered { rows: rows as u64, rows_left_out: left_out, parts: 1, cut_cells, warnings })
}

/// The texts of all cells.
struct Table {
    texts: Vec<Vec<String>>,
    totals: Option<Vec<String>>,
    rows_left_out: u64,
    identity: Sha256,
}

impl Table {
    fn read(
        header: &Header,
        rows: impl Iterator<Item = anyhow::Result<Row>>,
    ) -> Result<Self, Error> {
        let (mut identity, mut texts) = (Sha256::new(), Vec::new());
        let (mut totals, mut rows_left_out) = (Totals::of(header), 0);
        for row in rows {
            let row = row.map_err(Error::Rows)?;
            if texts.len() as u64 == ROWS {
                if header.look.limits != LimitPolicy::Truncate {
                    let remedy = "ask for XLSX or CSV";
                    return Err(Error::TooManyRows { format: "PDF", limit: ROWS, remedy });
                }
                rows_left_out = header.rows_total.saturating_sub(ROWS).max(1);
                break;
            }
            totals.add(&row);
            let row: Vec<String> = row.iter().map(|cell| text(header, cell)).collect();
            for text in &row {
                identity.update(text.as_bytes());
            }
            texts.push(row);
        }
        let totals = totals.are_wished().then(|| sums(header, &totals));
        Ok(Self { texts, totals, rows_left_out, identity })
    }
}

/// The row below the others.
fn sums(header: &Header, totals: &Totals) -> Vec<String> {
    let mut row = vec![String::new(); header.columns.len()];
    let label = totals.label_at(row.len()).map(|at| (at, LABEL.to_owned()));
    for (at, text) in totals.all().chain(label) {
        if let Some(cell) = row.get_mut(at) {
            *cell = text;
        }
    }
    row
}

fn text(header: &Header, cell: &Cell) -> String {
    if let (Cell::Bool(value), Style::Formatted) = (cell, header.look.style) {
        return if *value { "✓" } else { "✗" }.into();
    }
    let mut text = String::new();
    header.write_value(cell, &mut text);
    text
}
