//! Points in time, lengths of time, and the three forms of a date (RFC 9110 §5.6.7).

use core::time::Duration;

/// A point in time in milliseconds since the Unix epoch, leap seconds not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct UnixTime {
    milliseconds: u64,
}

/// A non-negative number of seconds, at most [`DeltaSeconds::MAX`] when parsed (RFC 9111 §1.2.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct DeltaSeconds(pub u32);

/// Index is month minus one.
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Index 0 is the weekday of the epoch.
const WEEKDAYS: [&[u8]; 7] =
    [b"Thursday", b"Friday", b"Saturday", b"Sunday", b"Monday", b"Tuesday", b"Wednesday"];

const SECONDS_PER_DAY: u64 = 86_400;
/// 9999-12-31T23:59:59: a date has four digits for the year, so a later time is written as this one.
const WRITTEN_SECONDS_MAX: u64 = 253_402_300_799;
/// A two-digit year further in the future than this is one of the past (RFC 9110 §5.6.7).
const FUTURE_YEARS_MAX: u32 = 50;

impl UnixTime {
    /// The time `milliseconds` after the epoch.
    #[must_use]
    pub const fn from_milliseconds(milliseconds: u64) -> Self {
        Self { milliseconds }
    }

    /// The time `seconds` after the epoch, at most the last one that fits.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self { milliseconds: seconds.saturating_mul(1000) }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn milliseconds(self) -> u64 {
        self.milliseconds
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.milliseconds / 1000
    }

    /// The time passed since `earlier`; zero when that is later.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.milliseconds.saturating_sub(earlier.milliseconds))
    }

    /// The time `length` later, in whole milliseconds, at most the last one that fits.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        let length = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self { milliseconds: self.milliseconds.saturating_add(length) }
    }
}

impl DeltaSeconds {
    /// What a number too large to represent is taken for (RFC 9111 §1.2.2).
    pub const MAX: Self = Self(1 << 31);

    /// Reads `1*DIGIT`; `None` for anything else, an empty value and signs included.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.is_empty() {
            return None;
        }
        let mut seconds = 0_u32;
        for octet in value {
            let digit = octet.is_ascii_digit().then(|| u32::from(octet - b'0'))?;
            seconds = seconds.saturating_mul(10).saturating_add(digit).min(Self::MAX.0);
        }
        Some(Self(seconds))
    }
}

/// Reads a date in any of the three forms; `now` settles the century of a two-digit year.
///
/// Names match in any case, as RFC 9111 §4.2 asks of a cache; a zone other than GMT, a day that its month does not
/// have, or a missing digit is no date. The weekday must be one but is not compared with the date. A time before the
/// epoch is the epoch.
#[must_use]
pub fn parse_http_date(value: &[u8], now: UnixTime) -> Option<UnixTime> {
    let name_length = value.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
    let (name, rest) = value.split_at(name_length);
    let is_short = WEEKDAYS.iter().any(|weekday| weekday[..3].eq_ignore_ascii_case(name));
    let is_long = WEEKDAYS.iter().any(|weekday| weekday.eq_ignore_ascii_case(name));
    match rest.first()? {
        b',' if is_short => parse_imf_fixdate(rest),
        b',' if is_long => parse_rfc850_date(rest, now),
        b' ' if is_short => parse_asctime_date(rest),
        _ => None,
    }
}

/// Appends the 29 octets of the preferred form, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn write_http_date(at: UnixTime, out: &mut Vec<u8>) {
    let seconds = at.seconds().min(WRITTEN_SECONDS_MAX);
    let days = seconds / SECONDS_PER_DAY;
    let (year, month, day) = date_of(days);
    let second_of_day = (seconds % SECONDS_PER_DAY) as u32;
    out.extend_from_slice(&WEEKDAYS[(days % 7) as usize][..3]);
    out.extend_from_slice(b", ");
    write_two_digits(day, out);
    out.push(b' ');
    out.extend_from_slice(MONTHS[month as usize - 1]);
    out.push(b' ');
    write_two_digits(year / 100, out);
    write_two_digits(year % 100, out);
    out.push(b' ');
    write_two_digits(second_of_day / 3600, out);
    out.push(b':');
    write_two_digits(second_of_day / 60 % 60, out);
    out.push(b':');
    write_two_digits(second_of_day % 60, out);
    out.extend_from_slice(b" GMT");
}

/// `, 06 Nov 1994 08:49:37 GMT`
fn parse_imf_fixdate(rest: &[u8]) -> Option<UnixTime> {
    let rest: &[u8; 26] = rest.try_into().ok()?;
    let separated = rest[1] == b' ' && rest[4] == b' ' && rest[8] == b' ' && rest[13] == b' ';
    if !separated || !rest[22..].eq_ignore_ascii_case(b" GMT") {
        return None;
    }
    let days = days_of(number(&rest[9..13])?, month(&rest[5..8])?, number(&rest[2..4])?)?;
    Some(at(days, time_of_day(&rest[14..22])?))
}

/// `, 06-Nov-94 08:49:37 GMT`
fn parse_rfc850_date(rest: &[u8], now: UnixTime) -> Option<UnixTime> {
    let rest: &[u8; 24] = rest.try_into().ok()?;
    let separated = rest[1] == b' ' && rest[4] == b'-' && rest[8] == b'-' && rest[11] == b' ';
    if !separated || !rest[20..].eq_ignore_ascii_case(b" GMT") {
        return None;
    }
    let (year_of_century, month, day) =
        (number(&rest[9..11])?, month(&rest[5..8])?, number(&rest[2..4])?);
    let time_of_day = time_of_day(&rest[12..20])?;
    let (year_now, month_now, day_now) = date_of(now.seconds() / SECONDS_PER_DAY);
    // RFC 9110 §5.6.7: what appears to be more than 50 years in the future is the most recent year of the past that
    // ends with the same digits.
    let second_now = (now.seconds() % SECONDS_PER_DAY) as u32;
    let latest = (year_now.saturating_add(FUTURE_YEARS_MAX), month_now, day_now, second_now);
    let mut year = (latest.0 / 100) * 100 + year_of_century;
    if (year, month, day, time_of_day) > latest {
        year = year.checked_sub(100)?;
    }
    Some(at(days_of(year, month, day)?, time_of_day))
}

/// ` Nov  6 08:49:37 1994`
fn parse_asctime_date(rest: &[u8]) -> Option<UnixTime> {
    let rest: &[u8; 21] = rest.try_into().ok()?;
    if rest[4] != b' ' || rest[7] != b' ' || rest[16] != b' ' {
        return None;
    }
    let day = number(if rest[5] == b' ' { &rest[6..7] } else { &rest[5..7] })?;
    let days = days_of(number(&rest[17..21])?, month(&rest[1..4])?, day)?;
    Some(at(days, time_of_day(&rest[8..16])?))
}

/// Seconds into the day of `08:49:37`; 60 seconds are a leap second.
fn time_of_day(octets: &[u8]) -> Option<u32> {
    if octets[2] != b':' || octets[5] != b':' {
        return None;
    }
    let (hour, minute, second) =
        (number(&octets[..2])?, number(&octets[3..5])?, number(&octets[6..8])?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn month(name: &[u8]) -> Option<u32> {
    (1..).zip(MONTHS).find(|(_, month)| month.eq_ignore_ascii_case(name)).map(|(number, _)| number)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, octet| {
        octet.is_ascii_digit().then(|| number * 10 + u32::from(octet - b'0'))
    })
}

fn at(days: i64, second_of_day: u32) -> UnixTime {
    let seconds = days * SECONDS_PER_DAY as i64 + i64::from(second_of_day);
    UnixTime::from_seconds(u64::try_from(seconds).unwrap_or(0))
}

/// Days from the epoch to a day of the proleptic Gregorian calendar; `None` when its month does not have that day.
fn days_of(year: u32, month: u32, day: u32) -> Option<i64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let month_length = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day == 0 || day > month_length {
        return None;
    }
    // The year begins in March here, so that the leap day is its last one.
    let years = i64::from(year) - i64::from(month <= 2);
    let (era, year_of_era) = (years.div_euclid(400), years.rem_euclid(400));
    let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year, month and day that lie `days` after the epoch.
fn date_of(days: u64) -> (u32, u32, u32) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (u32::try_from(year).unwrap_or(u32::MAX), month as u32, day as u32)
}

fn write_two_digits(number: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-07-01T00:00:00Z
    const NOW: UnixTime = UnixTime::from_seconds(1_782_864_000);

    fn written(at: UnixTime) -> String {
        let mut out = Vec::new();
        write_http_date(at, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_are_read() {
        // RFC 9110 §5.6.7, RFC 9111 §4.2
        let example = Some(784_111_777);
        let rows: &[(&str, Option<u64>, &str)] = &[
            ("Sun, 06 Nov 1994 08:49:37 GMT", example, "IMF-fixdate"),
            ("Sunday, 06-Nov-94 08:49:37 GMT", example, "RFC 850"),
            ("Sun Nov  6 08:49:37 1994", example, "asctime"),
            ("Sun Nov 06 08:49:37 1994", example, "asctime with two digits for the day"),
            ("sun, 06 nOV 1994 08:49:37 gmt", example, "a cache reads any case"),
            ("Mon, 06 Nov 1994 08:49:37 GMT", example, "the weekday is not compared"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0), "the epoch"),
            ("Wed, 31 Dec 1969 23:59:59 GMT", Some(0), "before the epoch is the epoch"),
            ("Mon, 01 Jan 0001 00:00:00 GMT", Some(0), "long before the epoch"),
            ("Sat, 01 Jan 0000 00:00:00 GMT", Some(0), "year 0"),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799), "the last one"),
            ("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000), "a leap day"),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400), "a leap day after a century"),
            ("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400), "no leap day in 2100"),
            ("Fri, 30 Jun 2015 23:59:60 GMT", Some(1_435_708_800), "a leap second"),
            ("Mon, 01-Jun-76 00:00:00 GMT", None, "RFC 850 has long weekdays"),
            ("Monday, 01 Jun 1976 00:00:00 GMT", None, "IMF-fixdate has short weekdays"),
            ("Monday, 01-Jun-76 00:00:00 GMT", Some(3_358_195_200), "within 50 years"),
            ("Wednesday, 01-Jul-76 00:00:00 GMT", Some(3_360_787_200), "50 years to the second"),
            ("Wednesday, 01-Jul-76 00:00:01 GMT", Some(205_027_201), "more than 50 years"),
            ("Thursday, 01-Jan-70 00:00:00 GMT", Some(3_155_760_000), "2070 is nearer"),
            ("Friday, 01-Jan-99 00:00:00 GMT", Some(915_148_800), "2099 is not near"),
            ("Mon, 29 Feb 2100 00:00:00 GMT", None, "no such day"),
            ("Sun, 31 Apr 2024 00:00:00 GMT", None, "no such day"),
            ("Sun, 00 Apr 2024 00:00:00 GMT", None, "day 0"),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None, "hour 24"),
            ("Sun, 06 Nov 1994 08:60:00 GMT", None, "minute 60"),
            ("Sun, 06 Nov 1994 08:49:61 GMT", None, "second 61"),
            ("Sun, 06 Nov 1994 08:49:37 UTC", None, "only GMT"),
            ("Sun, 06 Nov 1994 08:49:37 +0000", None, "only GMT"),
            ("Sun, 06 Nov 1994 08:49:37", None, "no zone"),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None, "one digit for the day"),
            ("Sun, 06 Nov 94 08:49:37 GMT", None, "two digits for the year"),
            ("Sun, 06 Nov 1994 8:49:37 GMT", None, "one digit for the hour"),
            ("Sun, 06 Nov 1994 08.49.37 GMT", None, "dots"),
            ("Sun, 06-Nov-1994 08:49:37 GMT", None, "hyphens with a long year"),
            ("Sun,  06 Nov 1994 08:49:37 GMT", None, "two spaces"),
            ("Sun 06 Nov 1994 08:49:37 GMT", None, "no comma"),
            ("Xyz, 06 Nov 1994 08:49:37 GMT", None, "no weekday"),
            ("Sun, 06 Xyz 1994 08:49:37 GMT", None, "no month"),
            ("Sun, 06 Nov 1994 08:49:37 GMT ", None, "something behind it"),
            ("Sun Nov 6 08:49:37 1994", None, "asctime pads the day"),
            ("Sun, +6 Nov 1994 08:49:37 GMT", None, "a sign"),
            ("Sun", None, "only a weekday"),
            ("0", None, "what Expires often has"),
            ("-1", None, "what Expires often has"),
            ("", None, "nothing"),
        ];
        for (value, seconds, why) in rows {
            let at = seconds.map(UnixTime::from_seconds);
            assert_eq!(parse_http_date(value.as_bytes(), NOW), at, "{value}: {why}");
        }
    }

    #[test]
    fn dates_are_written_as_imf_fixdate() {
        // RFC 9110 §5.6.7: a sender generates no other form.
        let rows = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "the epoch"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT", "the RFC's example"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT", "a leap day"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT", "the last one"),
            (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT", "five digits don't fit"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT", "the end of time"),
        ];
        for (seconds, expected, why) in rows {
            assert_eq!(written(UnixTime::from_seconds(seconds)), expected, "{why}");
        }
    }

    #[test]
    fn delta_seconds_are_digits_and_saturate() {
        // RFC 9111 §1.2.2
        let rows: &[(&str, Option<u32>, &str)] = &[
            ("0", Some(0), "zero"),
            ("60", Some(60), "a number"),
            ("0060", Some(60), "leading zeros"),
            ("2147483647", Some(2_147_483_647), "the last one below the bound"),
            ("2147483648", Some(1 << 31), "the bound"),
            ("2147483649", Some(1 << 31), "above the bound"),
            ("4294967296", Some(1 << 31), "more than 32 bits"),
            ("99999999999999999999999999", Some(1 << 31), "more than 64 bits"),
            ("", None, "nothing"),
            ("-1", None, "a sign"),
            ("+1", None, "a sign"),
            ("1.5", None, "a fraction"),
            (" 1", None, "whitespace"),
            ("1s", None, "a unit"),
        ];
        for (value, seconds, why) in rows {
            assert_eq!(DeltaSeconds::parse(value.as_bytes()).map(|s| s.0), *seconds, "{why}");
        }
    }

    #[test]
    fn times_saturate() {
        let last = UnixTime::from_milliseconds(u64::MAX);
        assert_eq!(UnixTime::from_seconds(u64::MAX), last);
        assert_eq!(last.plus(Duration::MAX), last);
        assert_eq!(NOW.plus(Duration::from_millis(1500)).saturating_since(NOW).as_millis(), 1500);
        assert_eq!(NOW.saturating_since(last), Duration::ZERO);
        assert_eq!(UnixTime::from_milliseconds(1999).seconds(), 1);
    }

    proptest! {
        #[test]
        fn a_written_date_reads_back(seconds in 0..=WRITTEN_SECONDS_MAX, now in any::<u64>()) {
            let at = UnixTime::from_seconds(seconds);
            let text = written(at);
            prop_assert_eq!(text.len(), 29);
            let read = parse_http_date(text.as_bytes(), UnixTime::from_milliseconds(now));
            prop_assert_eq!(read, Some(at));
        }

        #[test]
        fn every_day_of_the_calendar_is_its_own(days in 0..4_000_000_u64) {
            let (year, month, day) = date_of(days);
            prop_assert_eq!(days_of(year, month, day), Some(days as i64));
        }

        #[test]
        fn a_two_digit_year_is_at_most_50_years_ahead(
            year in 0..100_u32, day in 1..=28_u32, now in 0..=WRITTEN_SECONDS_MAX / 2,
        ) {
            let text = format!("Monday, {day:02}-Feb-{year:02} 12:00:00 GMT");
            let now = UnixTime::from_seconds(now);
            let read = parse_http_date(text.as_bytes(), now).unwrap();
            // 50 years have at most 13 leap days.
            let ahead = read.saturating_since(now).as_secs() / SECONDS_PER_DAY;
            prop_assert!(ahead <= 50 * 365 + 13, "{text} is {ahead} days after {now:?}");
        }

        #[test]
        fn arbitrary_octets_never_panic(value: Vec<u8>, now: u64) {
            let now = UnixTime::from_milliseconds(now);
            let _ = (parse_http_date(&value, now), DeltaSeconds::parse(&value));
        }

        #[test]
        fn almost_dates_never_panic(
            value in "(Sun|Sunday)[, ]{1,2}[0-9A-Za-z :-]{18,24}( GMT)?", now: u64,
        ) {
            let _ = parse_http_date(value.as_bytes(), UnixTime::from_milliseconds(now));
        }
    }
}
