//! One page as the operators that draw it: texts within pieces of elements, lines, and a picture.

use std::io::{self, Write};

use super::file::{Object, write_number};
use super::fonts::Weight;
use super::layout::MARGIN;
use super::tags::{Mark, Tag};

/// What the picture is called on pages.
pub(super) const PICTURE: &str = "Logo";
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// A picture as it stands on a page.
#[derive(Clone, Copy)]
pub(super) struct Picture {
    /// Its lower left corner.
    pub(super) place: (f32, f32),
    /// Its width and height.
    pub(super) size: (f32, f32),
    /// The number of its marked content.
    pub(super) number: usize,
}

/// What stands on a page.
pub(super) struct Page {
    pub(super) object: Object,
    texts: Vec<u8>,
    pub(super) rules: Vec<f32>,
    font: Option<(Weight, f32)>,
    /// Where the picture stands: its left and lower corner, its number among the pieces of the page.
    pub(super) picture: Option<(f32, f32, usize)>,
    /// The elements that its pieces belong to.
    pub(super) elements: Vec<Object>,
}

impl Page {
    pub(super) fn new(object: Object) -> Self {
        let (texts, rules, elements) = Default::default();
        Self { object, texts, rules, font: None, picture: None, elements }
    }

    /// Numbers a piece of an element.
    pub(super) fn piece(&mut self, element: Object) -> Mark {
        self.elements.push(element);
        Mark { page: self.object, number: self.elements.len() - 1 }
    }

    /// What follows is a piece of an element, until [`Self::end_piece`].
    pub(super) fn begin_piece(&mut self, tag: Tag, element: Object) -> Mark {
        let mark = self.piece(element);
        let begin = format!("/{}<</MCID {}>>BDC\n", tag.name(), mark.number);
        self.texts.extend_from_slice(begin.as_bytes());
        mark
    }

    /// What follows is no part of the document's content, until [`Self::end_piece`].
    pub(super) fn begin_artifact(&mut self, kind: &str) {
        let begin = format!("/Artifact<</Type/Pagination/Subtype/{kind}>>BDC\n");
        self.texts.extend_from_slice(begin.as_bytes());
    }

    pub(super) fn end_piece(&mut self) {
        self.texts.extend_from_slice(b"EMC\n");
    }

    /// Begins a line of text with its baseline there.
    pub(super) fn place(&mut self, weight: Weight, size: f32, (x, y): (f32, f32)) {
        let out = &mut self.texts;
        if self.font != Some((weight, size)) {
            out.push(b'/');
            out.extend_from_slice(weight.name().as_bytes());
            out.push(b' ');
            write_number(size, out);
            out.extend_from_slice(b" Tf\n");
            self.font = Some((weight, size));
        }
        out.extend_from_slice(b"1 0 0 1 ");
        write_number(x, out);
        out.push(b' ');
        write_number(y, out);
        out.extend_from_slice(b" Tm<");
    }

    /// Shows the next glyph of the line.
    pub(super) fn show(&mut self, glyph: u16) {
        for byte in glyph.to_be_bytes() {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            self.texts.extend([high, low]);
        }
    }

    pub(super) fn end_text(&mut self) {
        self.texts.extend_from_slice(b">Tj\n");
    }

    /// The texts since the page began, or since they were taken.
    pub(super) fn take_texts(&mut self) -> Vec<u8> {
        self.font = None;
        let mut content = b"BT\n".to_vec();
        content.append(&mut self.texts);
        content.extend_from_slice(b"ET\n");
        content
    }

    /// The whole page: its picture, where there is one; its lines; its texts.
    pub(super) fn content(&mut self, width: f32, picture: Option<Picture>) -> io::Result<Vec<u8>> {
        let mut content = Vec::with_capacity(self.texts.len() + 64 * self.rules.len() + 256);
        if let Some(Picture { place: (x, y), size: (width, height), number }) = picture {
            let place = format!("{width:.2} 0 0 {height:.2} {x:.2} {y:.2} cm");
            let name = Tag::Figure.name();
            writeln!(content, "/{name}<</MCID {number}>>BDC\nq {place}/{PICTURE} Do Q\nEMC")?;
        }
        content.extend_from_slice(b"/Artifact BMC\n0.7 G 0.4 w\n");
        for rule in &self.rules {
            for (x, operator) in [(MARGIN, b" m "), (width - MARGIN, b" l ")] {
                write_number(x, &mut content);
                content.push(b' ');
                write_number(*rule, &mut content);
                content.extend_from_slice(operator);
            }
            content.extend_from_slice(b"S\n");
        }
        content.extend_from_slice(b"EMC\n0 g\n");
        content.append(&mut self.take_texts());
        Ok(content)
    }
}
