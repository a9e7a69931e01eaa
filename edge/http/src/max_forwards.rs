//! How many more times a request may be forwarded (RFC 9110 §7.6.2).

use crate::head::Fields;

/// What Max-Forwards says about one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaxForwards {
    /// Nothing: the field is missing, or the method is one for which it means nothing.
    Unlimited,
    /// The request must not be forwarded: whoever has it answers as its last recipient.
    Last,
    /// The request may be forwarded with this value, which is one less than was received.
    More(u64),
}

/// Max-Forwards of a request with TRACE or OPTIONS is not one decimal number: a 400, since it can't be told who is to
/// answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadMaxForwards;

/// What the Max-Forwards of a request says.
///
/// For methods other than TRACE and OPTIONS the field may be ignored, and is.
///
/// # Errors
/// [`BadMaxForwards`]
pub fn max_forwards(method: &[u8], fields: Fields<'_>) -> Result<MaxForwards, BadMaxForwards> {
    if !matches!(method, b"TRACE" | b"OPTIONS") {
        return Ok(MaxForwards::Unlimited);
    }
    let mut values = fields.all("max-forwards");
    let Some(value) = values.next() else { return Ok(MaxForwards::Unlimited) };
    if values.next().is_some() || value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(BadMaxForwards);
    }
    // RFC 9110 §7.6.2: the lesser of the received value less one and the greatest one that is supported.
    let received = value.iter().fold(0_u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    Ok(received.checked_sub(1).map_or(MaxForwards::Last, MaxForwards::More))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse_fields;
    use MaxForwards::{Last, More, Unlimited};

    #[test]
    fn forwards_are_counted_down() {
        // RFC 9110 §7.6.2, §9.3.7, §9.3.8
        let rows = [
            ("TRACE", "", Ok(Unlimited), "no field"),
            ("TRACE", "Max-Forwards: 0\r\n", Ok(Last), "TRACE ends here"),
            ("OPTIONS", "max-forwards: 0\r\n", Ok(Last), "OPTIONS too"),
            ("OPTIONS", "Max-Forwards: 000\r\n", Ok(Last), "zero, however long"),
            ("TRACE", "Max-Forwards: 1\r\n", Ok(More(0)), "the next one is the last"),
            ("OPTIONS", "Max-Forwards: 010\r\n", Ok(More(9)), "decimal, in spite of a zero"),
            (
                "TRACE",
                "Max-Forwards: 99999999999999999999999\r\n",
                Ok(More(u64::MAX - 1)),
                "more than we can count: as many as we can",
            ),
            ("GET", "Max-Forwards: 0\r\n", Ok(Unlimited), "means nothing for other methods"),
            ("trace", "Max-Forwards: 0\r\n", Ok(Unlimited), "methods have a case"),
            ("GET", "Max-Forwards: x\r\n", Ok(Unlimited), "even when it is malformed"),
            ("TRACE", "Max-Forwards:\r\n", Err(BadMaxForwards), "empty"),
            ("TRACE", "Max-Forwards: -1\r\n", Err(BadMaxForwards), "a sign"),
            ("TRACE", "Max-Forwards: 1.0\r\n", Err(BadMaxForwards), "a fraction"),
            ("TRACE", "Max-Forwards: 1, 1\r\n", Err(BadMaxForwards), "a list"),
            ("TRACE", "Max-Forwards: 1\r\nMax-Forwards: 1\r\n", Err(BadMaxForwards), "two lines"),
        ];
        for (method, lines, expected, why) in rows {
            let mut spans = Vec::new();
            let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
            assert_eq!(max_forwards(method.as_bytes(), fields), expected, "{method}: {why}");
        }
    }
}
