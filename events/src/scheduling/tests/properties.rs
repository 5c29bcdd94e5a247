//! What holds for whatever recurs: times increase, and it does not matter from where one asks.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn specs() -> impl Strategy<Value = Spec> {
    let times = || (0..24_i8, 0..60_i8).prop_map(|(hour, minute)| time(hour, minute));
    let overflow = || prop_oneof![Just(Overflow::Clamp), Just(Overflow::Skip)];
    let field = |most: i8| {
        prop_oneof![
            Just("*".to_owned()),
            (0..most).prop_map(|value| value.to_string()),
            (2..most).prop_map(|step| format!("*/{step}")),
            (0..most, 0..most).prop_map(|(one, other)| format!("{one},{other}")),
        ]
    };
    prop_oneof![
        (1_440..10_000_i64).prop_map(|minutes| Spec::Interval {
            every: SignedDuration::from_mins(minutes),
            from: None,
        }),
        times().prop_map(|time| Spec::Daily { time }),
        (
            proptest::sample::subsequence(<Day as strum::VariantArray>::VARIANTS.to_vec(), 1..=7),
            times()
        )
            .prop_map(|(days, time)| Spec::Weekly { days, time }),
        (1..=31_u8, times(), overflow()).prop_map(|(day, time, overflow)| Spec::MonthlyDay {
            day,
            time,
            overflow
        }),
        (field(60), field(24)).prop_map(|(minute, hour)| cron(&format!("{minute} {hour} * * *"))),
        (1..4, 0..24, prop_oneof![Just("DAILY"), Just("WEEKLY"), Just("MONTHLY")]).prop_map(
            |(interval, hour, frequency)| Spec::Rrule {
                starts: format!("2020-01-06T{hour:02}:30:00").parse().unwrap(),
                rule: format!("FREQ={frequency};INTERVAL={interval}"),
                except: vec![],
            }
        ),
    ]
}

fn rolls() -> impl Strategy<Value = (bool, Roll)> {
    prop_oneof![
        Just((false, Roll::None)),
        any::<bool>().prop_map(|only| (only, Roll::Following)),
        any::<bool>().prop_map(|only| (only, Roll::Preceding)),
        any::<bool>().prop_map(|only| (only, Roll::ModifiedFollowing)),
        any::<bool>().prop_map(|only| (only, Roll::Skip)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn times_increase_and_are_the_same_from_any_start(
        spec in specs(),
        (business_days_only, roll) in rolls(),
        zone in prop_oneof![Just(BERLIN), Just(NEW_YORK), Just(LORD_HOWE), Just("UTC")],
        start in 1_750_000_000..1_830_000_000_i64,
        share in 0.0..1.0_f64,
    ) {
        let modifiers = Modifiers { business_days_only, roll, ..modifiers(zone) };
        let closed = blackout("2026-12-24", "2027-01-03", "closed");
        let schedule = closed_on(spec, modifiers, [closed]);
        let start = Timestamp::from_second(start).unwrap();
        let all: Vec<Timestamp> = schedule.after(start).filter_map(|it| it.runs()).take(30).collect();
        prop_assert!(all.windows(2).all(|two| two[0] < two[1]), "{all:?}");
        prop_assert!(all.first().is_none_or(|first| *first > start));
        for (index, at) in all.iter().enumerate().take(29) {
            prop_assert_eq!(schedule.next(*at), all.get(index + 1).copied());
        }
        if let Some(last) = all.last() {
            let span = last.duration_since(start).as_secs();
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test")]
            let middle = start + SignedDuration::from_secs((span as f64 * share) as i64);
            let next = all.iter().copied().find(|at| *at > middle);
            prop_assert_eq!(schedule.next(middle), next);
        }
    }

    #[test]
    fn a_day_is_closed_exactly_if_a_blackout_covers_it(
        blackouts in proptest::collection::vec((0..1_500_i64, 0..360_i64, any::<bool>()), 0..8),
        day in 0..3_000_i64,
    ) {
        let first = date("2026-01-01");
        let on = |days: i64| first + SignedDuration::from_hours(24 * days);
        let blackouts: Vec<_> = blackouts.into_iter().map(|(from, length, yearly)| {
            let recurring = if yearly { Recurring::Yearly } else { Recurring::None };
            let (from, to) = (on(from), on(from + length));
            (id(50), Blackout { from, to, label: "closed".into(), recurring })
        }).collect();
        let covered = blackouts.iter().any(|(_, blackout)| blackout.covers(on(day)));
        let days = Days::new(&modifiers("UTC"), blackouts);
        prop_assert_eq!(days.closed(on(day)).is_some(), covered);
    }

    #[test]
    fn no_text_makes_it_stumble(text in "[ -~]{0,40}", days in 0..20_000_i64) {
        let after = Timestamp::from_second(days * 86_400).unwrap();
        let starts = "2020-01-06T09:30:00".parse().unwrap();
        for spec in [
            cron(&text),
            Spec::Rrule { starts, rule: format!("FREQ=DAILY;{text}"), except: vec![] },
        ] {
            if let Ok((spec, modifiers)) = checked(spec, modifiers(BERLIN), after) {
                let schedule = Schedule::new(&spec, &modifiers, vec![], after).unwrap();
                prop_assert!(schedule.next(after).is_none_or(|next| next > after));
            }
        }
    }
}
