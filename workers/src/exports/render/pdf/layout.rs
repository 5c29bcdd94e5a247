//! The pages: what stands where on each, and which element of the document's structure it is a part of.

use std::collections::BTreeMap;
use std::io::{self, Write};

use events::exports::Orientation;

use super::PRODUCER;
use super::archival;
use super::file::{Object, Writer, text_string};
use super::fonts::{Face, Faces, Used, Weight, embed};
use super::logo::Logo;
use super::measure::{SIZE, count, natural_widths, shared_widths, wrap};
use super::page::{PICTURE, Page, Picture};
use super::tags::{Mark, Tag, Tags};
use crate::exports::render::{Header, Kind};

const REPLACEMENT: char = '\u{fffd}';
const POINTS_PER_MM: f32 = 72.0 / 25.4;
pub(super) const MARGIN: f32 = 34.0;
const TITLE_SIZE: f32 = 14.0;
const LEADING: f32 = 9.6;
const GAP: f32 = 6.0;
const ROW_SPACE: f32 = 4.0;
const FOOTER: f32 = 18.0;

/// Where a column stands.
struct Place {
    left: f32,
    width: f32,
    right_aligned: bool,
}

pub(super) struct Layout<'a, W> {
    header: &'a Header,
    faces: &'static Faces,
    logo: Option<&'a Logo>,
    places: Vec<Place>,
    width: f32,
    height: f32,
    file: Writer<W>,
    tags: Tags,
    /// What holds the pages, and what all of them use.
    tree: Object,
    resources: Object,
    /// The pages that are written but for their footers, which say how many there are.
    pages: Vec<(Object, Object)>,
    page: Page,
    y: f32,
    used: [Used; 2],
    missing: BTreeMap<char, u64>,
}

impl<'a, W: Write> Layout<'a, W> {
    pub(super) fn begin(
        header: &'a Header,
        logo: Option<&'a Logo>,
        (faces, texts): (&'static Faces, &[Vec<String>]),
        sink: W,
    ) -> io::Result<Self> {
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
        let places = places.collect();
        let mut file = Writer::begin(sink)?;
        let tags = Tags::begin(&mut file);
        let [tree, resources, first] = [(); 3].map(|()| file.reserve());
        let page = Page::new(first);
        let (y, used) = (height - MARGIN, [Used::nothing(), Used::nothing()]);
        let (pages, missing) = Default::default();
        Ok(Self {
            header,
            faces,
            logo,
            places,
            width,
            height,
            file,
            tags,
            tree,
            resources,
            pages,
            page,
            y,
            used,
            missing,
        })
    }

    fn face(&self, weight: Weight) -> &'static Face {
        self.faces.of(weight)
    }

    /// Draws one line of text with its baseline at the present height.
    fn draw(&mut self, weight: Weight, size: f32, x: f32, text: &str) {
        if text.is_empty() {
            return;
        }
        self.page.place(weight, size, (x, self.y));
        let (face, used) = (self.faces.of(weight), &mut self.used[weight as usize]);
        for character in text.chars() {
            let (shown, glyph) = match face.glyph(character) {
                Some(glyph) => (character, Some(glyph)),
                None if character.is_control() => continue,
                None => {
                    *self.missing.entry(character).or_default() += 1;
                    (REPLACEMENT, face.glyph(REPLACEMENT))
                }
            };
            used.note(shown);
            self.page.show(glyph.map_or(0, |glyph| glyph.id));
        }
        self.page.end_text();
    }

    /// A line that is an element of its own, beside the table.
    fn alone(&mut self, tag: Tag, draw: impl FnOnce(&mut Self)) -> io::Result<()> {
        let element = self.file.reserve();
        let mark = self.page.begin_piece(tag, element);
        draw(self);
        self.page.end_piece();
        self.tags.beside(&mut self.file, (element, tag), (mark, ""))
    }

    /// The picture at the top of the first page, where there is one.
    pub(super) fn picture(&mut self) -> io::Result<()> {
        let Some(logo) = self.logo else { return Ok(()) };
        let (width, height) = logo.size();
        self.y -= height;
        let element = self.file.reserve();
        let mark = self.page.piece(element);
        self.page.picture = Some((MARGIN, self.y, mark.number));
        let alternative = text_string(&self.header.organization);
        let (left, low, right, high) = (MARGIN, self.y, MARGIN + width, self.y + height);
        let more = format!(
            "/Alt{alternative}/A<</O/Layout/Placement/Block/BBox[{left:.2} {low:.2} {right:.2} {high:.2}]>>"
        );
        self.y -= LEADING;
        self.tags.beside(&mut self.file, (element, Tag::Figure), (mark, &more))
    }

    /// The text above every page, where one is wished.
    pub(super) fn above(&mut self) {
        let Some(header) = self.header.layout.header.as_deref() else { return };
        self.page.begin_artifact("Header");
        for line in wrap(self.face(Weight::Regular), header, self.width - 2.0 * MARGIN) {
            self.y -= LEADING;
            self.draw(Weight::Regular, SIZE, MARGIN, &line);
        }
        self.page.end_piece();
        self.y -= LEADING;
    }

    /// The title and what the file says about itself, above the table on the first page.
    pub(super) fn facts(&mut self) -> io::Result<()> {
        let header = self.header;
        self.y -= TITLE_SIZE;
        self.alone(Tag::Heading, |page| {
            page.draw(Weight::Bold, TITLE_SIZE, MARGIN, &header.title);
        })?;
        self.y -= LEADING;
        if header.look.cover == Some(false) {
            self.y -= LEADING;
            return Ok(());
        }
        let (label, room) = (70.0, self.width - 2.0 * MARGIN - 70.0);
        for (name, value) in header.facts() {
            let lines = wrap(self.face(Weight::Regular), &value, room);
            self.alone(Tag::Paragraph, |page| {
                for (index, line) in lines.iter().enumerate() {
                    page.y -= LEADING;
                    if index == 0 {
                        page.draw(Weight::Bold, SIZE, MARGIN, name);
                    }
                    page.draw(Weight::Regular, SIZE, MARGIN + label, line);
                }
            })?;
        }
        self.y -= 2.0 * LEADING;
        Ok(())
    }

    /// The labels of the columns: header cells where the table begins, and an ornament on the pages that it goes on over.
    pub(super) fn head(&mut self) -> io::Result<()> {
        let labels: Vec<_> =
            self.header.columns.iter().map(|column| column.label.clone()).collect();
        let lines = self.wrapped(Weight::Bold, &labels);
        let rows = lines.iter().map(Vec::len).max().unwrap_or(0);
        if self.pages.is_empty() {
            let mut cells = self.cells();
            self.part(Weight::Bold, Tag::HeaderCell, (&lines, 0..rows), &mut cells);
            self.tags.row(&mut self.file, Tag::HeaderCell, &cells)?;
        } else {
            self.page.begin_artifact("Header");
            for (at, lines) in lines.iter().enumerate() {
                self.column(Weight::Bold, at, lines);
            }
            self.page.end_piece();
            self.y -= count(rows) * LEADING;
        }
        self.rule();
        Ok(())
    }

    pub(super) fn row(&mut self, weight: Weight, texts: &[String]) -> io::Result<()> {
        let lines = self.wrapped(weight, texts);
        let rows = lines.iter().map(Vec::len).max().unwrap_or(0);
        let fits_a_page = count(rows) * LEADING < self.height / 2.0;
        if fits_a_page && !self.room(rows) {
            self.turn()?;
        }
        let mut cells = self.cells();
        let mut begin = 0;
        while begin < rows {
            if !self.room(1) {
                self.turn()?;
            }
            let mut end = begin + 1;
            while end < rows && self.room(end + 1 - begin) {
                end += 1;
            }
            self.part(weight, Tag::Cell, (&lines, begin..end), &mut cells);
            begin = end;
        }
        self.rule();
        self.tags.row(&mut self.file, Tag::Cell, &cells)
    }

    /// The cells of a row, of which nothing is drawn yet.
    fn cells(&mut self) -> Vec<(Object, Vec<Mark>)> {
        self.places.iter().map(|_| (self.file.reserve(), Vec::new())).collect()
    }

    /// Draws those lines of the cells of a row below one another.
    fn part(
        &mut self,
        weight: Weight,
        tag: Tag,
        (lines, part): (&[Vec<String>], std::ops::Range<usize>),
        cells: &mut [(Object, Vec<Mark>)],
    ) {
        for (at, (lines, (cell, marks))) in lines.iter().zip(cells).enumerate() {
            let end = part.end.min(lines.len());
            let Some(own) = lines.get(part.start..end) else { continue };
            if own.iter().all(String::is_empty) {
                continue;
            }
            marks.push(self.page.begin_piece(tag, *cell));
            self.column(weight, at, own);
            self.page.end_piece();
        }
        self.y -= count(part.len()) * LEADING;
    }

    /// Draws lines below one another in a column, and comes back to the height that it began at.
    fn column(&mut self, weight: Weight, at: usize, lines: &[String]) {
        let Some(&Place { left, width, right_aligned }) = self.places.get(at) else { return };
        let top = self.y;
        for line in lines {
            self.y -= LEADING;
            let free = if right_aligned {
                (width - self.face(weight).width(line, SIZE)).max(0.0)
            } else {
                0.0
            };
            self.draw(weight, SIZE, left + free, line);
        }
        self.y = top;
    }

    fn wrapped(&self, weight: Weight, texts: &[String]) -> Vec<Vec<String>> {
        let face = self.face(weight);
        self.places.iter().zip(texts).map(|(place, text)| wrap(face, text, place.width)).collect()
    }

    fn rule(&mut self) {
        self.y -= ROW_SPACE;
        self.page.rules.push(self.y);
        self.y -= 1.0;
    }

    fn room(&self, lines: usize) -> bool {
        self.y - count(lines) * LEADING - ROW_SPACE > MARGIN + FOOTER
    }

    fn turn(&mut self) -> io::Result<()> {
        self.end_page()?;
        self.y = self.height - MARGIN;
        self.above();
        self.head()
    }

    /// Says how many rows are missing, if any.
    pub(super) fn note_left_out(&mut self, rows: u64) -> io::Result<()> {
        if rows == 0 {
            return Ok(());
        }
        self.note(&format!(
            "{rows} more rows had no room in this document; CSV and XLSX have them."
        ))
    }

    /// Says how many characters the font lacks, if any; how many that are.
    pub(super) fn note_missing(&mut self) -> io::Result<u64> {
        let missing: u64 = self.missing.values().sum();
        if missing > 0 {
            self.note(&format!(
                "{missing} characters are not in the font of this document and shown as {REPLACEMENT}; \
                 CSV and XLSX have them."
            ))?;
        }
        Ok(missing)
    }

    fn note(&mut self, text: &str) -> io::Result<()> {
        if !self.room(2) {
            self.turn()?;
        }
        self.y -= 2.0 * LEADING;
        self.alone(Tag::Paragraph, |page| page.draw(Weight::Bold, SIZE, MARGIN, text))
    }

    /// Writes the present page, but for its footer.
    fn end_page(&mut self) -> io::Result<()> {
        let next = Page::new(self.file.reserve());
        let mut page = std::mem::replace(&mut self.page, next);
        let picture = page.picture.zip(self.logo);
        let shown = picture.map(|((x, y, number), logo)| Picture {
            place: (x, y),
            size: logo.size(),
            number,
        });
        let content = page.content(self.width, shown)?;
        let [body, footer] = [(); 2].map(|()| self.file.reserve());
        self.file.stream(body, "", &content)?;
        let number = self.tags.pages();
        self.tags.page(&mut self.file, &page.elements)?;
        self.pages.push((page.object, footer));
        let (tree, resources, width, height) = (self.tree, self.resources, self.width, self.height);
        self.file.object(page.object, |out| {
            write!(out, "<</Type/Page/Parent {tree}/MediaBox[0 0 {width:.2} {height:.2}]")?;
            write!(out, "/Resources {resources}/Contents[{body} {footer}]/StructParents {number}>>")
        })
    }

    /// Writes what is left: the last page, the footers, and what holds all of it together.
    pub(super) fn end(mut self, identity: &[u8]) -> io::Result<()> {
        self.end_page()?;
        let pages = std::mem::take(&mut self.pages);
        for (number, (_, footer)) in (1..).zip(&pages) {
            self.footer(number, pages.len());
            let content = self.page.take_texts();
            self.file.stream(*footer, "", &content)?;
        }
        let fonts = Weight::ALL.map(|weight| (weight, self.file.reserve()));
        for (weight, font) in fonts {
            embed(&mut self.file, font, self.faces.of(weight), &self.used[weight as usize])?;
        }
        let picture = self.logo.map(|logo| (logo, self.file.reserve()));
        if let Some((logo, object)) = picture {
            logo.write(&mut self.file, object)?;
        }
        self.file.object(self.resources, |out| {
            write!(out, "<</Font<<")?;
            for (weight, font) in fonts {
                write!(out, "/{} {font}", weight.name())?;
            }
            write!(out, ">>")?;
            if let Some((_, object)) = picture {
                write!(out, "/XObject<</{PICTURE} {object}>>")?;
            }
            write!(out, ">>")
        })?;
        self.file.object(self.tree, |out| {
            write!(out, "<</Type/Pages/Count {}/Kids[", pages.len())?;
            for (page, _) in &pages {
                write!(out, "{page} ")?;
            }
            write!(out, "]>>")
        })?;
        self.end_document(identity)
    }

    fn end_document(mut self, identity: &[u8]) -> io::Result<()> {
        let (tree, header) = (self.tree, self.header);
        let structure = self.tags.end(&mut self.file)?;
        let archival = archival::write(&mut self.file, header)?;
        let [catalog, about] = [(); 2].map(|()| self.file.reserve());
        self.file.object(catalog, |out| {
            let language = text_string(&header.locale);
            write!(
                out,
                "<</Type/Catalog/Pages {tree}/Lang{language}/MarkInfo<</Marked true>>\
                 /StructTreeRoot {structure}/ViewerPreferences<</DisplayDocTitle true>>{archival}>>"
            )
        })?;
        self.file.object(about, |out| {
            let said = [&header.title, &header.organization, PRODUCER];
            let [title, author, producer] =
                said.map(|said| text_string(&archival::presentable(said)));
            let made = header.as_of.strftime("D:%Y%m%d%H%M%SZ");
            write!(
                out,
                "<</Title{title}/Author{author}/Producer{producer}/CreationDate({made})/ModDate({made})>>"
            )
        })?;
        let id = hex::encode(identity);
        self.file.end(&format!("/Root {catalog}/Info {about}/ID[<{id}><{id}>]"))
    }

    fn footer(&mut self, number: usize, total: usize) {
        self.y = MARGIN;
        let left = self.header.layout.footer.clone().unwrap_or_else(|| {
            let as_of = self.header.local_text(self.header.as_of);
            format!("{} · {as_of} {}", self.header.title, self.header.zone_name())
        });
        let right = format!("Page {number} of {total}");
        let room = self.width - 2.0 * MARGIN - 100.0;
        let left = wrap(self.face(Weight::Regular), &left, room).swap_remove(0);
        let x = self.width - MARGIN - self.face(Weight::Regular).width(&right, SIZE);
        self.page.begin_artifact("Footer");
        self.draw(Weight::Regular, SIZE, MARGIN, &left);
        self.draw(Weight::Regular, SIZE, x, &right);
        self.page.end_piece();
    }
}
