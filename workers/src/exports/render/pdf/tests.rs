//! Documents as another reader sees them.

use super::super::Paper;
use super::super::tests::{TRICKY, header};
use super::*;

fn written(header: &Header, rows: Vec<Row>) -> (Rendered, Vec<u8>) {
    let mut bytes = Vec::new();
    let rendered = render(header, rows.into_iter().map(Ok), &mut bytes).unwrap();
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
    let error = render(&header(&[Kind::Text]), rows, Vec::new()).unwrap_err();
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
