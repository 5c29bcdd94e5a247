//! Files as programs that are not ours read them. A test says so and skips where its reader is not installed.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Output};

use jiff::tz::TimeZone;
use workers::exports::render::{
    Cell, Column, Header, Kind, Look, Paper, Row, csv, ndjson, parquet, pdf, xlsx,
};

const TEXTS: &[&str] = &[
    "-0.02",
    "+41 44 123 45 67",
    "=1+1",
    "@user",
    "0041",
    "1e5",
    "Käse, \"Zürich\"; ß",
    "line\nbreak",
    "Ελλάδα",
    "Привет",
    "it's",
    "_x0041_",
    "<b>&amp;</b>",
    "TRUE",
    "12345678901234567890",
];

fn header() -> Header {
    let column =
        |key: &str, label: &str, kind| Column { key: key.into(), label: label.into(), kind };
    Header {
        title: "Rollen – Überblick".into(),
        organization: "Käserei Zürich".into(),
        requested_by: "Ada".into(),
        columns: vec![
            column("name", "Name", Kind::Text),
            column("count", "Anzahl", Kind::Integer),
            column("at", "Zeitpunkt", Kind::Timestamp),
            column("on", "Tag", Kind::Date),
            column("yes", "Aktiv", Kind::Bool),
            column("tags", "Marken", Kind::List),
        ],
        locale: "de-CH".into(),
        zone: TimeZone::get("Europe/Zurich").unwrap(),
        position: 48_213,
        filter: "count > 0".into(),
        counts: Vec::new(),
        as_of: "2026-06-30T22:30:00Z".parse().unwrap(),
        rows_total: 0,
        look: Look { totals: vec![1], ..Look::default() },
        paper: Paper::A4,
        layout: events::exports::Layout::default(),
    }
}

fn rows(count: usize) -> impl Iterator<Item = anyhow::Result<Row>> {
    (0..count).map(|n| {
        Ok(vec![
            Cell::Text(TEXTS[n % TEXTS.len()].into()),
            Cell::Integer(i64::try_from(n).unwrap()),
            Cell::Timestamp("2026-01-01T12:00:00.123456Z".parse().unwrap()),
            Cell::Date("2026-02-28".parse().unwrap()),
            Cell::Bool(n % 2 == 0),
            Cell::List(vec!["a".into(), format!("b{n}")]),
        ])
    })
}

/// A file of a kind in a folder of its own.
fn file(name: &str, header: &Header, count: usize) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut sink = BufWriter::new(std::fs::File::create(&path).unwrap());
    let rows = rows(count);
    match name.rsplit('.').next().unwrap() {
        "csv" => csv::render(header, rows, &mut sink),
        "xlsx" => xlsx::render(header, rows, folder.path(), &mut sink),
        "pdf" => pdf::render(header, None, rows, &mut sink),
        "ndjson" => ndjson::render(header, rows, &mut sink),
        _ => parquet::render(header, rows, &mut sink),
    }
    .unwrap();
    sink.flush().unwrap();
    drop(sink);
    (folder, path)
}

/// What a program says, or nothing where there is no such program.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new(program).args(arguments).output().ok();
    if output.is_none() {
        eprintln!("skipped: {program} is not installed");
    }
    output
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(err));
    String::from_utf8(out.clone()).unwrap()
}

/// Runs a script with the modules it needs; the system's Python first, which is where packages put theirs.
fn python(modules: &str, script: &str, path: &Path) -> Option<serde_json::Value> {
    let imports = format!("import {modules}");
    let has = |python: &&str| {
        Command::new(python).args(["-c", &imports]).output().is_ok_and(|it| it.status.success())
    };
    let Some(python) = ["/usr/bin/python3", "python3"].into_iter().find(has) else {
        eprintln!("skipped: python3 with {modules} is not installed");
        return None;
    };
    let script = format!("import json, sys, {modules}\n{script}");
    let output = run(python, &["-c", &script, path.to_str().unwrap()])?;
    Some(serde_json::from_str(&said(&output)).unwrap())
}

#[test]
fn python_reads_every_text_of_a_csv() {
    let (_folder, path) = file("rows.csv", &header(), TEXTS.len());
    let script = "print(json.dumps(list(csv.reader(open(sys.argv[1], newline='', encoding='utf-8-sig'), delimiter=';'))))";
    let Some(read) = python("csv", script, &path) else { return };
    assert_eq!(
        read[0],
        serde_json::json!(["Name", "Anzahl", "Zeitpunkt", "Tag", "Aktiv", "Marken"])
    );
    for (n, text) in TEXTS.iter().enumerate() {
        let row = &read[n + 1];
        let defused = format!("'{text}");
        let cell = row[0].as_str().unwrap();
        assert!(
            cell == *text || cell == defused && text.starts_with(['=', '+', '-', '@']),
            "{cell}"
        );
        assert_eq!(row[1], n.to_string());
        assert_eq!(row[2], "2026-01-01 13:00:00");
        assert_eq!(row[5], format!("a, b{n}"));
    }
}

#[test]
fn python_reads_every_line_of_ndjson() {
    let (_folder, path) = file("rows.ndjson", &header(), TEXTS.len());
    let script =
        "print(json.dumps([json.loads(line) for line in open(sys.argv[1], encoding='utf-8')]))";
    let Some(read) = python("os", script, &path) else { return };
    for (n, text) in TEXTS.iter().enumerate() {
        assert_eq!(read[n]["Name"], *text);
        assert_eq!(read[n]["Zeitpunkt"], "2026-01-01T12:00:00.123456Z");
        assert_eq!(read[n]["Marken"], serde_json::json!(["a", format!("b{n}")]));
    }
}

#[test]
fn openpyxl_finds_types_widths_head_filter_and_sums() {
    let (_folder, path) = file("rows.xlsx", &header(), TEXTS.len());
    let script = "
book = openpyxl.load_workbook(sys.argv[1])
sheet = book['Data']
rows = list(sheet.iter_rows())
print(json.dumps({
    'sheets': book.sheetnames,
    'kinds': [[cell.data_type for cell in row] for row in rows],
    'names': [row[0].value for row in rows],
    'formats': [cell.number_format for cell in rows[1]],
    'moment': str(rows[1][2].value), 'day': str(rows[1][3].value),
    'bold': all(cell.font.bold for cell in rows[0]), 'freeze': sheet.freeze_panes,
    'filter': sheet.auto_filter.ref, 'width': sheet.column_dimensions['C'].width,
    'last': [cell.value for cell in rows[-1]],
    'sum': openpyxl.load_workbook(sys.argv[1], data_only=True)['Data'].cell(len(rows), 2).value,
}))";
    let Some(read) = python("openpyxl", script, &path) else { return };
    let json = |value: &str| serde_json::from_str::<serde_json::Value>(value).unwrap();
    assert_eq!(read["sheets"], json(r#"["Data", "Info"]"#));
    for (n, text) in TEXTS.iter().enumerate() {
        // It shows the escape of such a text (ECMA-376, 22.4.2.4) as it is stored, where spreadsheet programs undo it.
        let shown = text.replace("_x0041_", "_x005F_x0041_");
        assert_eq!(read["names"][n + 1], shown);
        assert_eq!(read["kinds"][n + 1], json(r#"["s", "n", "d", "d", "b", "s"]"#), "{text}");
    }
    assert_eq!(read["moment"], "2026-01-01 13:00:00");
    assert_eq!(read["day"], "2026-02-28 00:00:00");
    assert_eq!((&read["bold"], &read["freeze"]), (&true.into(), &"A2".into()));
    assert_eq!(read["filter"], format!("A1:F{}", TEXTS.len() + 1));
    assert!(read["width"].as_f64().unwrap() >= 20.0, "{}", read["width"]);
    assert_eq!(read["last"][1], format!("=SUBTOTAL(109,B2:B{})", TEXTS.len() + 1));
    assert_eq!(read["sum"], (0..TEXTS.len()).sum::<usize>());
}

#[test]
fn libreoffice_opens_a_workbook_and_computes_its_sums() {
    let (folder, path) = file("rows.xlsx", &header(), TEXTS.len());
    let home = format!("-env:UserInstallation=file://{}/office", folder.path().display());
    let out = folder.path().to_str().unwrap();
    // With commas and quotes, in UTF-8, of the first sheet: otherwise it writes the encoding of the system's locale.
    let kind = "csv:Text - txt - csv (StarCalc):44,34,76,1";
    let arguments =
        [&*home, "--headless", "--convert-to", kind, "--outdir", out, path.to_str().unwrap()];
    let Some(output) = run("soffice", &arguments) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    assert!(text.contains("Käse, \"\"Zürich\"\"; ß") && text.contains("=1+1"), "{text}");
    let sum = (0..TEXTS.len()).sum::<usize>();
    assert!(text.lines().last().unwrap().starts_with(&format!("Total,{sum}")), "{text}");
}

#[test]
fn qpdf_finds_nothing_wrong_and_pdftotext_every_cell() {
    let (_folder, path) = file("rows.pdf", &header(), 300);
    let path = path.to_str().unwrap();
    if let Some(output) = run("qpdf", &["--check", path]) {
        assert!(said(&output).contains("No syntax or stream encoding errors"), "{output:?}");
    }
    if let Some(output) = run("pdffonts", &[path]) {
        let fonts = said(&output);
        let (found, embedded) = (fonts.lines().skip(2), |line: &str| line.contains(" yes "));
        assert!(found.clone().count() >= 2 && found.clone().all(embedded), "{fonts}");
    }
    let Some(output) = run("pdftotext", &["-layout", path, "-"]) else { return };
    let text = said(&output);
    let pages: Vec<&str> = text.split('\u{c}').filter(|page| !page.trim().is_empty()).collect();
    assert!(pages.len() > 3);
    for (number, page) in (1..).zip(&pages) {
        assert!(page.contains(&format!("Page {number} of {}", pages.len())), "{page}");
        assert!(page.contains("Zeitpunkt") && page.contains("Marken"), "{page}");
    }
    for expected in
        ["Rollen – Überblick", "Käserei Zürich", "Ελλάδα", "Привет", "2026-07-01 00:30:00"]
    {
        assert!(text.contains(expected), "{expected}");
    }
    for n in 0..300 {
        assert!(text.contains(&format!("a, b{n}")), "row {n}");
    }
    assert!(text.contains("Total") && text.contains(&(0..300).sum::<usize>().to_string()));
}

#[test]
fn pyarrow_finds_every_type_and_value_of_parquet() {
    let (_folder, path) = file("rows.parquet", &header(), TEXTS.len());
    let script = "
table = pyarrow.parquet.read_table(sys.argv[1])
meta = table.schema.metadata
print(json.dumps({
    'types': [str(field.type) for field in table.schema],
    'names': table.column('Name').to_pylist(), 'counts': table.column('Anzahl').to_pylist(),
    'moment': table.column('Zeitpunkt').to_pylist()[0].isoformat(),
    'tags': table.column('Marken').to_pylist()[1],
    'as_of': meta[b'annals.as_of.position'].decode(),
}))";
    let Some(read) = python("pyarrow.parquet", script, &path) else { return };
    let types = [
        "string",
        "int64",
        "timestamp[us, tz=UTC]",
        "date32[day]",
        "bool",
        "list<element: string>",
    ];
    assert_eq!(read["types"], serde_json::json!(types));
    assert_eq!(read["names"], serde_json::json!(TEXTS));
    assert_eq!(read["counts"], serde_json::json!((0..TEXTS.len()).collect::<Vec<_>>()));
    assert_eq!(read["moment"], "2026-01-01T12:00:00.123456+00:00");
    assert_eq!(read["tags"], serde_json::json!(["a", "b1"]));
    assert_eq!(read["as_of"], "48213");
}
