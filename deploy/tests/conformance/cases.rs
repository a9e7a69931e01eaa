//! The tables, in the order of RFC 9111.

mod directives;
mod expires;
mod statuses;

use crate::case::Case;
use lastmile_edge::site::Site;

/// All cases for an upstream that stays.
pub(crate) fn all() -> Vec<Case> {
    [statuses::cases(), directives::cases(), expires::cases()].into_iter().flatten().collect()
}

/// The sites that cases are for; all other hosts have the default.
pub(crate) fn sites() -> Vec<Site> {
    Vec::new()
}
