//! The structure of the document, for whoever hears it or takes it apart: a heading, what the file is, and a table with rows and cells.

use std::io::{self, Write};

use super::file::{Object, Writer};

/// What an element is, by its name in ISO 32000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Heading,
    Paragraph,
    HeaderCell,
    Cell,
    Figure,
}

impl Tag {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Heading => "H1",
            Self::Paragraph => "P",
            Self::HeaderCell => "TH",
            Self::Cell => "TD",
            Self::Figure => "Figure",
        }
    }
}

/// A piece of an element on a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) page: Object,
    /// Its number on that page.
    pub(super) number: usize,
}

/// The structure while it grows; elements go into the file as soon as they are whole.
pub(super) struct Tags {
    root: Object,
    document: Object,
    table: Object,
    /// What stands beside the table: before it, and after it.
    before: Vec<Object>,
    after: Vec<Object>,
    rows: Vec<Object>,
    /// Per page, the elements that its pieces belong to.
    pages: Vec<Object>,
}

impl Tags {
    pub(super) fn begin<W: Write>(file: &mut Writer<W>) -> Self {
        let [root, document, table] = [(); 3].map(|()| file.reserve());
        let (before, after, rows, pages) = Default::default();
        Self { root, document, table, before, after, rows, pages }
    }

    /// An element beside the table that stands on one page.
    pub(super) fn beside<W: Write>(
        &mut self,
        file: &mut Writer<W>,
        (element, tag): (Object, Tag),
        (mark, more): (Mark, &str),
    ) -> io::Result<()> {
        let beside = if self.rows.is_empty() { &mut self.before } else { &mut self.after };
        beside.push(element);
        let document = self.document;
        file.object(element, |out| {
            let Mark { page, number } = mark;
            write!(out, "<</S/{}/P {document}/Pg {page}/K {number}{more}>>", tag.name())
        })
    }

    /// A row with its cells, of which each is one piece or, where it goes on over pages, several.
    pub(super) fn row<W: Write>(
        &mut self,
        file: &mut Writer<W>,
        tag: Tag,
        cells: &[(Object, Vec<Mark>)],
    ) -> io::Result<()> {
        let (row, table) = (file.reserve(), self.table);
        self.rows.push(row);
        for (cell, marks) in cells {
            file.object(*cell, |out| write_cell(out, tag, row, marks))?;
        }
        file.object(row, |out| {
            write!(out, "<</S/TR/P {table}/K[")?;
            write_list(out, cells.iter().map(|(cell, _)| *cell))?;
            write!(out, "]>>")
        })
    }

    /// The elements that the pieces of a page belong to, in the order of their numbers.
    pub(super) fn page<W: Write>(
        &mut self,
        file: &mut Writer<W>,
        elements: &[Object],
    ) -> io::Result<()> {
        let list = file.reserve();
        self.pages.push(list);
        file.object(list, |out| {
            out.push(b'[');
            write_list(out, elements.iter().copied())?;
            out.push(b']');
            Ok(())
        })
    }

    /// How many pages there are.
    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Writes what holds it together; where the structure begins.
    pub(super) fn end<W: Write>(self, file: &mut Writer<W>) -> io::Result<Object> {
        let Self { root, document, table, before, after, rows, pages } = self;
        let parents = file.reserve();
        file.object(table, |out| {
            write!(out, "<</S/Table/P {document}/K[")?;
            write_list(out, rows.into_iter())?;
            write!(out, "]>>")
        })?;
        file.object(document, |out| {
            write!(out, "<</S/Document/P {root}/K[")?;
            write_list(out, before.into_iter().chain([table]).chain(after))?;
            write!(out, "]>>")
        })?;
        let next = pages.len();
        file.object(parents, |out| {
            write!(out, "<</Nums[")?;
            for (number, list) in pages.iter().enumerate() {
                write!(out, "{number} {list} ")?;
            }
            write!(out, "]>>")
        })?;
        file.object(root, |out| {
            write!(
                out,
                "<</Type/StructTreeRoot/K {document}/ParentTree {parents}/ParentTreeNextKey {next}>>"
            )
        })?;
        Ok(root)
    }
}

fn write_cell(out: &mut Vec<u8>, tag: Tag, row: Object, marks: &[Mark]) -> io::Result<()> {
    write!(out, "<</S/{}/P {row}", tag.name())?;
    if tag == Tag::HeaderCell {
        write!(out, "/A<</O/Table/Scope/Column>>")?;
    }
    match marks {
        [] => {}
        [Mark { page, number }] => write!(out, "/Pg {page}/K {number}")?,
        several => {
            write!(out, "/K[")?;
            for Mark { page, number } in several {
                write!(out, "<</Type/MCR/Pg {page}/MCID {number}>>")?;
            }
            write!(out, "]")?;
        }
    }
    write!(out, ">>")
}

fn write_list(out: &mut Vec<u8>, objects: impl Iterator<Item = Object>) -> io::Result<()> {
    for object in objects {
        write!(out, "{object} ")?;
    }
    Ok(())
}
