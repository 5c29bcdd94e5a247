//! A PDF file as it is written: streams as they come, all other objects gathered in compressed ones, and at the end where each stands.

use std::fmt::{self, Display};
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Objects of one object stream; a reader unpacks all of them to get at one.
const GATHERED: usize = 500;
/// Bytes of an entry of the cross-reference stream: what it is, where, and which of those there.
const ENTRY_BYTES: [usize; 3] = [1, 4, 2];
/// Beyond it a file takes longer to write and becomes hardly smaller.
const LEVEL: Compression = Compression::new(5);

/// An object of the file, known by its number before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object(u32);

impl Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} 0 R", self.0)
    }
}

/// Where an object stands.
#[derive(Clone, Copy)]
enum Place {
    /// Nowhere, as the object of number 0.
    Nowhere,
    /// So many bytes from the beginning.
    At(u32),
    /// In an object stream.
    Within { stream: u32, index: u16 },
}

/// A file that is being written.
pub(super) struct Writer<W> {
    sink: W,
    written: u32,
    places: Vec<Place>,
    gathered: Vec<(Object, usize)>,
    body: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(sink: W) -> io::Result<Self> {
        let places = vec![Place::Nowhere];
        let mut file = Self { sink, written: 0, places, gathered: Vec::new(), body: Vec::new() };
        // Bytes that are no text tell programs that copy files to leave them alone.
        file.put(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")?;
        Ok(file)
    }

    /// The number of an object to come.
    pub(super) fn reserve(&mut self) -> Object {
        let number = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(Place::Nowhere);
        Object(number)
    }

    /// Writes an object that is no stream.
    pub(super) fn object(
        &mut self,
        object: Object,
        write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.gathered.push((object, self.body.len()));
        write(&mut self.body)?;
        self.body.push(b'\n');
        if self.gathered.len() == GATHERED { self.write_gathered() } else { Ok(()) }
    }

    /// Writes a stream, compressed; `entries` are those of its dictionary.
    pub(super) fn stream(
        &mut self,
        object: Object,
        entries: &str,
        content: &[u8],
    ) -> io::Result<()> {
        let packed = packed(content)?;
        self.packed_stream(object, entries, &packed)
    }

    /// Writes a stream that is compressed already.
    pub(super) fn packed_stream(
        &mut self,
        object: Object,
        entries: &str,
        packed: &[u8],
    ) -> io::Result<()> {
        self.plain_stream(object, &format!("{entries}/Filter/FlateDecode"), packed)
    }

    /// Writes a stream as it is, for programs that look into files without reading them as PDF.
    pub(super) fn plain_stream(
        &mut self,
        object: Object,
        entries: &str,
        content: &[u8],
    ) -> io::Result<()> {
        self.stands_here(object);
        let head = format!("{} 0 obj\n<<{entries}/Length {}>>\nstream\n", object.0, content.len());
        self.put(head.as_bytes())?;
        self.put(content)?;
        self.put(b"\nendstream\nendobj\n")
    }

    fn write_gathered(&mut self) -> io::Result<()> {
        let (gathered, body) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.body));
        let stream = self.reserve();
        let mut content = Vec::with_capacity(body.len() + 12 * gathered.len());
        for (index, (object, offset)) in (0..).zip(&gathered) {
            write!(content, "{} {offset} ", object.0)?;
            if let Some(place) = self.places.get_mut(object.0 as usize) {
                *place = Place::Within { stream: stream.0, index };
            }
        }
        let entries = format!("/Type/ObjStm/N {}/First {}", gathered.len(), content.len());
        content.extend_from_slice(&body);
        self.stream(stream, &entries, &content)
    }

    /// Writes where every object stands; `entries` are those of the trailer.
    pub(super) fn end(mut self, entries: &str) -> io::Result<()> {
        if !self.gathered.is_empty() {
            self.write_gathered()?;
        }
        let table = self.reserve();
        let begins = self.written;
        self.stands_here(table);
        let mut rows = Vec::with_capacity(self.places.len() * 8);
        let mut above = [0; 7];
        for place in &self.places {
            let (kind, field, index): (u8, u32, u16) = match *place {
                Place::Nowhere => (0, 0, u16::MAX),
                Place::At(offset) => (1, offset, 0),
                Place::Within { stream, index } => (2, stream, index),
            };
            let mut row = [0; 7];
            row[0] = kind;
            row[1..5].copy_from_slice(&field.to_be_bytes());
            row[5..].copy_from_slice(&index.to_be_bytes());
            // Each as its difference to the one above (PNG's predictor "up"): neighbours differ in one number.
            rows.push(2);
            rows.extend(row.iter().zip(above).map(|(own, above)| own.wrapping_sub(above)));
            above = row;
        }
        let (size, [kind, field, index]) = (self.places.len(), ENTRY_BYTES);
        let entries = format!(
            "/Type/XRef/Size {size}/W[{kind} {field} {index}]/DecodeParms<</Predictor 12/Columns 7>>{entries}"
        );
        self.stream(table, &entries, &rows)?;
        self.put(format!("startxref\n{begins}\n%%EOF\n").as_bytes())?;
        self.sink.flush()
    }

    fn stands_here(&mut self, object: Object) {
        if let Some(place) = self.places.get_mut(object.0 as usize) {
            *place = Place::At(self.written);
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)?;
        let written = u32::try_from(bytes.len()).ok().and_then(|new| self.written.checked_add(new));
        self.written = written.ok_or_else(|| io::Error::other("a PDF file of 4 GiB or more"))?;
        Ok(())
    }
}

/// Compressed as streams are.
pub(super) fn packed(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(content.len() / 4), LEVEL);
    encoder.write_all(content)?;
    encoder.finish()
}

/// A text of the document's own, such as its title, in UTF-16 and as hexadecimal digits: nothing in it needs to be escaped.
pub(super) fn text_string(text: &str) -> String {
    use std::fmt::Write as _;
    let mut string = String::from("<FEFF");
    for unit in text.encode_utf16() {
        let _always_ok = write!(string, "{unit:04X}");
    }
    string + ">"
}

/// Writes a number of points, in hundredths.
#[expect(clippy::cast_possible_truncation, reason = "a page is a few thousand points wide")]
pub(super) fn write_number(number: f32, out: &mut Vec<u8>) {
    let hundredths = (number * 100.0).round() as i32;
    let (whole, part) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
    if hundredths < 0 {
        out.push(b'-');
    }
    write_digits(whole, out);
    if part > 0 {
        out.extend([b'.', digit(part / 10)]);
        if part % 10 > 0 {
            out.push(digit(part % 10));
        }
    }
}

fn write_digits(number: u32, out: &mut Vec<u8>) {
    if number >= 10 {
        write_digits(number / 10, out);
    }
    out.push(digit(number % 10));
}

fn digit(number: u32) -> u8 {
    b"0123456789"[(number % 10) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_at_most_two_decimals() {
        for (number, expected) in [
            (0.0, "0"),
            (34.0, "34"),
            (7.5, "7.5"),
            (841.89, "841.89"),
            (-0.05, "-0.05"),
            (1234.006, "1234.01"),
        ] {
            let mut text = Vec::new();
            write_number(number, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }

    #[test]
    fn another_reader_finds_every_object_and_stream() {
        let mut bytes = Vec::new();
        let mut file = Writer::begin(&mut bytes).unwrap();
        let catalog = file.reserve();
        file.object(catalog, |out| write!(out, "<</Type/Catalog>>")).unwrap();
        let stream = file.reserve();
        file.stream(stream, "/Kept true", b"content").unwrap();
        let numbers: Vec<Object> = (0..GATHERED * 2 + 7).map(|_| file.reserve()).collect();
        for (n, object) in numbers.iter().enumerate() {
            file.object(*object, |out| write!(out, "{n}")).unwrap();
        }
        file.end(&format!("/Root {catalog}")).unwrap();
        let read = lopdf::Document::load_mem(&bytes).unwrap();
        for (n, object) in numbers.iter().enumerate() {
            let found = read.get_object((object.0, 0)).unwrap().as_i64().unwrap();
            assert_eq!(found, i64::try_from(n).unwrap());
        }
        let found = read.get_object((stream.0, 0)).unwrap().as_stream().unwrap();
        assert_eq!(found.decompressed_content().unwrap(), b"content");
        assert!(read.catalog().is_ok());
    }
}
