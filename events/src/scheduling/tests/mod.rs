//! The engine against what is published about recurrences.

mod calendar;
mod clocks;
mod closed;
mod crontab;
mod properties;
mod rfc5545;
mod seasons;
mod weekly;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};

use super::*;
use crate::testing::{at, id};

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";
const LORD_HOWE: &str = "Australia/Lord_Howe";

fn modifiers(zone: &str) -> Modifiers {
    Modifiers { time_zone: zone.into(), ..Modifiers::default() }
}

fn rolling(zone: &str, roll: Roll) -> Modifiers {
    Modifiers { business_days_only: true, roll, ..modifiers(zone) }
}

#[track_caller]
fn schedule(spec: Spec, modifiers: Modifiers) -> Schedule {
    closed_on(spec, modifiers, [])
}

/// A schedule with one calendar of blackouts.
#[track_caller]
fn closed_on(
    spec: Spec,
    modifiers: Modifiers,
    blackouts: impl IntoIterator<Item = Blackout>,
) -> Schedule {
    let begins = Timestamp::UNIX_EPOCH;
    let (spec, modifiers) = checked(spec, modifiers, begins).unwrap();
    let blackouts = blackouts.into_iter().map(|blackout| (id(50), blackout)).collect();
    Schedule::new(&spec, &modifiers, blackouts, begins).unwrap()
}

fn blackout(from: &str, to: &str, label: &str) -> Blackout {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    Blackout { from, to, label: label.into(), recurring: Recurring::None }
}

fn cron(expression: &str) -> Spec {
    Spec::Cron { expression: expression.into() }
}

fn time(hour: i8, minute: i8) -> Time {
    jiff::civil::time(hour, minute, 0, 0)
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// The first that run, as clocks in the zone show them.
fn local(schedule: &Schedule, zone: &str, after: &str, most: usize) -> Vec<DateTime> {
    let zone = check::zone(zone).unwrap();
    let runs = schedule.after(at(after)).filter_map(|outcome| outcome.runs());
    runs.take(most).map(|at| zone.to_datetime(at)).collect()
}

/// The first that run.
fn moments(schedule: &Schedule, after: &str, most: usize) -> Vec<String> {
    let runs = schedule.after(at(after)).filter_map(|outcome| outcome.runs());
    runs.take(most).map(|at| at.to_string()).collect()
}

/// Local times written as `1997-09 2 4, 1997-10 2`, all at one time of the day.
fn days(text: &str, at: Time) -> Vec<DateTime> {
    let month = |text: &str| {
        let mut words = text.split_whitespace();
        let month = words.next().unwrap().to_owned();
        let day = |word: &str| match word.split_once('-') {
            Some((from, to)) => (from.parse().unwrap()..=to.parse().unwrap()).collect(),
            None => vec![word.parse::<i8>().unwrap()],
        };
        let days: Vec<i8> = words.flat_map(day).collect();
        days.into_iter().map(move |day| date(&format!("{month}-{day:02}")).to_datetime(at))
    };
    text.split(',').flat_map(|part| month(part).collect::<Vec<_>>()).collect()
}

#[test]
fn stored_words_stay() {
    use strum::VariantArray as _;
    let words = |value: serde_json::Value| value.to_string();
    assert_eq!(
        words(serde_json::to_value(Roll::VARIANTS).unwrap()),
        r#"["none","following","preceding","modified_following","skip"]"#
    );
    assert_eq!(
        words(serde_json::to_value(Season::VARIANTS).unwrap()),
        r#"["spring","summer","fall","winter"]"#
    );
    assert_eq!(
        words(serde_json::to_value(Day::VARIANTS).unwrap()),
        r#"["monday","tuesday","wednesday","thursday","friday","saturday","sunday"]"#
    );
    assert_eq!(
        words(serde_json::to_value(Misfire::CatchUp { most: 3 }).unwrap()),
        r#"{"most":3,"policy":"catch_up"}"#
    );
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let refused = |spec: Spec, modifiers: Modifiers, fault| {
        assert_eq!(checked(spec, modifiers, Timestamp::UNIX_EPOCH).unwrap_err(), fault);
    };
    let every = |text: &str| Spec::Interval { every: text.parse().unwrap(), from: None };
    let utc = || modifiers("UTC");
    for bad in ["", "* * * *", "60 * * * *", "* * * * * *", "@reboot", "a b c d e"] {
        refused(cron(bad), utc(), Fault::Cron);
    }
    refused(cron("0 0 31 2 *"), utc(), Fault::Never);
    let rule = |rule: &str| Spec::Rrule {
        starts: "1997-09-02T09:00:00".parse().unwrap(),
        rule: rule.into(),
        except: vec![],
    };
    for bad in [
        "",
        "FREQ=NEVER",
        "FREQ=SECONDLY",
        "FREQ=DAILY;INTERVAL=0;COUNT=1;COUNT=2",
        "FREQ=DAILY;COUNT=100000",
        "FREQ=DAILY;UNTIL=19971224T000000",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
    ] {
        refused(rule(bad), utc(), Fault::Rrule);
    }
    refused(rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), utc(), Fault::Never);
    for bad in ["PT59S", "PT1M0.5S", "PT90000H", "-PT5M"] {
        refused(every(bad), utc(), Fault::Interval);
    }
    refused(every("PT1H"), rolling("UTC", Roll::Following), Fault::IntervalRolls);
    let weekly = |days: &[Day]| Spec::Weekly { days: days.to_vec(), time: time(9, 0) };
    refused(weekly(&[]), utc(), Fault::Days);
    refused(weekly(&[Day::Monday, Day::Monday]), utc(), Fault::Days);
    let monthly = |day| Spec::MonthlyDay { day, time: time(9, 0), overflow: Overflow::Clamp };
    refused(monthly(0), utc(), Fault::DayOfMonth);
    refused(monthly(32), utc(), Fault::DayOfMonth);
    refused(Spec::Once { at: at("2026-01-01T00:00:00.5Z") }, utc(), Fault::Fraction);
    refused(monthly(1), modifiers("Europe/Berln"), Fault::TimeZone);
    refused(monthly(1), rolling("UTC", Roll::None), Fault::RollMissing);
    let all = <Day as strum::VariantArray>::VARIANTS.to_vec();
    refused(monthly(1), Modifiers { weekend: all, ..utc() }, Fault::Weekend);
    let misfire = Misfire::CatchUp { most: 0 };
    refused(monthly(1), Modifiers { misfire, ..utc() }, Fault::CatchUp);
    let blackout_ids = vec![id(1), id(1)];
    refused(monthly(1), Modifiers { blackout_ids, ..utc() }, Fault::Calendars);
}

#[test]
fn a_counter_passes_thresholds_once_each() {
    assert_eq!(crossings(100, None, 0, 99), 0);
    assert_eq!(crossings(100, None, 0, 100), 1);
    assert_eq!(crossings(100, None, 100, 199), 0);
    assert_eq!(crossings(100, None, 50, 450), 4);
    assert_eq!(crossings(100, Some(30), 0, 30), 1);
    assert_eq!(crossings(100, Some(30), 0, 130), 2);
    assert_eq!(crossings(100, Some(30), 130, 129), 0);
}
