//! How old a response is (RFC 9111 §4.2.3).

use crate::head::Fields;
use crate::time::{DeltaSeconds, UnixTime};
use std::time::Duration;

/// The Age field (RFC 9111 §5.1): the first member if there are several; 0 when there is none or it is invalid.
#[must_use]
pub fn age_value(fields: Fields<'_>) -> DeltaSeconds {
    fields.list("age").next().and_then(DeltaSeconds::parse).unwrap_or_default()
}

/// The age of a response when it arrived: the larger of what its Date implies and what its Age says plus the time that
/// the exchange took, all of which may have passed after Age was written.
///
/// Kept finer than a second, so that a response is never taken for younger than it is because parts of it were each
/// rounded down.
#[must_use]
pub fn corrected_initial_age(
    age_value: DeltaSeconds,
    date: UnixTime,
    request_time: UnixTime,
    response_time: UnixTime,
) -> Duration {
    // RFC 9111 §4.2.3: apparent_age = max(0, response_time - date_value)
    let apparent_age = response_time.saturating_since(date);
    let response_delay = response_time.saturating_since(request_time);
    let corrected_age_value = Duration::from_secs(u64::from(age_value.0)) + response_delay;
    apparent_age.max(corrected_age_value)
}

/// Whole seconds of an age, as the Age field has them: at most 2^31 (RFC 9111 §1.2.2).
#[must_use]
pub fn whole_seconds(age: Duration) -> DeltaSeconds {
    let seconds = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
    DeltaSeconds(seconds).min(DeltaSeconds::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use proptest::prelude::*;

    #[test]
    fn age_field() {
        // RFC 9111 §5.1
        let rows: [(&str, u32, &str); 25] = [
            ("", 0, "none"),
            ("Age: 60\r\n", 60, "plain"),
            ("Age: 0060\r\n", 60, "leading zeros"),
            ("Age: 60, 7\r\n", 60, "the first member of a list"),
            ("Age: 7\r\nAge: 60\r\n", 7, "the first of several lines"),
            ("Age: -60\r\n", 0, "negative: ignored"),
            ("Age: 60.5\r\n", 0, "fractional: ignored"),
            ("Age: a60\r\n", 0, "letters: ignored"),
            ("Age: x, 60\r\n", 0, "the first is invalid: ignored"),
            ("Age:\r\n", 0, "empty"),
            ("Age: \"60\"\r\n", 0, "quoted: not a number"),
            ("Age: 2147483648\r\n", 1 << 31, "§1.2.2: the largest"),
            ("Age: 99999999999999999999\r\n", 1 << 31, "§1.2.2: overflow"),
            ("Age: 2147483647\r\n", (1 << 31) - 1, "§1.2.2: one less than the largest"),
            ("Age: 2147483649\r\n", 1 << 31, "§1.2.2: one more"),
            ("AGE: 60\r\n", 60, "RFC 9110 §5.1: names in any case"),
            ("Age:  60 \r\n", 60, "RFC 9110 §5.5: white space around it"),
            ("Age: , 60\r\n", 60, "RFC 9110 §5.6.1.2: empty members are none"),
            ("Age:\r\nAge: 60\r\n", 60, "likewise"),
            ("Age: 60\r\nAge: x\r\n", 60, "what follows the first is discarded"),
            ("Age: 60, -1\r\n", 60, "likewise"),
            ("Age: 0\r\nAge: 60\r\n", 0, "likewise"),
            ("Age: +60\r\n", 0, "a sign: ignored"),
            ("Age: 60 s\r\n", 0, "a unit: ignored"),
            ("Age: 60;a=b\r\n", 0, "parameters: ignored"),
        ];
        for (lines, expected, why) in rows {
            let mut spans = Vec::new();
            let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
            assert_eq!(age_value(fields), DeltaSeconds(expected), "{why}");
        }
    }

    #[test]
    fn initial_age() {
        // RFC 9111 §4.2.3; times in milliseconds.
        let rows: [(u32, u64, u64, u64, u64, &str); 7] = [
            (0, 10_000, 10_000, 10_000, 0, "made just now"),
            (0, 4_000, 10_000, 10_000, 6_000, "apparent age from Date"),
            (9, 4_000, 10_000, 10_000, 9_000, "Age is larger"),
            (0, 10_000, 8_500, 10_000, 1_500, "the delay counts"),
            (9, 10_000, 8_500, 10_000, 10_500, "and is added to Age"),
            (0, 70_000, 10_000, 10_000, 0, "a Date in the future is no negative age"),
            (5, 4_000, 11_000, 10_000, 6_000, "a clock that was set back: no negative delay"),
        ];
        for (age, date, request, response, expected, why) in rows {
            let age = corrected_initial_age(
                DeltaSeconds(age),
                UnixTime::from_milliseconds(date),
                UnixTime::from_milliseconds(request),
                UnixTime::from_milliseconds(response),
            );
            assert_eq!(age, Duration::from_millis(expected), "{why}");
        }
    }

    #[test]
    fn seconds_are_clamped() {
        // RFC 9111 §1.2.2
        assert_eq!(whole_seconds(Duration::from_millis(1_999)), DeltaSeconds(1));
        assert_eq!(whole_seconds(Duration::from_secs((1 << 31) + 1)), DeltaSeconds(1 << 31));
        assert_eq!(whole_seconds(Duration::MAX), DeltaSeconds(1 << 31));
    }

    proptest! {
        #[test]
        fn no_part_of_an_age_is_lost(
            age in 0u32..=1 << 31, date: u32, request: u32, delay in 0u64..100_000,
        ) {
            let request = UnixTime::from_milliseconds(u64::from(request));
            let response = request.plus(Duration::from_millis(delay));
            let date = UnixTime::from_milliseconds(u64::from(date));
            let initial = corrected_initial_age(DeltaSeconds(age), date, request, response);
            prop_assert!(initial >= Duration::from_secs(u64::from(age)));
            prop_assert!(initial >= Duration::from_millis(delay));
            prop_assert!(initial >= response.saturating_since(date));
        }
    }
}
