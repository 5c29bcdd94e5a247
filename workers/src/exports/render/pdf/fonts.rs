//! The faces of the document: what they measure, and how they are embedded, whole, with the characters that were used of them.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::LazyLock;

use printpdf::ParsedFont;

use super::file::{Object, Writer, packed};
use crate::exports::render::Error;

const REGULAR: &[u8] = include_bytes!("../../../../assets/DejaVuSans-subset.ttf");
const BOLD: &[u8] = include_bytes!("../../../../assets/DejaVuSans-Bold-subset.ttf");
/// Characters of the basic multilingual plane, which is all that the faces have some of.
const CHARACTERS: usize = 0x1_0000;
/// Widths in a PDF are thousandths of the size.
const PER_EM: f32 = 1000.0;
/// The flag of faces with the usual Latin characters.
const NONSYMBOLIC: u32 = 1 << 5;
/// Entries of one list in a map of characters, which may have no more.
const MAPPED: usize = 100;

/// Both faces, read once.
static FACES: LazyLock<Option<Faces>> =
    LazyLock::new(|| Some(Faces { regular: Face::parse(REGULAR)?, bold: Face::parse(BOLD)? }));

pub(super) struct Faces {
    pub(super) regular: Face,
    pub(super) bold: Face,
}

impl Faces {
    pub(super) fn get() -> Result<&'static Self, Error> {
        FACES.as_ref().ok_or(Error::Font)
    }

    pub(super) fn of(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

impl Weight {
    pub(super) const ALL: [Self; 2] = [Self::Regular, Self::Bold];

    /// What pages call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Regular => "F0",
            Self::Bold => "F1",
        }
    }
}

/// A drawn character.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    pub(super) id: u16,
    /// As a part of the size.
    pub(super) advance: f32,
}

/// One face, with the glyph of every character it has.
pub(super) struct Face {
    font: ParsedFont,
    glyphs: Vec<Option<Glyph>>,
    /// The font's own file, compressed.
    program: Vec<u8>,
    program_bytes: usize,
}

impl Face {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let font = ParsedFont::from_bytes(bytes, 0, &mut Vec::new())?;
        let per_em = f32::from(font.units_per_em);
        let mut glyphs = vec![None; CHARACTERS];
        // The first glyph stands for characters that the face has not; archives take no document that shows it (ISO 19005-2, 6.2.11.8).
        for (character, id) in font.codepoint_to_glyph.iter().filter(|(_, id)| **id != 0) {
            let advance = font.get_glyph_width(*id);
            if let (Some(slot), Some(advance)) = (glyphs.get_mut(*character as usize), advance) {
                *slot = Some(Glyph { id: *id, advance: f32::from(advance) / per_em });
            }
        }
        Some(Self { font, glyphs, program: packed(bytes).ok()?, program_bytes: bytes.len() })
    }

    pub(super) fn glyph(&self, character: char) -> Option<Glyph> {
        self.glyphs.get(character as usize).copied().flatten()
    }

    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let advance = |character| self.glyph(character).map_or(0.0, |glyph| glyph.advance);
        text.chars().map(advance).sum::<f32>() * size
    }
}

/// Which characters of a face were used.
pub(super) struct Used(Vec<bool>);

impl Used {
    pub(super) fn nothing() -> Self {
        Self(vec![false; CHARACTERS])
    }

    pub(super) fn note(&mut self, character: char) {
        if let Some(used) = self.0.get_mut(character as usize) {
            *used = true;
        }
    }

    /// The glyphs in their order, each with the first character that it stands for.
    fn glyphs(&self, face: &Face) -> Vec<(Glyph, u32)> {
        let used = (0..).zip(&self.0).filter(|(_, used)| **used).map(|(character, _)| character);
        let glyph = |character: u32| face.glyph(char::from_u32(character)?);
        let mut glyphs: Vec<(Glyph, u32)> =
            used.filter_map(|character| Some((glyph(character)?, character))).collect();
        glyphs.sort_by_key(|(glyph, character)| (glyph.id, *character));
        glyphs.dedup_by_key(|(glyph, _)| glyph.id);
        glyphs
    }
}

/// Writes a face into the file under its number.
pub(super) fn embed<W: Write>(
    file: &mut Writer<W>,
    font: Object,
    face: &Face,
    used: &Used,
) -> io::Result<()> {
    let name = face
        .font
        .font_name
        .clone()
        .unwrap_or_default()
        .replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "");
    let [program, descriptor, descendant, unicode] = [(); 4].map(|()| file.reserve());
    let length = format!("/Length1 {}", face.program_bytes);
    file.packed_stream(program, &length, &face.program)?;
    let metrics = &face.font.pdf_font_metrics;
    let scale = |units: f32| (units * PER_EM / f32::from(face.font.units_per_em)).round();
    let [left, low, right, high] =
        [metrics.x_min, metrics.y_min, metrics.x_max, metrics.y_max].map(|it| scale(it.into()));
    let ascent = scale(f32::from(face.font.font_metrics.ascent));
    let descent = scale(f32::from(face.font.font_metrics.descent));
    // No table of a font has the thickness of its stems; this is how it is usually estimated.
    let stem = 50.0 + (f32::from(metrics.us_weight_class) / 65.0).powi(2).round();
    file.object(descriptor, |out| {
        write!(
            out,
            "<</Type/FontDescriptor/FontName/{name}/Flags {NONSYMBOLIC}/ItalicAngle 0/StemV {stem}\
             /Ascent {ascent}/Descent {descent}/CapHeight {ascent}/FontBBox[{left} {low} {right} {high}]\
             /FontFile2 {program}>>"
        )
    })?;
    let glyphs = used.glyphs(face);
    file.object(descendant, |out| {
        write!(
            out,
            "<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDToGIDMap/Identity\
             /CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>\
             /FontDescriptor {descriptor}/W["
        )?;
        for (glyph, _) in &glyphs {
            write!(out, "{}[{}]", glyph.id, (glyph.advance * PER_EM).round())?;
        }
        write!(out, "]>>")
    })?;
    file.stream(unicode, "", map(&glyphs).as_bytes())?;
    file.object(font, |out| {
        write!(
            out,
            "<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H\
             /DescendantFonts[{descendant}]/ToUnicode {unicode}>>"
        )
    })
}

/// Which glyph stands for which character, for whoever searches or copies text.
fn map(glyphs: &[(Glyph, u32)]) -> String {
    let mut map = String::from(
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n\
         /CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n\
         /CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n\
         1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n",
    );
    for part in glyphs.chunks(MAPPED) {
        let _always_ok = writeln!(map, "{} beginbfchar", part.len());
        for (glyph, character) in part {
            let _always_ok = writeln!(map, "<{:04X}> <{character:04X}>", glyph.id);
        }
        map.push_str("endbfchar\n");
    }
    map.push_str("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n");
    map
}
