//! Lines as Casbin has them, out and in.

use proptest::prelude::*;

use super::*;
use crate::testing::{at, id};

#[test]
fn lines_are_written_as_casbin_reads_them_and_come_back() {
    let (north, top): (UnitId, UnitId) = (id(2), id(1));
    let lines = [
        Line::Role(RoleLine {
            code: "clerk".into(),
            level: 10,
            protected: false,
            unit_path: vec![north, top],
            name: "Clerk, at \u{e4}".into(),
            description: Some("two\nlines".into()),
        }),
        Line::Permission("shop.till:open".into()),
        Line::Brings("shop.*:*".into(), "shop.till:open".into()),
        Line::Grant { role: "clerk".into(), permission: "*:*".into(), unit_path: vec![] },
        Line::Has {
            who: Subject::Name("role:x, y".into()),
            role: "clerk".into(),
            unit_path: vec![north, top],
            expires_at: Some(at("2026-02-01T00:00:00Z")),
        },
        Line::Set(SetLine {
            name: "Books, audit".into(),
            cardinality: 2,
            roles: vec!["auditor".into(), "clerk".into()],
        }),
        Line::Access {
            who: "anna".into(),
            level: Level::Write,
            unit_path: vec![north, top],
            expires_at: Some(at("2026-02-01T00:00:00Z")),
        },
        Line::Access {
            who: "role:x".into(),
            level: Level::Read,
            unit_path: vec![top],
            expires_at: None,
        },
        Line::Has {
            who: Subject::Role("chief".into()),
            role: "clerk".into(),
            unit_path: vec![],
            expires_at: None,
        },
    ];
    for line in &lines {
        assert_eq!(read(&line.to_string()).as_ref(), Ok(&Some(line.clone())), "{line}");
    }
    assert_eq!(lines[3].to_string(), "p, role:clerk, *, *, *");
    assert_eq!(lines[5].to_string(), "# set, Books%2C%20audit, 2, role:auditor, role:clerk");
    assert!(lines[6].to_string().ends_with("/*, access, 2026-02-01T00:00:00Z"));
    assert_eq!(lines[8].to_string(), "g, role:chief, role:clerk, *");
    assert!(lines[4].to_string().starts_with("g, role%3Ax%2C%20y, role:clerk, /0190"));
}

#[test]
fn lines_of_others_are_read_and_what_is_no_line_is_told() {
    let grant = |role: &str, permission: &str| {
        let (role, permission) = (role.to_owned(), permission.to_owned());
        Ok(Some(Line::Grant { role, permission, unit_path: vec![] }))
    };
    assert_eq!(read("p,alice,data1,read"), grant("alice", "data1:read"));
    assert_eq!(read("  # a remark"), Ok(None));
    assert_eq!(read(""), Ok(None));
    for (line, words) in [
        ("x, y", "not with x"),
        ("p, a", "number of members"),
        ("p, a, Data One, read", "no permission"),
        ("g, a, b, north", "north cannot be read"),
        ("g, a%zz, b", "a%zz cannot be read"),
        ("# set, A, 2, clerk", "clerk cannot be read"),
        ("g, a, role:clerk, *, access", "role:clerk cannot be read"),
        ("# role, role:a, high, plain, *, A", "high cannot be read"),
    ] {
        assert!(read(line).unwrap_err().to_string().contains(words), "{line}");
    }
}

proptest! {
    #[test]
    fn any_name_of_a_user_comes_back(handle in "\\PC{1,40}") {
        let who = Subject::Name(handle);
        let (role, unit_path, expires_at) = ("clerk".to_owned(), Vec::new(), None);
        let line = Line::Has { who, role, unit_path, expires_at };
        prop_assert_eq!(read(&line.to_string()), Ok(Some(line)));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,80}") {
        let _ = read(&text);
    }
}
