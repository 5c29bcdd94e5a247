//! Every example of RFC 5545, section 3.8.5.3, with the times printed there.

use super::*;

const MORNING: Time = jiff::civil::time(9, 0, 0, 0);

#[track_caller]
fn expands(starts: &str, rule: &str, expected: &[DateTime], is_all: bool) {
    let starts: DateTime = format!("{starts}T09:00:00").parse().unwrap();
    let except = if rule.contains("BYDAY=FR;BYMONTHDAY=13") { vec![starts] } else { vec![] };
    let spec = Spec::Rrule { starts, rule: rule.into(), except };
    let schedule = schedule(spec, modifiers(NEW_YORK));
    let most = if is_all { expected.len() + 1 } else { expected.len() };
    let found = local(&schedule, NEW_YORK, "1990-01-01T00:00:00Z", most);
    assert_eq!(found, expected, "{rule}");
    // Asked from the middle, it goes on as it would have.
    let zone = check::zone(NEW_YORK).unwrap();
    for (index, time) in expected.iter().enumerate() {
        let after = zone.to_timestamp(*time).unwrap().to_string();
        let next = local(&schedule, NEW_YORK, &after, 1);
        let expected = expected.get(index + 1);
        assert!(next.first() == expected || (expected.is_none() && !is_all), "{rule} after {time}");
    }
}

#[track_caller]
fn all(starts: &str, rule: &str, expected: &str) {
    expands(starts, rule, &days(expected, MORNING), true);
}

#[track_caller]
fn first(starts: &str, rule: &str, expected: &str) {
    expands(starts, rule, &days(expected, MORNING), false);
}

#[test]
fn daily() {
    all("1997-09-02", "FREQ=DAILY;COUNT=10", "1997-09 2-11");
    all(
        "1997-09-02",
        "FREQ=DAILY;UNTIL=19971224T000000Z",
        "1997-09 2-30, 1997-10 1-31, 1997-11 1-30, 1997-12 1-23",
    );
    first(
        "1997-09-02",
        "FREQ=DAILY;INTERVAL=2",
        "1997-09 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30,
         1997-10 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30,
         1997-11 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29, 1997-12 1 3",
    );
    all("1997-09-02", "FREQ=DAILY;INTERVAL=10;COUNT=5", "1997-09 2 12 22, 1997-10 2 12");
    let january = "1998-01 1-31, 1999-01 1-31, 2000-01 1-31";
    all(
        "1998-01-01",
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        january,
    );
    all("1998-01-01", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", january);
}

#[test]
fn weekly() {
    all(
        "1997-09-02",
        "FREQ=WEEKLY;COUNT=10",
        "1997-09 2 9 16 23 30, 1997-10 7 14 21 28, 1997-11 4",
    );
    all(
        "1997-09-02",
        "FREQ=WEEKLY;UNTIL=19971224T000000Z",
        "1997-09 2 9 16 23 30, 1997-10 7 14 21 28, 1997-11 4 11 18 25, 1997-12 2 9 16 23",
    );
    first(
        "1997-09-02",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "1997-09 2 16 30, 1997-10 14 28, 1997-11 11 25, 1997-12 9 23, 1998-01 6 20, 1998-02 3 17",
    );
    let five_weeks = "1997-09 2 4 9 11 16 18 23 25 30, 1997-10 2";
    all("1997-09-02", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", five_weeks);
    all("1997-09-02", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", five_weeks);
    all(
        "1997-09-01",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "1997-09 1 3 5 15 17 19 29, 1997-10 1 3 13 15 17 27 29 31,
         1997-11 10 12 14 24 26 28, 1997-12 8 10 12 22",
    );
    all(
        "1997-09-02",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        "1997-09 2 4 16 18 30, 1997-10 2 14 16",
    );
    all("1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08 5 10 19 24");
    all("1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08 5 17 19 31");
}

#[test]
fn monthly_on_days_of_the_week() {
    all(
        "1997-09-05",
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "1997-09 5, 1997-10 3, 1997-11 7, 1997-12 5, 1998-01 2, 1998-02 6, 1998-03 6, 1998-04 3,
         1998-05 1, 1998-06 5",
    );
    all(
        "1997-09-05",
        "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
        "1997-09 5, 1997-10 3, 1997-11 7, 1997-12 5",
    );
    all(
        "1997-09-07",
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "1997-09 7 28, 1997-11 2 30, 1998-01 4 25, 1998-03 1 29, 1998-05 3 31",
    );
    all(
        "1997-09-22",
        "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        "1997-09 22, 1997-10 20, 1997-11 17, 1997-12 22, 1998-01 19, 1998-02 16",
    );
    first(
        "1997-09-02",
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        "1997-09 2 9 16 23 30, 1997-11 4 11 18 25, 1998-01 6 13 20 27, 1998-03 3 10 17 24 31",
    );
    first(
        "1997-09-02",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "1998-02 13, 1998-03 13, 1998-11 13, 1999-08 13, 2000-10 13",
    );
    first(
        "1997-09-13",
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "1997-09 13, 1997-10 11, 1997-11 8, 1997-12 13, 1998-01 10, 1998-02 7, 1998-03 7,
         1998-04 11, 1998-05 9, 1998-06 13",
    );
    all(
        "1997-09-04",
        "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        "1997-09 4, 1997-10 7, 1997-11 6",
    );
    first(
        "1997-09-29",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "1997-09 29, 1997-10 30, 1997-11 27, 1997-12 30, 1998-01 29, 1998-02 26, 1998-03 30",
    );
}

#[test]
fn monthly_on_days_of_the_month() {
    first(
        "1997-09-28",
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "1997-09 28, 1997-10 29, 1997-11 28, 1997-12 29, 1998-01 29, 1998-02 26",
    );
    all(
        "1997-09-02",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        "1997-09 2 15, 1997-10 2 15, 1997-11 2 15, 1997-12 2 15, 1998-01 2 15",
    );
    all(
        "1997-09-30",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "1997-09 30, 1997-10 1 31, 1997-11 1 30, 1997-12 1 31, 1998-01 1 31, 1998-02 1",
    );
    all(
        "1997-09-10",
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "1997-09 10-15, 1999-03 10-13",
    );
    all(
        "2007-01-15",
        "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        "2007-01 15 30, 2007-02 15, 2007-03 15 30",
    );
}

#[test]
fn yearly() {
    all(
        "1997-06-10",
        "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        "1997-06 10, 1997-07 10, 1998-06 10, 1998-07 10, 1999-06 10, 1999-07 10, 2000-06 10,
         2000-07 10, 2001-06 10, 2001-07 10",
    );
    all(
        "1997-03-10",
        "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        "1997-03 10, 1999-01 10, 1999-02 10, 1999-03 10, 2001-01 10, 2001-02 10, 2001-03 10,
         2003-01 10, 2003-02 10, 2003-03 10",
    );
    all(
        "1997-01-01",
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "1997-01 1, 1997-04 10, 1997-07 19, 2000-01 1, 2000-04 9, 2000-07 18, 2003-01 1,
         2003-04 10, 2003-07 19, 2006-01 1",
    );
    first("1997-05-19", "FREQ=YEARLY;BYDAY=20MO", "1997-05 19, 1998-05 18, 1999-05 17");
    first("1997-05-12", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05 12, 1998-05 11, 1999-05 17");
    first(
        "1997-03-13",
        "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        "1997-03 13 20 27, 1998-03 5 12 19 26, 1999-03 4 11 18 25",
    );
    first(
        "1997-06-05",
        "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        "1997-06 5 12 19 26, 1997-07 3 10 17 24 31, 1997-08 7 14 21 28,
         1998-06 4 11 18 25, 1998-07 2 9 16 23 30, 1998-08 6 13 20 27,
         1999-06 3 10 17 24, 1999-07 1 8 15 22 29, 1999-08 5 12 19 26",
    );
    first(
        "1996-11-05",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1996-11 5, 2000-11 7, 2004-11 2",
    );
}

#[test]
fn within_a_day() {
    let on = |day: &str, times: &[(i8, i8)]| -> Vec<DateTime> {
        times.iter().map(|(hour, minute)| date(day).to_datetime(time(*hour, *minute))).collect()
    };
    // The RFC's UNTIL is 17:00 as New York's clocks have it, but written as if that were UTC; its errata say so.
    expands(
        "1997-09-02",
        "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
        &on("1997-09-02", &[(9, 0), (12, 0), (15, 0)]),
        true,
    );
    expands(
        "1997-09-02",
        "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
        &on("1997-09-02", &[(9, 0), (9, 15), (9, 30), (9, 45), (10, 0), (10, 15)]),
        true,
    );
    expands(
        "1997-09-02",
        "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
        &on("1997-09-02", &[(9, 0), (10, 30), (12, 0), (13, 30)]),
        true,
    );
    let thirds: Vec<(i8, i8)> =
        (9..=16).flat_map(|hour| [0, 20, 40].map(|minute| (hour, minute))).collect();
    let two_days = [on("1997-09-02", &thirds), on("1997-09-03", &thirds)].concat();
    let hours = "BYHOUR=9,10,11,12,13,14,15,16";
    let daily = format!("FREQ=DAILY;{hours};BYMINUTE=0,20,40");
    expands("1997-09-02", &daily, &two_days, false);
    expands("1997-09-02", &format!("FREQ=MINUTELY;INTERVAL=20;{hours}"), &two_days, false);
}

#[test]
fn a_rule_that_began_long_ago_is_asked_as_fast_as_a_new_one() {
    for rule in ["FREQ=MINUTELY;INTERVAL=7", "FREQ=HOURLY;INTERVAL=5", "FREQ=DAILY", "FREQ=MONTHLY"]
    {
        let spec = |starts: &str| Spec::Rrule {
            starts: starts.parse().unwrap(),
            rule: rule.into(),
            except: vec![],
        };
        let long_ago = schedule(spec("1970-01-05T09:00:00"), modifiers("UTC"));
        let found = moments(&long_ago, "2026-03-04T05:06:07Z", 3);
        let next = found[0].trim_end_matches('Z');
        let anew = schedule(spec(next), modifiers("UTC"));
        assert_eq!(moments(&anew, "2026-03-04T05:06:07Z", 3), found, "{rule}");
    }
}
