//! Dates in the three formats of RFC 9110 §5.6.7, made here and not by what is tested.

use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
pub(crate) fn imf(seconds: i64) -> String {
    let Civil { weekday, day, month, year, time } = Civil::of(seconds);
    format!("{}, {day:02} {month} {year:04} {time} GMT", &weekday[..3])
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(seconds: i64) -> String {
    let Civil { weekday, day, month, year, time } = Civil::of(seconds);
    format!("{weekday}, {day:02}-{month}-{:02} {time} GMT", year % 100)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(seconds: i64) -> String {
    let Civil { weekday, day, month, year, time } = Civil::of(seconds);
    format!("{} {month} {day:2} {time} {year:04}", &weekday[..3])
}

struct Civil {
    weekday: &'static str,
    day: i64,
    month: &'static str,
    year: i64,
    time: String,
}

impl Civil {
    fn of(seconds: i64) -> Self {
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years and months counted from the first of March, so that a leap day is the last of its year.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let of_year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * of_year + of_year / 4 - of_year / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = (from_march + 2) % 12;
        let year = era * 400 + of_year + i64::from(month < 2);
        Self {
            weekday: DAYS[usize::try_from(days.rem_euclid(7)).unwrap()],
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            month: MONTHS[usize::try_from(month).unwrap()],
            year,
            time: format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60),
        }
    }
}

/// `text` with a date for each `{now}`, `{now-60}`, `{now+60}`, `{850:now-60}` and `{asctime:now-60}`, from `base` on.
pub(crate) fn filled(text: &str, base: i64) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, (inside, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        out.push_str(before);
        let (format, moment) = inside.split_once(':').unwrap_or(("imf", inside));
        match moment.strip_prefix("now") {
            Some(offset) => {
                let seconds = base + if offset.is_empty() { 0 } else { offset.parse().unwrap() };
                out.push_str(&match format {
                    "imf" => imf(seconds),
                    "850" => rfc850(seconds),
                    "asctime" => asctime(seconds),
                    other => panic!("no format {other}"),
                });
            }
            None => out.push_str(&format!("{{{inside}}}")),
        }
        rest = after;
    }
    out + rest
}

#[test]
fn dates() {
    // RFC 9110 §5.6.7 has these three of one moment.
    let moment = 784_111_777;
    assert_eq!(imf(moment), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(rfc850(moment), "Sunday, 06-Nov-94 08:49:37 GMT");
    assert_eq!(asctime(moment), "Sun Nov  6 08:49:37 1994");
    assert_eq!(imf(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT", "a leap day");
    assert_eq!(imf(1_767_225_599), "Wed, 31 Dec 2025 23:59:59 GMT", "the end of a year");
    assert_eq!(filled("a {now-7} {x}", moment), "a Sun, 06 Nov 1994 08:49:30 GMT {x}");
}
