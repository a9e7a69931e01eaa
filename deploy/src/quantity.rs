//! Sizes, durations and addresses as people write them on a command line or in a file.

pub use lastmile_tuning::quantity::{Period, Size};

use std::net::SocketAddr;

/// `text` as an address to listen on or to connect to: a literal one, no name.
///
/// # Errors
/// One line with the text and what is allowed.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an address; allowed: IP:PORT such as 127.0.0.1:8080 or [::1]:8080")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_literal() {
        for (text, good, why) in [
            ("127.0.0.1:80", true, "IPv4"),
            ("[::1]:80", true, "IPv6"),
            ("localhost:80", false, "no names: the executable has no resolver of the system's"),
            ("127.0.0.1", false, "no port"),
        ] {
            assert_eq!(address(text).is_ok(), good, "{text}: {why}");
        }
    }
}
