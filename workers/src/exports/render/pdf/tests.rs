//! Documents as another reader sees them.

use events::exports::Orientation;
use image::ImageFormat;

use super::super::tests::{TRICKY, header};
use super::super::{Kind, Paper};
use super::logo::tests::picture;
use super::*;

fn written(header: &Header, rows: Vec<Row>) -> (Rendered, Vec<u8>) {
    let mut bytes = Vec::new();
    let rendered = render(header, None, rows.into_iter().map(Ok), &mut bytes).unwrap();
    (rendered, bytes)
}

/// The text of each page, without spaces, as a second reader finds it.
fn pages(bytes: &[u8]) -> Vec<String> {
    let document = lopdf::Document::load_mem(bytes).unwrap();
    let numbers: Vec<u32> = document.get_pages().into_keys().collect();
    let text = |number| document.extract_text(&[number]).unwrap();
    numbers.into_iter().map(|number| text(number).split_whitespace().collect()).collect()
}

#[test]
fn every_page_has_the_head_and_its_number_and_no_row_is_lost() {
    let rows = (0..200).map(|n| vec![Cell::Text(format!("row-{n}")), Cell::Integer(n)]);
    let (rendered, bytes) = written(&header(&[Kind::Text, Kind::Integer]), rows.collect());
    assert_eq!((rendered.rows, rendered.cut_cells), (200, 0));
    assert!(rendered.warnings.is_empty());
    let pages = pages(&bytes);
    assert!(pages.len() > 2);
    for (number, page) in (1..).zip(&pages) {
        assert!(page.contains("Columna"), "{page}");
        assert!(page.contains(&format!("Page{number}of{}", pages.len())), "{page}");
    }
    for n in 0..200 {
        assert!(pages.iter().any(|page| page.contains(&format!("row-{n}"))), "row {n}");
    }
}

#[test]
fn the_first_page_says_what_the_file_is() {
    let (_, bytes) = written(&header(&[Kind::Text]), Vec::new());
    let first = pages(&bytes).remove(0);
    for fact in ["Rollen", "KäsereiZürich", "status=open", "2026-07-0100:30:00", "48213"] {
        assert!(first.contains(fact), "{fact} is missing in {first}");
    }
}

#[test]
fn pages_have_the_size_of_the_paper() {
    for (paper, sides) in [(Paper::A4, [595.0, 842.0]), (Paper::Letter, [612.0, 792.0])] {
        let header = Header { paper, ..header(&[Kind::Text]) };
        let (_, bytes) = written(&header, Vec::new());
        let document = lopdf::Document::load_mem(&bytes).unwrap();
        let page = document.get_dictionary(document.get_pages()[&1]).unwrap();
        let page = page.get(b"MediaBox").unwrap().as_array().unwrap();
        let found: Vec<f32> =
            page[2..].iter().map(|side| side.as_float().unwrap().round()).collect();
        assert_eq!(found, sides, "{paper:?}");
    }
}

#[test]
fn pages_lie_and_say_above_and_below_what_was_wished() {
    let rows = || (0..200).map(|n| vec![Cell::Integer(n)]).collect();
    for (orientation, wide) in [(Orientation::Portrait, false), (Orientation::Landscape, true)] {
        let layout = events::exports::Layout {
            orientation: Some(orientation),
            header: Some("Strictly confidential".into()),
            footer: Some("Käserei Zürich AG".into()),
            logo: None,
        };
        let (_, bytes) = written(&Header { layout, ..header(&[Kind::Integer]) }, rows());
        let pages = pages(&bytes);
        assert!(pages.len() > 1);
        for (number, page) in (1..).zip(&pages) {
            let counted = format!("Page{number}of{}", pages.len());
            for text in ["Strictlyconfidential", "KäsereiZürichAG", counted.as_str()] {
                assert!(page.contains(text), "{text} is missing in {page}");
            }
        }
        let document = lopdf::Document::load_mem(&bytes).unwrap();
        let page = document.get_dictionary(document.get_pages()[&1]).unwrap();
        let sides = page.get(b"MediaBox").unwrap().as_array().unwrap();
        let (width, height) = (sides[2].as_float().unwrap(), sides[3].as_float().unwrap());
        assert_eq!(width > height, wide);
    }
}

#[test]
fn long_cells_wrap_over_lines_and_pages_without_loss() {
    let words: Vec<String> = (0..3000).map(|n| format!("word{n}")).collect();
    let row = vec![Cell::Text(words.join(" ")), Cell::Text("x".repeat(500))];
    let (_, bytes) = written(&header(&[Kind::Text, Kind::Text]), vec![row]);
    let pages = pages(&bytes);
    let all = pages.concat();
    assert!(pages.len() > 1);
    assert!(words.iter().all(|word| all.contains(word.as_str())));
    assert!(all.matches('x').count() >= 500);
}

#[test]
fn what_the_font_lacks_is_replaced_and_said() {
    let rows = TRICKY.iter().map(|text| vec![Cell::Text((*text).into())]).collect();
    let (rendered, bytes) = written(&header(&[Kind::Text]), rows);
    assert!(rendered.cut_cells > 0);
    let all = pages(&bytes).concat();
    assert!(all.contains("=cmd|'/CcalcA0".trim_end_matches("A0")) || all.contains("=cmd|"));
    assert!(all.contains("arenotinthefont"));
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    let rows = || (0..100).map(|n| vec![Cell::Text(format!("Žluťoučký kůň {n}"))]).collect();
    let header = header(&[Kind::Text]);
    assert!(written(&header, rows()) == written(&header, rows()));
}

#[test]
fn too_many_rows_are_refused_with_the_remedy() {
    let rows = (0..=ROWS).map(|_| Ok(vec![Cell::Empty]));
    let error = render(&header(&[Kind::Text]), None, rows, Vec::new()).unwrap_err();
    assert!(error.to_string().contains("XLSX"), "{error}");
}

#[test]
fn rows_beyond_the_limit_are_left_out_visibly_where_that_was_wished() {
    let mut header = header(&[Kind::Integer]);
    header.look.limits = LimitPolicy::Truncate;
    header.rows_total = ROWS + 7;
    let rows = (0..=i64::try_from(ROWS).unwrap()).map(|n| vec![Cell::Integer(n)]);
    let (rendered, bytes) = written(&header, rows.collect());
    assert_eq!((rendered.rows, rendered.rows_left_out), (ROWS, 7));
    assert_eq!(rendered.warnings, [ROWS_LEFT_OUT, LARGE_FOR_PDF]);
    assert!(pages(&bytes).pop().unwrap().contains("7morerowshadnoroom"));
}

#[test]
fn sums_stand_below_the_rows() {
    let mut header = header(&[Kind::Text, Kind::Integer]);
    header.look.totals = vec![1];
    let row = |n| vec![Cell::Text(format!("row{n}")), Cell::Integer(n)];
    let (rendered, bytes) = written(&header, vec![row(20), row(22)]);
    assert_eq!(rendered.rows, 2);
    assert!(pages(&bytes)[0].contains("Total42"), "{:?}", pages(&bytes));
}

#[test]
fn without_a_cover_the_table_follows_the_title() {
    let mut header = header(&[Kind::Text]);
    header.look.cover = Some(false);
    let (_, bytes) = written(&header, vec![vec![Cell::Text("a".into())]]);
    assert!(!pages(&bytes)[0].contains("Organisation"));
}

/// The elements of a document's structure in their order: how deep, what, and the text that is theirs on its pages.
fn structure(bytes: &[u8]) -> Vec<(usize, String, String)> {
    let document = lopdf::Document::load_mem(bytes).unwrap();
    let catalog = document.catalog().unwrap();
    assert!(catalog.get_deref(b"MarkInfo", &document).unwrap().as_dict().unwrap().has(b"Marked"));
    let root = catalog.get_deref(b"StructTreeRoot", &document).unwrap().as_dict().unwrap();
    let mut found = Vec::new();
    walk(&document, root.get_deref(b"K", &document).unwrap(), 0, &mut found);
    found
}

fn walk(
    document: &lopdf::Document,
    element: &lopdf::Object,
    depth: usize,
    found: &mut Vec<(usize, String, String)>,
) {
    let element = element.as_dict().unwrap();
    let kind = String::from_utf8(element.get(b"S").unwrap().as_name().unwrap().to_vec()).unwrap();
    let (mut kids, mut pieces) = (Vec::new(), Vec::new());
    let listed = match element.get(b"K") {
        Ok(lopdf::Object::Array(listed)) => listed.clone(),
        Ok(one) => vec![one.clone()],
        Err(_) => Vec::new(),
    };
    let page_of =
        |dictionary: &lopdf::Dictionary| dictionary.get(b"Pg").unwrap().as_reference().unwrap();
    for kid in listed {
        if let Ok(number) = kid.as_i64() {
            pieces.push((page_of(element), number));
        } else if let Ok(piece) = kid.as_dict() {
            pieces.push((page_of(piece), piece.get(b"MCID").unwrap().as_i64().unwrap()));
        } else {
            kids.push(kid.as_reference().unwrap());
        }
    }
    let place = found.len();
    found.push((depth, kind, String::new()));
    for (page, number) in pieces {
        found[place].2 += &shown(document, page, number);
        // And back: the page's list of parents names this element.
        let parents = parents(document, page);
        let parent = parents[usize::try_from(number).unwrap()].as_reference().unwrap();
        assert!(document.get_dictionary(parent).unwrap() == element);
    }
    for kid in kids {
        walk(document, document.get_object(kid).unwrap(), depth + 1, found);
    }
}

/// The elements that the pieces of a page belong to.
fn parents(document: &lopdf::Document, page: lopdf::ObjectId) -> Vec<lopdf::Object> {
    let root = document.catalog().unwrap().get_deref(b"StructTreeRoot", document).unwrap();
    let tree = root.as_dict().unwrap().get_deref(b"ParentTree", document).unwrap();
    let numbers = tree.as_dict().unwrap().get(b"Nums").unwrap().as_array().unwrap();
    let key = document.get_dictionary(page).unwrap().get(b"StructParents").unwrap();
    let at = numbers.chunks(2).find(|pair| pair[0].as_i64().unwrap() == key.as_i64().unwrap());
    let list = document.get_object(at.unwrap()[1].as_reference().unwrap()).unwrap();
    list.as_array().unwrap().clone()
}

/// The text of a piece, without spaces.
fn shown(document: &lopdf::Document, page: lopdf::ObjectId, number: i64) -> String {
    let content = document.get_page_content(page);
    let content = lopdf::content::Content::decode(&content).unwrap();
    let fonts = document.get_page_fonts(page).unwrap();
    let (mut inside, mut font, mut text) = (false, Vec::new(), String::new());
    for operation in content.operations {
        let operands = &operation.operands;
        match operation.operator.as_str() {
            "BDC" => {
                let mcid = operands[1].as_dict().ok().and_then(|it| it.get(b"MCID").ok());
                inside = mcid.is_some_and(|mcid| mcid.as_i64().unwrap() == number);
            }
            "EMC" => inside = false,
            "Tf" => font = operands[0].as_name().unwrap().to_vec(),
            "Tj" if inside => {
                let encoding = fonts[&font].get_font_encoding(document).unwrap();
                let bytes = operands[0].as_str().unwrap();
                text += &lopdf::Document::decode_text(&encoding, bytes).unwrap();
            }
            _ => {}
        }
    }
    text.split_whitespace().collect()
}

#[test]
fn whoever_hears_the_document_gets_heading_facts_and_table_in_their_order() {
    let row = |n: i64| vec![Cell::Text(format!("row{n}")), Cell::Integer(n), Cell::Empty];
    let mut header = header(&[Kind::Text, Kind::Integer, Kind::Text]);
    header.locale = "de-CH".into();
    let (_, bytes) = written(&header, (0..150).map(row).collect());
    assert!(pages(&bytes).len() > 2);
    let document = lopdf::Document::load_mem(&bytes).unwrap();
    let language = document.catalog().unwrap().get(b"Lang").unwrap();
    assert_eq!(lopdf::decode_text_string(language).unwrap(), "de-CH");
    let found = structure(&bytes);
    let at = |place: usize| {
        let (depth, kind, text) = &found[place];
        (*depth, kind.as_str(), text.as_str())
    };
    assert_eq!(at(0), (0, "Document", ""));
    assert_eq!(at(1), (1, "H1", "Rollen"));
    assert_eq!(at(2), (1, "P", "OrganisationKäsereiZürich"));
    let table = found.iter().position(|(_, kind, _)| kind == "Table").unwrap();
    assert_eq!(at(table + 1), (2, "TR", ""));
    assert_eq!(at(table + 2), (3, "TH", "Columna"));
    assert_eq!(at(table + 4), (3, "TH", "Columnc"));
    for n in 0..150 {
        let row = table + 5 + 4 * n;
        assert_eq!(at(row), (2, "TR", ""));
        assert_eq!(at(row + 1), (3, "TD", format!("row{n}").as_str()));
        assert_eq!(at(row + 2), (3, "TD", n.to_string().as_str()));
        assert_eq!(at(row + 3), (3, "TD", ""));
    }
    assert_eq!(found.len(), table + 5 + 4 * 150);
}

#[test]
fn header_cells_say_that_they_head_columns() {
    let (_, bytes) = written(&header(&[Kind::Text]), vec![vec![Cell::Text("a".into())]]);
    let document = lopdf::Document::load_mem(&bytes).unwrap();
    let heads = document.objects.values().filter_map(|object| object.as_dict().ok());
    let heads: Vec<_> =
        heads.filter(|it| it.get(b"S").is_ok_and(|it| it.as_name().unwrap() == b"TH")).collect();
    assert_eq!(heads.len(), 1);
    let attributes = heads[0].get(b"A").unwrap().as_dict().unwrap();
    assert_eq!(attributes.get(b"Scope").unwrap().as_name().unwrap(), b"Column");
}

#[test]
fn a_cell_that_goes_on_over_pages_is_one_cell() {
    let words: Vec<String> = (0..3000).map(|n| format!("word{n}")).collect();
    let row = vec![Cell::Text(words.join(" ")), Cell::Text("x".into())];
    let (_, bytes) = written(&header(&[Kind::Text, Kind::Text]), vec![row]);
    assert!(pages(&bytes).len() > 1);
    let found = structure(&bytes);
    let cells: Vec<_> = found.iter().filter(|(_, kind, _)| kind == "TD").collect();
    assert_eq!(cells.len(), 2);
    assert_eq!(cells[0].2, words.concat());
}

#[test]
fn a_logo_stands_on_the_first_page_and_is_said_to_be_the_organisations() {
    let rows = || (0..200).map(|n| Ok(vec![Cell::Integer(n)]));
    let header = header(&[Kind::Integer]);
    let render = |bytes: &[u8]| {
        let (logo, mut file) = (Logo::read(bytes).unwrap(), Vec::new());
        render(&header, Some(&logo), rows(), &mut file).unwrap();
        file
    };
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let logo = picture(format, (400, 100));
        let bytes = render(&logo);
        assert!(bytes == render(&logo), "the same picture makes the same bytes");
        assert!(bytes != render(&picture(format, (400, 120))));
        let found = structure(&bytes);
        assert_eq!((found[1].0, found[1].1.as_str()), (1, "Figure"));
        let document = lopdf::Document::load_mem(&bytes).unwrap();
        let pages = document.get_pages();
        assert!(pages.len() > 1);
        for (number, page) in pages {
            let content = document.get_page_content(page);
            let drawn = String::from_utf8_lossy(&content).contains("/Logo Do");
            assert_eq!(drawn, number == 1);
        }
        let mut figures = document.objects.values().filter_map(|it| it.as_dict().ok());
        let alternative = figures.find_map(|it| it.get(b"Alt").ok()).unwrap();
        assert_eq!(lopdf::decode_text_string(alternative).unwrap(), "Käserei Zürich");
    }
}

#[test]
fn the_document_says_that_archives_can_take_it_and_what_its_colours_are() {
    let mut header = header(&[Kind::Text]);
    header.title = "Results of <R&D>\u{7}".into();
    let (_, bytes) = written(&header, vec![vec![Cell::Text("ü".into())]]);
    let document = lopdf::Document::load_mem(&bytes).unwrap();
    let catalog = document.catalog().unwrap();
    let stream = |object: &lopdf::Object| {
        let (_, object) = document.dereference(object).unwrap();
        object.as_stream().unwrap().clone()
    };
    let metadata = stream(catalog.get(b"Metadata").unwrap());
    assert!(metadata.dict.get(b"Filter").is_err()); // it can be found without reading the file
    let metadata = String::from_utf8(metadata.content).unwrap();
    for said in [
        "<pdfaid:part>2</pdfaid:part>\n<pdfaid:conformance>A</pdfaid:conformance>",
        r#"<rdf:li xml:lang="x-default">Results of &lt;R&amp;D&gt;</rdf:li>"#,
        "<xmp:CreateDate>2026-",
    ] {
        assert!(metadata.contains(said), "{said} is not in {metadata}");
    }
    let about = document.trailer.get(b"Info").unwrap().as_reference().unwrap();
    let title = document.get_dictionary(about).unwrap().get(b"Title").unwrap().as_str().unwrap();
    let units: Vec<u8> =
        "\u{feff}Results of <R&D>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(title, units); // the same in both places
    let intents = catalog.get(b"OutputIntents").unwrap().as_array().unwrap();
    let intent = intents[0].as_dict().unwrap();
    assert_eq!(intent.get(b"S").unwrap().as_name().unwrap(), b"GTS_PDFA1");
    let profile = stream(intent.get(b"DestOutputProfile").unwrap());
    let profile = profile.decompressed_content().unwrap();
    let size = u32::from_be_bytes(profile[..4].try_into().unwrap());
    assert_eq!(usize::try_from(size).unwrap(), profile.len());
    assert_eq!(profile[24..28], [0x07, 0xea, 0, 1]); // a day of ours, not today
    assert_eq!((&profile[16..20], &profile[36..40]), (&b"RGB "[..], &b"acsp"[..]));
}
