//! Dates and delta-seconds: what is read can be written and is read as the same.

use super::input::Input;
use lastmile_http::time::{DeltaSeconds, UnixTime, parse_http_date, write_http_date};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// The time now, any other time, a field value.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let (now, at, value) = (input.time(), input.time(), input.rest());
    if let Some(date) = parse_http_date(value, now) {
        assert_eq!(date.milliseconds() % 1000, 0, "dates have no fractions");
        assert_eq!(parse_http_date(&value.to_ascii_uppercase(), now), Some(date), "in any case");
        assert!((22..=33).contains(&value.len()), "none of the three forms is as long");
        // A leap second at the end of the last year of all can't be written.
        if date < UnixTime::from_seconds(253_402_300_800) {
            forms(date, now);
        }
    }
    forms(at, now);
    delta_seconds(value);
}

/// RFC 9110 §5.6.7: all three forms of a time are read as that time.
fn forms(at: UnixTime, now: UnixTime) {
    let mut fixdate = Vec::new();
    write_http_date(at, &mut fixdate);
    let written = str::from_utf8(&fixdate).expect("ASCII");
    let (year, month, day, time) = calendar(at);
    let month = MONTHS[month - 1];
    let weekday = WEEKDAYS[(at.seconds() / 86_400 % 7) as usize];
    let short = &weekday[..3];
    assert_eq!(written, format!("{short}, {day:02} {month} {year:04} {time} GMT"));
    let asctime = format!("{short} {month} {day:2} {time} {year:04}");
    for form in [written, &asctime] {
        assert_eq!(parse_http_date(form.as_bytes(), now), Some(at), "{form}");
    }
    let rfc850 = format!("{weekday}, {day:02}-{month}-{:02} {time} GMT", year % 100);
    let read = parse_http_date(rfc850.as_bytes(), now);
    // The day may not exist in the year that is nearest: 29 February of 1900 or 2100.
    // Before the epoch is the epoch.
    if let Some(read) = read.filter(|read| read.seconds() > 0) {
        let (year_read, year_now) = (calendar(read).0, calendar(now).0);
        assert_eq!(year_read % 100, year % 100, "{rfc850}");
        assert!(year_read <= year_now + 50, "RFC 9110 §5.6.7: not more than 50 years ahead");
        assert!(year_read + 50 >= year_now, "else the most recent year of the past");
    }
}

/// Year, month, day and time of day, by counting years and months.
fn calendar(at: UnixTime) -> (u64, usize, u64, String) {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let (mut year, mut days) = (1970, at.seconds() / 86_400);
    // 400 years always have as many days.
    year += days / 146_097 * 400;
    days %= 146_097;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let second = at.seconds() % 86_400;
    let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    (year, month + 1, days + 1, time)
}

/// RFC 9111 §1.2.2
fn delta_seconds(value: &[u8]) {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let parsed = DeltaSeconds::parse(value);
    assert_eq!(parsed.is_some(), digits);
    if let Some(DeltaSeconds(seconds)) = parsed {
        let text = str::from_utf8(value).expect("digits").trim_start_matches('0');
        let exact = if text.len() > 12 { u64::MAX } else { text.parse().unwrap_or(0) };
        assert_eq!(u64::from(seconds), exact.min(1 << 31));
    }
}
