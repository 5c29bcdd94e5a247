//! XLSX (ECMA-376), written row by row: text is always a string cell, dates are dates, and memory does not grow with the rows.

use std::io::{Seek, Write};
use std::path::Path;

use events::exports::export::{LimitPolicy, Style};
use jiff::civil;
use jiff::tz::TimeZone;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::total::{LABEL, Subtotal, Totals};
use super::{
    CELLS_CUT, Cell, Column, Error, Header, Kind, ROWS_LEFT_OUT, Rendered, Row,
    fits_a_spreadsheet_number, is_decimal,
};

/// Rows of a sheet, the header among them.
const SHEET_ROWS: u32 = 1_048_576;
const COLUMNS: usize = 16_384;
/// Longest text of a cell in UTF-16 units.
const CELL_UNITS: usize = 32_767;
/// Whole numbers below this have at most 15 digits, which a cell holds exactly.
const SAFE_INTEGER: u64 = 1_000_000_000_000_000;
const CUT_MARK: &str = " [cut]";
const WIDTH_LEAST: usize = 8;
const WIDTH_MOST: usize = 60;
/// Column widths are taken from this many rows of a sheet.
const WIDTH_SAMPLE_ROWS: u32 = 1000;

/// Writes a workbook. Rows beyond a sheet's limit go on in a further sheet unless told otherwise; the first or the last sheet says what the
/// file is. `scratch` holds a temporary file of about the size of the uncompressed sheet, so it must be a real disk.
pub fn render<W: Write + Seek + Send>(
    header: &Header,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    scratch: &Path,
    sink: W,
) -> Result<Rendered, Error> {
    render_split(header, rows, scratch, sink, SHEET_ROWS)
}

fn render_split<W: Write + Seek + Send>(
    header: &Header,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    scratch: &Path,
    sink: W,
    sheet_rows: u32,
) -> Result<Rendered, Error> {
    if header.columns.len() > COLUMNS {
        return Err(Error::TooManyColumns { format: "workbook", limit: COLUMNS });
    }
    let mut workbook = Workbook::new();
    workbook.set_tempdir(scratch)?;
    workbook.set_properties(&properties(header)?);
    if header.look.cover == Some(true) {
        workbook.add_worksheet().set_name("Cover")?; // filled when all is known
    }
    let formats = Formats::new();
    let rendered = sheets(header, &formats, rows, (&mut workbook, sheet_rows))?;
    let is_whole = rendered.warnings.is_empty();
    match header.look.cover {
        Some(true) => about(header, &rendered, &formats, workbook.worksheet_from_index(0)?)?,
        Some(false) if is_whole => {}
        // What is missing is said, wished or not.
        Some(false) | None => {
            let sheet = workbook.add_worksheet().set_name("Info")?;
            about(header, &rendered, &formats, sheet)?;
        }
    }
    workbook.save_to_writer(sink)?;
    Ok(rendered)
}

/// The rows, on as many sheets as they need.
fn sheets(
    header: &Header,
    formats: &Formats,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    (workbook, sheet_rows): (&mut Workbook, u32),
) -> Result<Rendered, Error> {
    let (mut rows, mut rendered) = (rows.peekable(), Rendered::default());
    let mut totals = Totals::of(header);
    let room = sheet_rows - u32::from(totals.are_wished());
    while rendered.parts == 0 || rows.peek().is_some() {
        rendered.parts += 1;
        let number = rendered.parts;
        let name = if number == 1 { "Data".to_owned() } else { format!("Data {number}") };
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?;
        let mut filling = Filling::begin(header, formats, sheet)?;
        while filling.next_row < room
            && let Some(row) = rows.next()
        {
            let row = row.map_err(Error::Rows)?;
            totals.add(&row);
            filling.row(&row)?;
        }
        rendered.rows += u64::from(filling.next_row - 1);
        let is_last = rows.peek().is_none() || header.look.limits == LimitPolicy::Truncate;
        if is_last && totals.are_wished() {
            filling.totals(&totals, number == 1)?;
        }
        rendered.cut_cells += filling.end()?;
        if rows.peek().is_none() {
            break;
        }
        match header.look.limits {
            LimitPolicy::Split => {}
            LimitPolicy::Fail => return Err(too_many_rows(sheet_rows)),
            LimitPolicy::Truncate => {
                rendered.rows_left_out = header.rows_total.saturating_sub(rendered.rows);
                rendered.warnings.push(ROWS_LEFT_OUT);
                break;
            }
        }
    }
    if rendered.cut_cells > 0 {
        rendered.warnings.push(CELLS_CUT);
    }
    Ok(rendered)
}

fn too_many_rows(sheet_rows: u32) -> Error {
    let remedy = "ask for CSV or for limit_policy split";
    Error::TooManyRows { format: "sheet", limit: u64::from(sheet_rows) - 1, remedy }
}

fn properties(header: &Header) -> Result<DocProperties, XlsxError> {
    let made = TimeZone::UTC.to_datetime(header.as_of);
    let (year, month, day) = (made.year(), made.month(), made.day());
    let (hour, minute, second) = (made.hour(), made.minute(), made.second());
    let small = |part: i8| u8::try_from(part).unwrap_or_default();
    let date = ExcelDateTime::from_ymd(year.unsigned_abs(), small(month), small(day))?;
    let made = date.and_hms(u16::from(small(hour)), small(minute), f64::from(second))?;
    Ok(DocProperties::new()
        .set_title(&header.title)
        .set_company(&header.organization)
        .set_author(&header.requested_by)
        .set_creation_datetime(&made))
}

struct Formats {
    head: Format,
    moment: Format,
    date: Format,
}

impl Formats {
    fn new() -> Self {
        Self {
            head: Format::new().set_bold(),
            moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            date: Format::new().set_num_format("yyyy-mm-dd"),
        }
    }
}

/// One sheet while it is being filled.
struct Filling<'a> {
    header: &'a Header,
    formats: &'a Formats,
    sheet: &'a mut Worksheet,
    next_row: u32,
    /// The last row with data.
    data_end: u32,
    widths: Vec<usize>,
    cut_cells: u64,
}

impl<'a> Filling<'a> {
    fn begin(
        header: &'a Header,
        formats: &'a Formats,
        sheet: &'a mut Worksheet,
    ) -> Result<Self, Error> {
        sheet.set_freeze_panes(1, 0)?;
        sheet.set_repeat_rows(0, 0)?;
        let mut widths = Vec::with_capacity(header.columns.len());
        for (at, column) in (0..).zip(&header.columns) {
            sheet.write_string_with_format(0, at, &column.label, &formats.head)?;
            widths.push(least_width(column));
        }
        Ok(Self { header, formats, sheet, next_row: 1, data_end: 0, widths, cut_cells: 0 })
    }

    fn row(&mut self, row: &Row) -> Result<(), Error> {
        for (at, cell) in (0..).zip(row) {
            self.cell(at, cell)?;
        }
        self.data_end = self.next_row;
        self.next_row += 1;
        Ok(())
    }

    fn cell(&mut self, at: u16, cell: &Cell) -> Result<(), Error> {
        let is_raw = self.header.look.style == Style::Raw;
        let written = match cell {
            Cell::Text(text) | Cell::Json(text) => return self.text(at, text),
            Cell::List(items) => return self.text(at, &items.join(", ")),
            Cell::Number(digits) => return self.number(at, digits),
            Cell::Integer(value) if value.unsigned_abs() < SAFE_INTEGER => {
                #[expect(clippy::cast_precision_loss, reason = "it has at most 15 digits")]
                let value = *value as f64;
                self.sheet.write_number(self.next_row, at, value)
            }
            Cell::Integer(value) => return self.text(at, &value.to_string()),
            Cell::Bool(value) => self.sheet.write_boolean(self.next_row, at, *value),
            Cell::Timestamp(moment) if is_raw => return self.text(at, &moment.to_string()),
            Cell::Timestamp(moment) => return self.moment(at, self.header.local(*moment)),
            Cell::Date(date) if spreadsheet_year(*date) => {
                self.sheet.write_datetime_with_format(self.next_row, at, *date, &self.formats.date)
            }
            Cell::Date(date) => return self.text(at, &date.to_string()),
            Cell::Empty => return Ok(()),
        };
        written?;
        Ok(())
    }

    fn text(&mut self, at: u16, text: &str) -> Result<(), Error> {
        if self.next_row <= WIDTH_SAMPLE_ROWS
            && let Some(width) = self.widths.get_mut(usize::from(at))
        {
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            *width = longest.saturating_add(1).clamp(*width, WIDTH_MOST.max(*width));
        }
        match cut(text) {
            Some(_) if self.header.look.limits == LimitPolicy::Fail => {
                return Err(Error::CellTooLong { limit: CELL_UNITS });
            }
            Some(short) => {
                self.cut_cells += 1;
                self.sheet.write_string(self.next_row, at, short)?
            }
            None => self.sheet.write_string(self.next_row, at, text)?,
        };
        Ok(())
    }

    fn number(&mut self, at: u16, digits: &str) -> Result<(), Error> {
        if is_decimal(digits)
            && fits_a_spreadsheet_number(digits)
            && let Ok(value) = digits.parse::<f64>()
        {
            self.sheet.write_number(self.next_row, at, value)?;
            return Ok(());
        }
        self.text(at, digits)
    }

    fn moment(&mut self, at: u16, local: civil::DateTime) -> Result<(), Error> {
        if !spreadsheet_year(local.date()) {
            return self.text(at, &local.to_string());
        }
        self.sheet.write_datetime_with_format(self.next_row, at, local, &self.formats.moment)?;
        Ok(())
    }

    /// The sums below the rows: formulas that follow the sheet's filter where all rows are on this sheet, plain numbers where they are not.
    fn totals(&mut self, totals: &Totals, is_only: bool) -> Result<(), Error> {
        let (row, last_row) = (self.next_row, self.data_end + 1);
        for (at, sum) in totals.all() {
            let column = u16::try_from(at).unwrap_or(u16::MAX);
            let head = &self.formats.head;
            if !fits_a_spreadsheet_number(&sum) || !is_decimal(&sum) {
                self.sheet.write_string_with_format(row, column, &sum, head)?;
            } else if is_only && self.data_end > 0 {
                let formula = Subtotal { column, last_row }.formula(&sum);
                self.sheet.write_formula_with_format(row, column, formula, head)?;
            } else {
                let value: f64 = sum.parse().unwrap_or_default();
                self.sheet.write_number_with_format(row, column, value, head)?;
            }
        }
        if let Some(at) = totals.label_at(self.header.columns.len()) {
            let column = u16::try_from(at).unwrap_or(u16::MAX);
            self.sheet.write_string_with_format(row, column, LABEL, &self.formats.head)?;
        }
        self.next_row += 1;
        Ok(())
    }

    /// Widths and filter; how many cells were cut.
    fn end(self) -> Result<u64, Error> {
        for (at, width) in (0..).zip(&self.widths) {
            self.sheet.set_column_width(at, u32::try_from(*width).unwrap_or(u32::MAX))?;
        }
        if let Some(last) = u16::try_from(self.widths.len()).ok().and_then(|n| n.checked_sub(1)) {
            self.sheet.autofilter(0, 0, self.data_end, last)?;
        }
        Ok(self.cut_cells)
    }
}

/// Room for the label with its filter arrow, and for the values of a kind that all have one length.
fn least_width(column: &Column) -> usize {
    let values = match column.kind {
        Kind::Timestamp => 20,
        Kind::Date | Kind::Number | Kind::Integer => 12,
        Kind::Text | Kind::Bool | Kind::List | Kind::Json => WIDTH_LEAST,
    };
    (column.label.chars().count() + 4).clamp(values, WIDTH_MOST)
}

/// Whether a spreadsheet's calendar has the date.
fn spreadsheet_year(date: civil::Date) -> bool {
    (1901..=9999).contains(&date.year())
}

/// A text shortened to what a cell holds, with a mark, or nothing when it fits.
fn cut(text: &str) -> Option<String> {
    if text.len() <= CELL_UNITS || text.encode_utf16().count() <= CELL_UNITS {
        return None;
    }
    let mut units = CUT_MARK.len();
    let fits = text.chars().take_while(|c| {
        units += c.len_utf16();
        units <= CELL_UNITS
    });
    Some(fits.chain(CUT_MARK.chars()).collect())
}

/// The sheet that says what the file is.
fn about(
    header: &Header,
    rendered: &Rendered,
    formats: &Formats,
    sheet: &mut Worksheet,
) -> Result<(), XlsxError> {
    sheet.set_column_width(0, 16)?;
    sheet.set_column_width(1, u32::try_from(WIDTH_MOST).unwrap_or_default())?;
    let mut facts = header.facts();
    facts.push(("Rows", rendered.rows.to_string()));
    if rendered.cut_cells > 0 {
        let note = format!(
            "{} texts are longer than a cell holds and end in{CUT_MARK}; the CSV has them whole",
            rendered.cut_cells
        );
        facts.push(("Cut cells", note));
    }
    if rendered.rows_left_out > 0 {
        let note =
            format!("{} rows had no room on the sheet; CSV has them", rendered.rows_left_out);
        facts.push(("Left out", note));
    }
    for (row, (name, value)) in (0..).zip(facts) {
        sheet.write_string_with_format(row, 0, name, &formats.head)?;
        sheet.write_string(row, 1, cut(&value).unwrap_or(value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
