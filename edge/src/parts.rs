//! Parts of a representation (206), stored and put together (RFC 9111 §3.3, §3.4).

use crate::arena::Arena;
use crate::content::StoredContent;
use crate::piece::Piece;
use crate::ram::RamTier;
use crate::stored::StoredResponse;
use lastmile_http::cache::partial::{Combination, Part, combine, may_combine};
use std::rc::Rc;
use std::sync::Arc;

/// Stores a complete part: together with stored parts of the same representation that it touches, beside those that it
/// does not touch, and in place of all else that the same fields select, which is of another representation. `false`
/// when there is no room, or when all of the representation is stored already.
pub(crate) fn insert_part(
    (ram, arena): (&RamTier<StoredResponse>, &Rc<Arena>),
    (hash, key): (u64, &[u8]),
    stored: &Arc<StoredResponse>,
    is_old: impl Fn(&StoredResponse) -> bool,
) -> bool {
    let mut others: Vec<Arc<StoredResponse>> = Vec::new();
    ram.lookup(hash, key, |other| {
        if other.selection() == stored.selection() && !is_old(other) && is_same(stored, other) {
            others.push(Arc::clone(other));
        }
        None::<()>
    });
    if others.iter().any(|other| other.part().is_none()) {
        return false;
    }
    let mut joined = match (stored.part(), stored.content()) {
        (Some(part), Some(content)) if part.is_whole() => {
            Arc::new(stored.combined(None, content.clone()))
        }
        _ => Arc::clone(stored),
    };
    // What is joined may touch what the first alone did not touch.
    while let Some((index, larger)) = first_joined((ram, arena), &joined, &others) {
        others.swap_remove(index);
        joined = Arc::new(larger);
    }
    let replaces = |other: &StoredResponse| {
        let stays = others.iter().any(|apart| core::ptr::eq(&**apart, other));
        is_old(other) || other.selection() == stored.selection() && !stays
    };
    let inserted = ram.insert(hash, key, joined, replaces);
    // Too large together: the new part alone is still of use.
    inserted.is_ok() || ram.insert(hash, key, Arc::clone(stored), is_old).is_ok()
}

/// RFC 9110 §15.3.7.3: both have the same strong validator.
fn is_same(one: &StoredResponse, other: &StoredResponse) -> bool {
    let (mut spans, mut other_spans) = (Vec::new(), Vec::new());
    let dates = (one.policy().date(), other.policy().date());
    may_combine((one.fields(&mut spans), dates.0), (other.fields(&mut other_spans), dates.1))
}

/// The first of `others` that `one` touches, and both together under the head of `one`, which is the newer.
fn first_joined(
    (ram, arena): (&RamTier<StoredResponse>, &Rc<Arena>),
    one: &StoredResponse,
    others: &[Arc<StoredResponse>],
) -> Option<(usize, StoredResponse)> {
    let part = one.part()?;
    let content = one.content()?;
    others.iter().enumerate().find_map(|(index, other)| {
        let (other_part, other_content) = (other.part()?, other.content()?);
        let joined = match combine(part, other_part) {
            Combination::Apart => return None,
            Combination::Joined(joined) => Some(joined),
            Combination::Whole => None,
        };
        let pieces = union((part, content), (other_part, other_content))?;
        // For what is put together anew; it is taken as it is needed.
        let mut room = ram.reserve(0)?;
        let content = StoredContent::new(pieces, &mut arena.writer(), &mut room);
        Some((index, one.combined(joined, content)))
    })
}

/// The octets of two parts that touch or overlap, each once. `None` when they can't be read.
fn union(one: (Part, &StoredContent), other: (Part, &StoredContent)) -> Option<Vec<Piece>> {
    let (low, high) = if one.0.first <= other.0.first { (one, other) } else { (other, one) };
    let mut pieces = low.1.pieces();
    if high.0.last > low.0.last {
        let skipped = low.0.last + 1 - high.0.first;
        let mut rest = high.1.part(skipped, high.0.last - high.0.first);
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
