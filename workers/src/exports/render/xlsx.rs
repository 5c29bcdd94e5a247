//! XLSX (ECMA-376), written row by row: text is always a string cell, dates are dates, and memory does not grow with the rows.

use std::io::{Seek, Write};
use std::path::Path;

use jiff::civil;
use jiff::tz::TimeZone;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::{
    Cell, Column, Error, Header, Kind, Rendered, Row, fits_a_spreadsheet_number, is_decimal,
};

/// Rows of a sheet, the header among them.
const SHEET_ROWS: u32 = 1_048_576;
const COLUMNS: usize = 16_384;
/// Longest text of a cell in UTF-16 units.
const CELL_UNITS: usize = 32_767;
const CUT_MARK: &str = " [cut]";
const WIDTH_LEAST: usize = 8;
const WIDTH_MOST: usize = 60;
/// Column widths are taken from this many rows of a sheet.
const WIDTH_SAMPLE_ROWS: u32 = 1000;

/// Writes a workbook. Rows beyond a sheet's limit go on in a further sheet; the last sheet says what the file is.
/// `scratch` holds a temporary file of about the size of the uncompressed sheet, so it must be a real disk.
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
    let mut rows = rows.peekable();
    let (mut rendered, formats) = (Rendered::default(), Formats::new());
    let mut number = 0;
    while number == 0 || rows.peek().is_some() {
        number += 1;
        let name = if number == 1 { "Data".to_owned() } else { format!("Data {number}") };
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?;
        let mut filling = Filling::begin(header, &formats, sheet)?;
        while filling.next_row < sheet_rows
            && let Some(row) = rows.next()
        {
            filling.row(&row.map_err(Error::Rows)?)?;
        }
        let done = filling.end()?;
        rendered.rows += done.rows;
        rendered.cut_cells += done.cut_cells;
    }
    about(header, rendered, &formats, workbook.add_worksheet())?;
    workbook.save_to_writer(sink)?;
    Ok(rendered)
}

fn properties(header: &Header) -> Result<DocProperties, XlsxError> {
    let made = TimeZone::UTC.to_datetime(header.generated_at);
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
        Ok(Self { header, formats, sheet, next_row: 1, widths, cut_cells: 0 })
    }

    fn row(&mut self, row: &Row) -> Result<(), Error> {
        for (at, cell) in (0..).zip(row) {
            self.cell(at, cell)?;
        }
        self.next_row += 1;
        Ok(())
    }

    fn cell(&mut self, at: u16, cell: &Cell) -> Result<(), XlsxError> {
        match cell {
            Cell::Text(text) => self.text(at, text),
            Cell::Number(digits) => self.number(at, digits),
            Cell::Integer(value) => self.number(at, &value.to_string()),
            Cell::Bool(value) => self.sheet.write_boolean(self.next_row, at, *value).map(|_| ()),
            Cell::Timestamp(moment) => self.moment(at, self.header.local(*moment)),
            Cell::Date(date) if spreadsheet_year(*date) => self
                .sheet
                .write_datetime_with_format(self.next_row, at, *date, &self.formats.date)
                .map(|_| ()),
            Cell::Date(date) => self.text(at, &date.to_string()),
            Cell::Empty => Ok(()),
        }
    }

    fn text(&mut self, at: u16, text: &str) -> Result<(), XlsxError> {
        if self.next_row <= WIDTH_SAMPLE_ROWS
            && let Some(width) = self.widths.get_mut(usize::from(at))
        {
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            *width = longest.saturating_add(1).clamp(*width, WIDTH_MOST.max(*width));
        }
        match cut(text) {
            Some(short) => {
                self.cut_cells += 1;
                self.sheet.write_string(self.next_row, at, short)
            }
            None => self.sheet.write_string(self.next_row, at, text),
        }
        .map(|_| ())
    }

    fn number(&mut self, at: u16, digits: &str) -> Result<(), XlsxError> {
        if is_decimal(digits)
            && fits_a_spreadsheet_number(digits)
            && let Ok(value) = digits.parse::<f64>()
        {
            return self.sheet.write_number(self.next_row, at, value).map(|_| ());
        }
        self.text(at, digits)
    }

    fn moment(&mut self, at: u16, local: civil::DateTime) -> Result<(), XlsxError> {
        if !spreadsheet_year(local.date()) {
            return self.text(at, &local.to_string());
        }
        self.sheet
            .write_datetime_with_format(self.next_row, at, local, &self.formats.moment)
            .map(|_| ())
    }

    fn end(self) -> Result<Rendered, Error> {
        for (at, width) in (0..).zip(&self.widths) {
            self.sheet.set_column_width(at, u32::try_from(*width).unwrap_or(u32::MAX))?;
        }
        if let Some(last) = u16::try_from(self.widths.len()).ok().and_then(|n| n.checked_sub(1)) {
            self.sheet.autofilter(0, 0, self.next_row - 1, last)?;
        }
        Ok(Rendered { rows: u64::from(self.next_row - 1), cut_cells: self.cut_cells })
    }
}

/// Room for the label with its filter arrow, and for the values of a kind that all have one length.
fn least_width(column: &Column) -> usize {
    let values = match column.kind {
        Kind::Timestamp => 20,
        Kind::Date | Kind::Number | Kind::Integer => 12,
        Kind::Text | Kind::Bool => WIDTH_LEAST,
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
    rendered: Rendered,
    formats: &Formats,
    sheet: &mut Worksheet,
) -> Result<(), XlsxError> {
    sheet.set_name("Info")?;
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
    for (row, (name, value)) in (0..).zip(facts) {
        sheet.write_string_with_format(row, 0, name, &formats.head)?;
        sheet.write_string(row, 1, cut(&value).unwrap_or(value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TRICKY, header};
    use super::*;
    use calamine::{Data, Reader, Xlsx};
    use events::testing::at;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn written(header: &Header, rows: Vec<Row>, sheet_rows: u32) -> (Rendered, Vec<u8>) {
        let scratch = tempfile::tempdir().unwrap();
        let mut bytes = Cursor::new(Vec::new());
        let rows = rows.into_iter().map(Ok);
        let rendered = render_split(header, rows, scratch.path(), &mut bytes, sheet_rows).unwrap();
        (rendered, bytes.into_inner())
    }

    fn sheet(bytes: &[u8], name: &str) -> Vec<Vec<Data>> {
        let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).unwrap();
        let formulas = workbook.worksheet_formula(name).unwrap();
        assert!(formulas.rows().flatten().all(String::is_empty), "there is a formula in {name}");
        workbook.worksheet_range(name).unwrap().rows().map(<[Data]>::to_vec).collect()
    }

    #[test]
    fn every_text_comes_back_as_text() {
        let rows = TRICKY.iter().map(|text| vec![Cell::Text((*text).into()), Cell::Integer(1)]);
        let (_, bytes) = written(&header(&[Kind::Text, Kind::Integer]), rows.collect(), SHEET_ROWS);
        let read = sheet(&bytes, "Data");
        for (text, row) in TRICKY.iter().zip(&read[1..]) {
            let expected =
                if text.is_empty() { Data::Empty } else { Data::String((*text).to_owned()) };
            assert_eq!(row[0], expected);
        }
    }

    #[test]
    fn numbers_are_numbers_and_dates_are_dates() {
        let header =
            header(&[Kind::Number, Kind::Integer, Kind::Timestamp, Kind::Date, Kind::Bool]);
        let row = vec![
            Cell::Number("-0.02".into()),
            Cell::Integer(42),
            Cell::Timestamp(at("2026-06-30T22:30:00.9Z")),
            Cell::Date("2026-02-28".parse().unwrap()),
            Cell::Bool(true),
        ];
        let (_, bytes) = written(&header, vec![row], SHEET_ROWS);
        let read = sheet(&bytes, "Data").remove(1);
        assert_eq!(read[0], Data::Float(-0.02));
        assert_eq!(read[1], Data::Float(42.0));
        let Data::DateTime(moment) = &read[2] else { panic!("{:?} is no date", read[2]) };
        assert_eq!(moment.to_ymd_hms_milli(), (2026, 7, 1, 0, 30, 0, 0));
        let Data::DateTime(date) = &read[3] else { panic!("{:?} is no date", read[3]) };
        assert_eq!(date.to_ymd_hms_milli(), (2026, 2, 28, 0, 0, 0, 0));
        assert_eq!(read[4], Data::Bool(true));
    }

    #[test]
    fn what_a_number_would_lose_is_text() {
        let row = ["1234567890123456789", "0041", "=1+1"].map(|text| Cell::Number(text.into()));
        let (_, bytes) = written(&header(&[Kind::Number; 3]), vec![row.to_vec()], SHEET_ROWS);
        let read = sheet(&bytes, "Data").remove(1);
        assert_eq!(read, ["1234567890123456789", "0041", "=1+1"].map(|t| Data::String(t.into())));
    }

    #[test]
    fn rows_beyond_a_sheet_go_on_in_the_next() {
        let rows = (0..25).map(|n| vec![Cell::Integer(n)]).collect();
        let (rendered, bytes) = written(&header(&[Kind::Integer]), rows, 11);
        assert_eq!(rendered, Rendered { rows: 25, cut_cells: 0 });
        let counts = ["Data", "Data 2", "Data 3"].map(|name| sheet(&bytes, name).len());
        assert_eq!(counts, [11, 11, 6]);
        assert_eq!(sheet(&bytes, "Data 3")[0], [Data::String("Column a".into())]);
        assert_eq!(sheet(&bytes, "Data 3")[1], [Data::Float(20.0)]);
    }

    #[test]
    fn the_last_sheet_says_what_the_file_is() {
        let (_, bytes) = written(&header(&[Kind::Text]), Vec::new(), SHEET_ROWS);
        let info = sheet(&bytes, "Info");
        let value = |name: &str| {
            let row = info.iter().find(|row| row[0] == Data::String(name.into()));
            row.map(|row| row[1].to_string()).unwrap()
        };
        assert_eq!(value("Organisation"), "Käserei Zürich");
        assert_eq!(value("Made at"), "2026-07-01 00:30:00");
        assert_eq!(value("Time zone"), "Europe/Zurich");
        assert_eq!(value("Log position"), "48213");
        assert_eq!(value("Filter"), "status = open");
        assert_eq!(value("Rows"), "0");
    }

    #[test]
    fn a_text_longer_than_a_cell_is_cut_visibly() {
        let row = vec![Cell::Text("😀".repeat(20_000))];
        let (rendered, bytes) = written(&header(&[Kind::Text]), vec![row], SHEET_ROWS);
        assert_eq!(rendered.cut_cells, 1);
        let Data::String(text) = &sheet(&bytes, "Data")[1][0] else { panic!("no text") };
        assert!(text.ends_with("😀 [cut]") && text.encode_utf16().count() <= CELL_UNITS);
        assert!(sheet(&bytes, "Info").iter().any(|row| row[0] == Data::String("Cut cells".into())));
    }

    #[test]
    fn the_same_rows_are_the_same_bytes() {
        let rows = || TRICKY.iter().map(|text| vec![Cell::Text((*text).into())]).collect();
        let header = header(&[Kind::Text]);
        assert!(written(&header, rows(), SHEET_ROWS) == written(&header, rows(), SHEET_ROWS));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_becomes_a_formula(texts in proptest::collection::vec("[=+@-]{0,2}\\PC{0,12}", 1..6)) {
            let kinds = vec![Kind::Text; texts.len() + 1];
            let row = texts.iter().cloned().map(Cell::Text).chain([Cell::Integer(1)]).collect();
            let (_, bytes) = written(&header(&kinds), vec![row], SHEET_ROWS);
            let read = sheet(&bytes, "Data");
            for (text, cell) in texts.iter().zip(&read[1]) {
                let found = if matches!(cell, Data::Empty) { String::new() } else { cell.to_string() };
                prop_assert_eq!(&found, text);
            }
        }
    }
}
