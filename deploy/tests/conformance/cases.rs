//! The tables, in the order of RFC 9111.

mod conditions;
mod expires;
mod fields;
mod heads;
mod invalidation;
mod keys;
mod lifetimes;
mod parts;
mod permissions;
mod ranges;
mod requests;
mod sites;
mod spellings;
mod stale;
mod statuses;
mod targeted;
mod truncated;
mod unkeyed;
mod validation;
mod vary;

use crate::case::Case;

pub(crate) use sites::sites;
pub(crate) use stale::gone;

/// All cases for an upstream that stays.
pub(crate) fn all() -> Vec<Case> {
    [
        statuses::cases(),
        lifetimes::cases(),
        permissions::cases(),
        targeted::cases(),
        expires::cases(),
        requests::cases(),
        keys::cases(),
        spellings::cases(),
        unkeyed::cases(),
        vary::cases(),
        fields::cases(),
        truncated::cases(),
        parts::cases(),
        conditions::cases(),
        validation::cases(),
        heads::cases(),
        ranges::cases(),
        invalidation::cases(),
        stale::cases(),
        sites::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
