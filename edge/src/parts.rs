//! Parts of a representation (206), stored and put together (RFC 9111 §3.3, §3.4).

use crate::arena::Arena;
use crate::content::part_of_pieces;
use crate::piece::Piece;
use crate::ram::RamTier;
use crate::stored::{Description, Draft, StoredResponse};
use lastmile_http::cache::partial::{Combination, Part, combine, may_combine};
use std::rc::Rc;

/// Stores a complete part: together with stored parts of the same representation that it touches, beside those that it
/// does not touch, and in place of all else that the same fields select, which is of another representation. `Err` when
/// there is no room, or when all of the representation is stored already.
pub(crate) fn insert_part(
    (ram, arena): (&RamTier<Description>, &Rc<Arena>),
    (hash, key): (u64, &[u8]),
    stored: Draft,
    is_old: impl Fn(&StoredResponse) -> bool,
) -> Result<StoredResponse, Box<Draft>> {
    let mut others = ram.variants(hash, key);
    others.retain(|other| {
        other.selection() == stored.selection() && !is_old(other) && is_same(&stored, other)
    });
    if others.iter().any(|other| other.part().is_none()) {
        return Err(Box::new(stored));
    }
    let is_whole = stored.part().is_some_and(|part| part.is_whole());
    let whole = is_whole.then(|| stored.combined(None, stored.pieces(), (ram, arena)));
    let mut joined = whole.flatten();
    // What is joined may touch what the first alone did not touch.
    while let Some((index, larger)) =
        first_joined((ram, arena), joined.as_ref().unwrap_or(&stored), &others)
    {
        others.swap_remove(index);
        joined = Some(larger);
    }
    let selection = stored.selection().to_vec();
    let replaces = |other: &StoredResponse| {
        let stays = others.iter().any(|apart| apart.is(other));
        is_old(other) || other.selection() == selection && !stays
    };
    match joined {
        None => stored.insert(ram, hash, key, replaces),
        // Too large together: the new part alone is still of use.
        Some(joined) => joined
            .insert(ram, hash, key, replaces)
            .or_else(|_joined| stored.insert(ram, hash, key, is_old)),
    }
}

/// RFC 9110 §15.3.7.3: both have the same strong validator.
fn is_same(one: &Draft, other: &StoredResponse) -> bool {
    let (mut spans, mut other_spans) = (Vec::new(), Vec::new());
    let dates = (one.policy().date(), other.policy().date());
    may_combine((one.fields(&mut spans), dates.0), (other.fields(&mut other_spans), dates.1))
}

/// The first of `others` that `one` touches, and both together under the head of `one`, which is the newer.
fn first_joined(
    (ram, arena): (&RamTier<Description>, &Rc<Arena>),
    one: &Draft,
    others: &[StoredResponse],
) -> Option<(usize, Draft)> {
    let part = one.part()?;
    others.iter().enumerate().find_map(|(index, other)| {
        let (other_part, other_content) = (other.part()?, other.content()?);
        let joined = match combine(part, other_part) {
            Combination::Apart => return None,
            Combination::Joined(joined) => Some(joined),
            Combination::Whole => None,
        };
        let pieces = union((part, one.pieces()), (other_part, other_content.pieces()))?;
        Some((index, one.combined(joined, pieces, (ram, arena))?))
    })
}

/// The octets of two parts that touch or overlap, each once. `None` when they can't be read.
fn union(one: (Part, Vec<Piece>), other: (Part, Vec<Piece>)) -> Option<Vec<Piece>> {
    let (low, high) = if one.0.first <= other.0.first { (one, other) } else { (other, one) };
    let mut pieces = low.1;
    if high.0.last > low.0.last {
        let skipped = low.0.last + 1 - high.0.first;
        let mut rest = part_of_pieces(high.1, skipped, high.0.last - high.0.first);
        // The first is cut, and would keep alive what was cut off.
        if let Some(cut) = rest.first_mut()
            && skipped > 0
        {
            cut.shrink().ok()?;
        }
        pieces.extend(rest);
    }
    Some(pieces)
}
