//! A stored response as the SSD tier keeps it: its octets as they are, and what is known of it in a fixed form
//! (`docs/ssd-format.md`).

use super::{Description, Draft, StoredResponse};
use crate::ssd::layout::FIXED_OCTETS;
use bytes::Bytes;
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::cache::partial::Part;

const CONTENT: usize = 16;
const IS_PART: usize = 24;
const PART: usize = 32;
const POLICY: usize = 56;

/// Octets of selecting fields, head and fields for the first client.
pub(crate) fn head_octets(fixed: &[u8; FIXED_OCTETS]) -> usize {
    (0..3).map(|number| usize::from(short(fixed, 2 * number))).sum()
}

/// For tests of the layout alone.
#[cfg(test)]
pub(crate) fn set_head_octets(fixed: &mut [u8; FIXED_OCTETS], octets: u16) {
    fixed[2..4].copy_from_slice(&octets.to_le_bytes());
}

/// Octets of the content.
pub(crate) fn content_octets(fixed: &[u8; FIXED_OCTETS]) -> u64 {
    long(fixed, CONTENT)
}

/// The policy of a response.
pub(crate) fn policy(fixed: &[u8; FIXED_OCTETS]) -> StoredPolicy {
    StoredPolicy::from_octets(fixed[POLICY..POLICY + 40].try_into().expect("40 octets"))
}

impl StoredResponse {
    /// See the head of this file. `None` while the content is arriving.
    pub(crate) fn fixed_octets(&self) -> Option<[u8; FIXED_OCTETS]> {
        let known = self.value();
        let content = self.content()?.octets();
        let mut fixed = [0; FIXED_OCTETS];
        let (etag, modified) =
            (known.etag, (known.last_modified_start, known.last_modified_octets.into()));
        let shorts = [
            known.selection_octets,
            known.head_octets,
            known.withheld_octets,
            known.status,
            etag.0,
            etag.1,
            modified.0,
            modified.1,
        ];
        for (value, place) in shorts.into_iter().zip(fixed.chunks_mut(2)) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        fixed[CONTENT..IS_PART].copy_from_slice(&content.to_le_bytes());
        if let Some(part) = self.part() {
            fixed[IS_PART] = 1;
            let numbers = [part.first, part.last, part.complete_length];
            for (value, place) in numbers.into_iter().zip(fixed[PART..POLICY].chunks_mut(8)) {
                place.copy_from_slice(&value.to_le_bytes());
            }
        }
        fixed[POLICY..POLICY + 40].copy_from_slice(&self.policy().to_octets());
        Some(fixed)
    }

    /// The selecting fields, the head and the fields for the first client, one behind the other.
    pub(crate) fn head_and_selection(&self) -> &[u8] {
        &self.octets()[..self.value().content_start()]
    }
}

impl Draft {
    /// The response of which `fixed` is known and whose selecting fields, head and fields for the first client are
    /// `octets`. It has no content yet. `None` when these do not go together.
    pub(crate) fn restored(fixed: &[u8; FIXED_OCTETS], octets: &[u8]) -> Option<Self> {
        let [selection_octets, head_octets, withheld_octets, status] =
            [0, 2, 4, 6].map(|at| short(fixed, at));
        let [etag_start, etag_octets, modified_start, modified_octets] =
            [8, 10, 12, 14].map(|at| short(fixed, at));
        let (selection, rest) = octets.split_at_checked(selection_octets.into())?;
        let (head, withheld) = rest.split_at_checked(head_octets.into())?;
        let is_within =
            |start: u16, octets: u16| u32::from(start) + u32::from(octets) <= head.len() as u32;
        if withheld.len() != usize::from(withheld_octets)
            || !is_within(etag_start, etag_octets)
            || !is_within(modified_start, modified_octets)
        {
            return None;
        }
        let part = (fixed[IS_PART] == 1).then(|| Part {
            first: long(fixed, PART),
            last: long(fixed, PART + 8),
            complete_length: long(fixed, PART + 16),
        });
        let is_wrong = |part: Part| {
            part.first > part.last
                || part.last >= part.complete_length
                || part.last - part.first != content_octets(fixed).wrapping_sub(1)
        };
        if part.is_some_and(is_wrong) {
            return None;
        }
        let description = Description {
            policy: policy(fixed),
            more: None,
            selection_octets,
            head_octets,
            withheld_octets,
            etag: (etag_start, etag_octets),
            last_modified_start: modified_start,
            last_modified_octets: u8::try_from(modified_octets).ok()?,
            arriving: true,
            status,
        };
        let (selection, head) = (selection.to_vec(), head.to_vec());
        let content: Vec<Bytes> = Vec::new();
        let draft = Self { description, selection, head, withheld: withheld.to_vec(), content };
        Some(draft.with_part(part))
    }
}

fn short(fixed: &[u8; FIXED_OCTETS], at: usize) -> u16 {
    u16::from_le_bytes([fixed[at], fixed[at + 1]])
}

fn long(fixed: &[u8; FIXED_OCTETS], at: usize) -> u64 {
    u64::from_le_bytes(fixed[at..at + 8].try_into().expect("8 octets"))
}
