//! PDF (ISO 32000): a table on pages of the organisation's paper with a repeated head, wrapped cells, page numbers and embedded fonts.

mod measure;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;

use events::exports::Orientation;
use events::exports::export::{LimitPolicy, Style};
use printpdf::{
    Color, FontId, Greyscale, Line, LinePoint, Mm, Op, PdfDocument, PdfFont, PdfFontHandle,
    PdfPage, PdfSaveOptions, Point, Pt, TextItem, TextMatrix,
};
use sha2::{Digest, Sha256};

use self::measure::{Face, SIZE, count, natural_widths, shared_widths, wrap};
use super::total::{LABEL, Totals};
use super::{
    CHARACTERS_MISSING, Cell, Error, Header, Kind, LARGE_FOR_PDF, ROWS_LEFT_OUT, Rendered, Row,
};

/// More than this is nothing to print; the request is told to use another format.
pub const ROWS: u64 = 20_000;
/// From here on a table is too long to be read on pages, which is said with the file.
const LARGE_ROWS: usize = 5_000;
const COLUMNS: usize = 32;

const REGULAR: &[u8] = include_bytes!("../../../../assets/DejaVuSans-subset.ttf");
const BOLD: &[u8] = include_bytes!("../../../../assets/DejaVuSans-Bold-subset.ttf");
const REPLACEMENT: char = '\u{fffd}';

const POINTS_PER_MM: f32 = 72.0 / 25.4;
const MARGIN: f32 = 34.0;
const TITLE_SIZE: f32 = 14.0;
const LEADING: f32 = 9.6;
const GAP: f32 = 6.0;
const ROW_SPACE: f32 = 4.0;
const FOOTER: f32 = 18.0;

/// Writes a document. It is laid out whole before the first byte is written, because every page tells how many there are.
pub fn render<W: Write>(
    header: &Header,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    mut sink: W,
) -> Result<Rendered, Error> {
    if header.columns.len() > COLUMNS {
        return Err(Error::TooManyColumns { format: "PDF", limit: COLUMNS });
    }
    let faces = Faces { regular: Face::parse(REGULAR)?, bold: Face::parse(BOLD)? };
    let mut table = Table::read(header, rows)?;
    if let Some(totals) = table.totals.take() {
        table.texts.push(totals);
    }
    let mut layout = Layout::begin(header, &faces, &table.texts);
    layout.above();
    layout.facts();
    layout.head();
    let (last, others) = match table.texts.split_last() {
        Some((last, others)) if !header.look.totals.is_empty() => (Some(last), others),
        Some(_) | None => (None, &table.texts[..]),
    };
    for row in others {
        layout.row(Weight::Regular, row);
    }
    if let Some(totals) = last {
        layout.row(Weight::Bold, totals);
    }
    let (rows, left_out) = (others.len(), table.rows_left_out);
    layout.note_left_out(left_out);
    let cut_cells = layout.note_missing();
    let document = layout.end();
    save(header, &document, &table.identity.finalize()[..16], &mut sink)?;
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

/// Serialises with our own document id and language; the library would make up a random id.
fn save<W: Write>(
    header: &Header,
    document: &PdfDocument,
    identity: &[u8],
    sink: &mut W,
) -> Result<(), Error> {
    let options = PdfSaveOptions { subset_fonts: false, ..PdfSaveOptions::default() };
    let mut file = printpdf::to_lopdf_doc(document, &options, &mut Vec::new());
    let id = lopdf::Object::string_literal(hex::encode(identity));
    file.trailer.set("ID", lopdf::Object::Array(vec![id.clone(), id]));
    if let Ok(catalog) = file.catalog_mut() {
        catalog.set("Lang", lopdf::Object::string_literal(header.locale.as_str()));
    }
    file.compress();
    file.save_to(sink)?;
    Ok(())
}

struct Faces {
    regular: Face,
    bold: Face,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Regular,
    Bold,
}

impl Weight {
    fn id(self) -> FontId {
        FontId(match self {
            Self::Regular => "Regular".into(),
            Self::Bold => "Bold".into(),
        })
    }
}

/// Where a column stands.
struct Place {
    left: f32,
    width: f32,
    right_aligned: bool,
}

/// What stands on a page.
#[derive(Default)]
struct Page {
    texts: Vec<Op>,
    rules: Vec<f32>,
    font: Option<(Weight, f32)>,
}

struct Layout<'a> {
    header: &'a Header,
    faces: &'a Faces,
    places: Vec<Place>,
    width: f32,
    height: f32,
    pages: Vec<Page>,
    page: Page,
    y: f32,
    missing: BTreeMap<char, u64>,
}

impl<'a> Layout<'a> {
    fn begin(header: &'a Header, faces: &'a Faces, texts: &[Vec<String>]) -> Self {
        let natural = natural_widths(header, faces, texts);
        let gaps = GAP * count(natural.len().saturating_sub(1));
        let needed = natural.iter().sum::<f32>() + gaps;
        let (short, long) = header.paper.sides_mm();
        let portrait = short * POINTS_PER_MM - 2.0 * MARGIN;
        let upright = match header.layout.orientation {
            Some(Orientation::Portrait) => true,
            Some(Orientation::Landscape) => false,
            None => needed <= portrait,
        };
        let (width_mm, height_mm) = if upright { (short, long) } else { (long, short) };
        let (width, height) = (width_mm * POINTS_PER_MM, height_mm * POINTS_PER_MM);
        let mut left = MARGIN;
        let widths = shared_widths(&natural, width - 2.0 * MARGIN - gaps);
        let places = header.columns.iter().zip(widths).map(|(column, width)| {
            let right_aligned = matches!(column.kind, Kind::Number | Kind::Integer);
            let place = Place { left, width, right_aligned };
            left += width + GAP;
            place
        });
        Self {
            header,
            faces,
            places: places.collect(),
            width,
            height,
            pages: Vec::new(),
            page: Page::default(),
            y: height - MARGIN,
            missing: BTreeMap::new(),
        }
    }

    fn face(&self, weight: Weight) -> &'a Face {
        match weight {
            Weight::Regular => &self.faces.regular,
            Weight::Bold => &self.faces.bold,
        }
    }

    /// Draws one line of text with its baseline at the present height.
    fn draw(&mut self, weight: Weight, size: f32, x: f32, text: &str) {
        if text.is_empty() {
            return;
        }
        let face = self.face(weight);
        let mut shown = String::with_capacity(text.len());
        for character in text.chars() {
            if face.advance(character).is_some() {
                shown.push(character);
            } else if !character.is_control() {
                *self.missing.entry(character).or_default() += 1;
                shown.push(REPLACEMENT);
            }
        }
        if self.page.font != Some((weight, size)) {
            let font = PdfFontHandle::External(weight.id());
            self.page.texts.push(Op::SetFont { font, size: Pt(size) });
            self.page.font = Some((weight, size));
        }
        let matrix = TextMatrix::Translate(Pt(x), Pt(self.y));
        self.page.texts.push(Op::SetTextMatrix { matrix });
        self.page.texts.push(Op::ShowText { items: vec![TextItem::Text(shown)] });
    }

    /// The text above every page, where one is wished.
    fn above(&mut self) {
        let Some(header) = self.header.layout.header.as_deref() else { return };
        for line in wrap(&self.faces.regular, header, self.width - 2.0 * MARGIN) {
            self.y -= LEADING;
            self.draw(Weight::Regular, SIZE, MARGIN, &line);
        }
        self.y -= LEADING;
    }

    /// The title and what the file says about itself, above the table on the first page.
    fn facts(&mut self) {
        self.y -= TITLE_SIZE;
        self.draw(Weight::Bold, TITLE_SIZE, MARGIN, &self.header.title);
        self.y -= LEADING;
        if self.header.look.cover == Some(false) {
            self.y -= LEADING;
            return;
        }
        let (label, room) = (70.0, self.width - 2.0 * MARGIN - 70.0);
        for (name, value) in self.header.facts() {
            for (index, line) in wrap(&self.faces.regular, &value, room).iter().enumerate() {
                self.y -= LEADING;
                if index == 0 {
                    self.draw(Weight::Bold, SIZE, MARGIN, name);
                }
                self.draw(Weight::Regular, SIZE, MARGIN + label, line);
            }
        }
        self.y -= 2.0 * LEADING;
    }

    fn head(&mut self) {
        let labels: Vec<_> =
            self.header.columns.iter().map(|column| column.label.clone()).collect();
        let lines = self.wrapped(Weight::Bold, &labels);
        let rows = lines.iter().map(Vec::len).max().unwrap_or(0);
        for index in 0..rows {
            self.y -= LEADING;
            self.line(Weight::Bold, &lines, index);
        }
        self.rule();
    }

    fn row(&mut self, weight: Weight, texts: &[String]) {
        let lines = self.wrapped(weight, texts);
        let rows = lines.iter().map(Vec::len).max().unwrap_or(0);
        let fits_a_page = count(rows) * LEADING < self.height / 2.0;
        if fits_a_page && !self.room(rows) {
            self.turn();
        }
        for index in 0..rows {
            if !self.room(1) {
                self.turn();
            }
            self.y -= LEADING;
            self.line(weight, &lines, index);
        }
        self.rule();
    }

    fn wrapped(&self, weight: Weight, texts: &[String]) -> Vec<Vec<String>> {
        let face = self.face(weight);
        self.places.iter().zip(texts).map(|(place, text)| wrap(face, text, place.width)).collect()
    }

    fn line(&mut self, weight: Weight, cells: &[Vec<String>], index: usize) {
        for (at, lines) in cells.iter().enumerate() {
            let (Some(line), Some(place)) = (lines.get(index), self.places.get(at)) else {
                continue;
            };
            let free = place.width - self.face(weight).width(line, SIZE);
            let x = if place.right_aligned { place.left + free.max(0.0) } else { place.left };
            self.draw(weight, SIZE, x, line);
        }
    }

    fn rule(&mut self) {
        self.y -= ROW_SPACE;
        self.page.rules.push(self.y);
        self.y -= 1.0;
    }

    fn room(&self, lines: usize) -> bool {
        self.y - count(lines) * LEADING - ROW_SPACE > MARGIN + FOOTER
    }

    fn turn(&mut self) {
        self.pages.push(std::mem::take(&mut self.page));
        self.y = self.height - MARGIN;
        self.above();
        self.head();
    }

    /// Says how many rows are missing, if any.
    fn note_left_out(&mut self, rows: u64) {
        if rows > 0 {
            self.note(&format!(
                "{rows} more rows had no room in this document; CSV and XLSX have them."
            ));
        }
    }

    /// Says how many characters the font lacks, if any; how many that are.
    fn note_missing(&mut self) -> u64 {
        let missing: u64 = self.missing.values().sum();
        if missing > 0 {
            self.note(&format!(
                "{missing} characters are not in the font of this document and shown as {REPLACEMENT}; \
                 CSV and XLSX have them."
            ));
        }
        missing
    }

    fn note(&mut self, text: &str) {
        if !self.room(2) {
            self.turn();
        }
        self.y -= 2.0 * LEADING;
        self.draw(Weight::Bold, SIZE, MARGIN, text);
    }

    fn end(mut self) -> PdfDocument {
        self.pages.push(std::mem::take(&mut self.page));
        let total = self.pages.len();
        let pages = std::mem::take(&mut self.pages);
        let mut document = PdfDocument::new(&self.header.title);
        let as_of = self.header.as_of.as_second();
        if let Ok(as_of) = printpdf::OffsetDateTime::from_unix_timestamp(as_of) {
            let info = &mut document.metadata.info;
            info.creation_date = as_of;
            info.modification_date = as_of;
            info.metadata_date = as_of;
        }
        document.metadata.info.author.clone_from(&self.header.organization);
        document.metadata.info.producer = "Annals".into();
        let fonts = [(Weight::Regular, &self.faces.regular), (Weight::Bold, &self.faces.bold)];
        for (weight, face) in fonts {
            document.resources.fonts.map.insert(weight.id(), PdfFont::new(face.font.clone()));
        }
        for (number, page) in (1..).zip(pages) {
            self.page = page;
            self.footer(number, total);
            let ops = self.ops();
            let (short, long) = self.header.paper.sides_mm();
            let (width, height) =
                if self.width < self.height { (short, long) } else { (long, short) };
            document.pages.push(PdfPage::new(Mm(width), Mm(height), ops));
        }
        document
    }

    fn footer(&mut self, number: usize, total: usize) {
        self.y = MARGIN;
        let left = self.header.layout.footer.clone().unwrap_or_else(|| {
            let as_of = self.header.local_text(self.header.as_of);
            format!("{} · {as_of} {}", self.header.title, self.header.zone_name())
        });
        let right = format!("Page {number} of {total}");
        let room = self.width - 2.0 * MARGIN - 100.0;
        let left = wrap(&self.faces.regular, &left, room).swap_remove(0);
        let x = self.width - MARGIN - self.faces.regular.width(&right, SIZE);
        self.draw(Weight::Regular, SIZE, MARGIN, &left);
        self.draw(Weight::Regular, SIZE, x, &right);
    }

    /// The operations of the present page: its lines, then its texts.
    fn ops(&mut self) -> Vec<Op> {
        let page = std::mem::take(&mut self.page);
        let grey = Color::Greyscale(Greyscale { percent: 0.7, icc_profile: None });
        let black = Color::Greyscale(Greyscale { percent: 0.0, icc_profile: None });
        let mut ops =
            vec![Op::SetOutlineColor { col: grey }, Op::SetOutlineThickness { pt: Pt(0.4) }];
        let right = self.width - MARGIN;
        ops.extend(page.rules.iter().map(|y| {
            let ends = [MARGIN, right].map(|x| Point { x: Pt(x), y: Pt(*y) });
            let points = ends.map(|p| LinePoint { p, bezier: false }).to_vec();
            Op::DrawLine { line: Line { points, is_closed: false } }
        }));
        ops.push(Op::SetFillColor { col: black });
        ops.push(Op::StartTextSection);
        ops.extend(page.texts);
        ops.push(Op::EndTextSection);
        ops
    }
}
