//! The synthetic catalogue: `/bytes/SIZE[/NAME]` and `/echo`.
//!
//! * `octets`: what an object consists of.
//! * `parameters`: what the query asks of the response.

mod octets;
mod parameters;

pub(crate) use octets::{fill, seed};
pub use octets::{fill_synthetic, synthetic_octet};
pub use parameters::SYNTHETIC_HELP;
pub(crate) use parameters::{Parameters, parse_size};

/// What a target of the synthetic catalogue names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// An object of this many octets.
    Object(u64),
    /// The content of the request.
    Echo,
    /// `/bytes/` with something that is no size.
    NoSize,
}

/// Reads a target's path; `None` when it is not of the synthetic catalogue.
pub(crate) fn target(path: &str) -> Option<Target> {
    if path == "/echo" {
        return Some(Target::Echo);
    }
    let rest = path.strip_prefix("/bytes/")?;
    let size = rest.split('/').next().unwrap_or(rest);
    Some(parse_size(size).map_or(Target::NoSize, Target::Object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_objects() {
        let rows = [
            ("/bytes/1000", Some(Target::Object(1000)), "plain octets"),
            ("/bytes/1K", Some(Target::Object(1000)), "decimal"),
            ("/bytes/64KiB/a/b.png", Some(Target::Object(65536)), "binary, with a name"),
            ("/bytes/1.5M", Some(Target::NoSize), "no fractions"),
            ("/bytes/", Some(Target::NoSize), "no size"),
            ("/bytes/99999999T", Some(Target::NoSize), "beyond the bound"),
            ("/echo", Some(Target::Echo), "the request's own content"),
            ("/echo/x", None, "echo has no names"),
            ("/bytesize/1", None, "another path"),
        ];
        for (path, expected, why) in rows {
            assert_eq!(target(path), expected, "{path}: {why}");
        }
    }
}
