//! What makes a document one that archives take (PDF/A-2a, ISO 19005-2): it says that it is, and brings along what its colours mean.

use std::io::{self, Write};
use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, context};
use moxcms::ColorProfile;

use super::PRODUCER;
use super::file::Writer;
use crate::exports::render::Header;

/// The name of the colours that everything without a profile of its own is in.
const COLOURS: &str = "sRGB IEC61966-2.1";
/// Where a profile (ICC.1, 7.2.8) says when it was made,
const DATE: std::ops::Range<usize> = 24..36;
/// and what ours says: six numbers of two bytes, from the year to the second. The library puts the present moment there, but the
/// same rows have to be the same bytes.
const DATED: [u8; 12] = [0x07, 0xea, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];

/// The metadata of the document as XMP (ISO 16684-1). What the document says of itself elsewhere has to be the same here.
const METADATA: &str = r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>2</pdfaid:part>
<pdfaid:conformance>A</pdfaid:conformance>
<dc:format>application/pdf</dc:format>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{{ title }}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{{ author }}</rdf:li></rdf:Seq></dc:creator>
<dc:language><rdf:Bag><rdf:li>{{ language }}</rdf:li></rdf:Bag></dc:language>
<pdf:Producer>{{ producer }}</pdf:Producer>
<xmp:CreateDate>{{ made }}</xmp:CreateDate>
<xmp:ModifyDate>{{ made }}</xmp:ModifyDate>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"#;

static PROFILE: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
    let mut profile = ColorProfile::new_srgb().encode().ok()?;
    profile.get_mut(DATE)?.copy_from_slice(&DATED);
    Some(profile)
});

/// Writes both; the entries of the catalog that name them.
pub(super) fn write<W: Write>(file: &mut Writer<W>, header: &Header) -> io::Result<String> {
    let profile = PROFILE.as_ref().ok_or_else(|| io::Error::other("there is no colour profile"))?;
    let [metadata, colours] = [(); 2].map(|()| file.reserve());
    file.plain_stream(metadata, "/Type/Metadata/Subtype/XML", described(header)?.as_bytes())?;
    file.stream(colours, "/N 3", profile)?;
    Ok(format!(
        "/Metadata {metadata}/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1\
         /OutputConditionIdentifier({COLOURS})/Info({COLOURS})/DestOutputProfile {colours}>>]"
    ))
}

fn described(header: &Header) -> io::Result<String> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let made = header.as_of.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let values = context! {
        title => presentable(&header.title),
        author => presentable(&header.organization),
        language => &header.locale,
        producer => PRODUCER,
        made,
    };
    environment.render_str(METADATA, values).map_err(io::Error::other)
}

/// Without the characters that no XML document can have (XML 1.0, 2.2), here and wherever the document says the same.
pub(super) fn presentable(text: &str) -> String {
    let fits = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().filter(fits).collect()
}
