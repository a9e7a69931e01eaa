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
