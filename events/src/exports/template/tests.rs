//! The rules of a template, by example.

use super::*;
use crate::aggregate::{Claim, Event as _};
use crate::exports::export::{Misfit, Options, Sort};
use crate::exports::{Layout, Misprint, Orientation, Report};
use crate::testing::{frozen, given};
use crate::text::Fault;

fn report() -> Report {
    Report {
        dataset: "identity.users".into(),
        columns: vec!["handle".into(), "email".into()],
        filter: Some("status = \"active\"".into()),
        sort: vec![Sort { column: "handle".into(), descending: false }],
        title: Some("People".into()),
        locale: Some("de-CH".into()),
        time_zone: Some("Europe/Zurich".into()),
        layout: Layout {
            orientation: Some(Orientation::Landscape),
            header: Some("Confidential".into()),
            footer: Some("Acme AG".into()),
            logo: None,
        },
        options: Options { totals: vec!["handle".into()], ..Options::default() },
    }
}

fn define(name: &str, report: Report) -> Command {
    Command::Define { name: name.into(), report }
}

fn defined() -> Event {
    Event::Defined { name: "People".into(), report: report() }
}

fn renamed() -> Event {
    Event::Renamed { previous: "People".into(), name: "Staff".into() }
}

fn retired() -> Event {
    Event::Retired { name: "People".into() }
}

#[test]
fn samples_are_frozen() {
    let least =
        Report { dataset: "rbac.roles".into(), columns: vec!["name".into()], ..Report::default() };
    frozen::<Template>([defined(), renamed(), Event::Revised { report: least }, retired()]);
}

#[test]
fn a_template_holds_what_its_files_show() {
    given::<Template>([]).when(define(" People ", report())).then([defined()]);
    given::<Template>([defined()]).when(define("People", report())).refused(Rejection::Exists);
}

#[test]
fn a_template_is_as_well_formed_as_a_request() {
    let bad = |change: fn(&mut Report), expected: Rejection| {
        let mut report = report();
        change(&mut report);
        given::<Template>([]).when(define("People", report)).refused(expected);
    };
    bad(|it| it.dataset = "Users!".into(), Rejection::DatasetInvalid);
    bad(|it| it.columns.clear(), Rejection::ColumnsInvalid);
    bad(|it| it.columns = vec!["a".into(), "a".into()], Rejection::ColumnsInvalid);
    bad(|it| it.sort[0].column = "Not a name".into(), Rejection::SortInvalid);
    bad(|it| it.title = Some(String::new()), Rejection::TitleInvalid(Fault::Empty));
    bad(|it| it.locale = Some("?".into()), Rejection::LocaleInvalid);
    bad(|it| it.time_zone = Some("Mars/Base".into()), Rejection::TimeZoneUnknown);
    bad(|it| it.options.totals.push("level".into()), Rejection::OptionInvalid(Misfit::Totals));
    let misprint = Misprint::Footer(Fault::Empty);
    bad(|it| it.layout.footer = Some(String::new()), Rejection::LayoutInvalid(misprint));
    given::<Template>([]).when(define("", report())).refused(Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn a_revision_changes_what_it_gives_and_nothing_else() {
    let columns = vec!["handle".to_owned()];
    let revise = Revise {
        name: Some("Staff".into()),
        columns: Some(columns.clone()),
        filter: Some(String::new()),
        ..Revise::default()
    };
    let revised = Event::Revised { report: Report { columns, filter: None, ..report() } };
    given::<Template>([defined()]).when(Command::Revise(revise)).then([renamed(), revised]);
    given::<Template>([defined()]).when(Command::Revise(Revise::default())).then([]);
    let same =
        Revise { name: Some("People".into()), title: Some("People".into()), ..Revise::default() };
    given::<Template>([defined()]).when(Command::Revise(same)).then([]);
}

#[test]
fn what_is_retired_stays_so_and_what_is_not_there_cannot_be() {
    given::<Template>([defined()]).when(Command::Retire).then([retired()]);
    given::<Template>([defined(), retired()]).when(Command::Retire).then([]);
    let revise = Command::Revise(Revise::default());
    given::<Template>([defined(), retired()]).when(revise.clone()).refused(Rejection::Retired);
    given::<Template>([]).when(revise).refused(Rejection::Unknown);
    given::<Template>([]).when(Command::Retire).refused(Rejection::Unknown);
}

#[test]
fn a_name_is_taken_whatever_its_case_and_given_back() {
    assert_eq!(defined().claims(""), [Claim::take(NAME, "people")]);
    assert_eq!(renamed().claims(""), [Claim::release(NAME, "people"), Claim::take(NAME, "staff")]);
    let louder = Event::Renamed { previous: "People".into(), name: "PEOPLE".into() };
    assert_eq!(louder.claims(""), []);
    assert_eq!(retired().claims(""), [Claim::release(NAME, "people")]);
}
