//! Which stored responses the upstream is asked to confirm, and which of them it has confirmed (RFC 9111 §4.3).

use crate::io::Io;
use crate::request::Request;
use crate::stored::StoredResponse;
use crate::upstream::fetch::Response;
use crate::upstream::outgoing::Purpose;
use crate::worker::Worker;
use lastmile_http::cache::key::has_dot_segments;
use lastmile_http::cache::partial::{may_combine, part_of};
use lastmile_http::cache::vary::selects;
use lastmile_http::fields::trim_ows;
use lastmile_http::framing::Framing;
use lastmile_http::validator::is_strong_tag;

/// Stored responses that the upstream is asked to confirm (RFC 9111 §4.3.1).
#[derive(Default)]
pub(crate) struct Candidates {
    /// The one that the request selects.
    selected: Option<StoredResponse>,
    /// Others for the same URI, which the upstream may name by a strong entity tag.
    others: Vec<StoredResponse>,
    /// The beginning of the representation, of which only the rest is missing (RFC 9111 §3.4).
    beginning: Option<StoredResponse>,
}

impl Candidates {
    pub(crate) fn of<I: Io>(
        worker: &Worker<I>,
        (hash, key): (u64, &[u8]),
        request: &Request<'_>,
        stale: Option<&StoredResponse>,
    ) -> Self {
        // The origin may see another resource in dots than the key does: what it confirms is not what is stored.
        if has_dot_segments(request.target.path_and_query) {
            return Self::default();
        }
        let can_be_asked_about =
            |stored: &StoredResponse| stored.policy().has_validator() && stored.content().is_some();
        let selected = stale.filter(|stale| can_be_asked_about(stale)).cloned();
        let (mut others, mut beginning) = (Vec::new(), None::<StoredResponse>);
        let octets_max = worker.shared.ram.object_octets_max();
        if !request.head.fields.contains("range") {
            for other in worker.shared.ram.variants(hash, key) {
                let is_whole = other.part().is_none() && other.content().is_some();
                let is_named = is_whole && other.etag().is_some_and(is_strong_tag);
                let is_another = stale.is_none_or(|stale| !stale.is(&other));
                if is_named && is_another && !is_uncoded_beside_coded(request, &other) {
                    others.push(other);
                } else if is_beginning(&other, octets_max)
                    && selects(other.selection(), request.head.fields)
                    && beginning.as_ref().is_none_or(|known| last_of(known) < last_of(&other))
                {
                    beginning = Some(other);
                }
            }
        }
        // Whatever keeps the rest out of the store makes it useless.
        let may_store = !request.is_head()
            && !request.directives().no_store
            && !request.head.fields.contains("authorization");
        let beginning = beginning.filter(|_| selected.is_none() && may_store);
        Self { selected, others, beginning }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.selected.is_none() && self.others.is_empty()
    }

    /// What to ask the upstream for.
    pub(crate) fn purpose(&self, request: &Request<'_>) -> Purpose<'_> {
        let selected = self.selected.as_ref();
        let range = request.head.fields.contains("range");
        if let Some(beginning) = &self.beginning {
            return Purpose::Rest(beginning);
        }
        match selected {
            None if range => Purpose::Part,
            None if self.others.is_empty() => Purpose::Store,
            selected => {
                let part = range && selected.is_some_and(|selected| selected.part().is_some());
                Purpose::Validate { selected, others: &self.others, part }
            }
        }
    }

    /// The stored beginning of what `response` brings the rest of. `Err` when it brings some part, but not that.
    pub(crate) fn completed_by<S>(
        &self,
        response: &Response<S>,
    ) -> Result<Option<&StoredResponse>, ()> {
        let Some(beginning) = &self.beginning else { return Ok(None) };
        match response.head.status() {
            206 if is_rest(beginning, response) => Ok(Some(beginning)),
            206 | 416 => Err(()),
            _ => Ok(None),
        }
    }

    /// The one that a 304 means (RFC 9111 §4.3.4).
    pub(crate) fn identified<S>(&self, response: &Response<S>) -> Option<&StoredResponse> {
        let head = response.head.view();
        let by_tag = |stored: &&StoredResponse| stored.is_identified_strongly_by(&head);
        let selected = self.selected.as_ref();
        let others = self.others.iter();
        let known = selected.into_iter().chain(others).find(by_tag);
        // Without a tag a 304 says nothing about which of several it means.
        let is_clear = self.others.is_empty() || head.fields.contains("etag");
        known.or_else(|| selected.filter(|selected| is_clear && selected.is_identified_by(&head)))
    }
}

/// A variant without coding, for a request that takes codings: asked about it, a server that codes on the fly (nginx)
/// confirms it before it thinks of coding, and the client would get it uncoded.
fn is_uncoded_beside_coded(request: &Request<'_>, other: &StoredResponse) -> bool {
    let by_coding = |selection: &[u8]| selection.windows(15).any(|name| name == b"accept-encoding");
    let is_coding = |member: &[u8]| {
        let name = member.split(|octet| *octet == b';').next().unwrap_or_default();
        !trim_ows(name).eq_ignore_ascii_case(b"identity")
    };
    request.head.fields.list("accept-encoding").any(is_coding)
        && by_coding(other.selection())
        && !other.fields(&mut Vec::new()).contains("content-encoding")
}

/// Whether it begins with the first octet, and the whole, if it has at most `octets_max`, can be stored.
fn is_beginning(stored: &StoredResponse, octets_max: u64) -> bool {
    stored.part().is_some_and(|part| part.first == 0 && part.complete_length <= octets_max)
        && stored.content().is_some()
        && stored.etag().is_some_and(is_strong_tag)
}

fn last_of(stored: &StoredResponse) -> Option<u64> {
    stored.part().map(|part| part.last)
}

/// RFC 9110 §15.3.7.3: the same strong validator; and it begins where the other ends, and ends where the representation
/// does.
fn is_rest<S>(beginning: &StoredResponse, response: &Response<S>) -> bool {
    let head = response.head.view();
    let length = match response.framing {
        Framing::Length(octets) => Some(octets),
        Framing::None | Framing::Chunked | Framing::UntilClose => None,
    };
    let (Some(part), Ok(rest)) = (beginning.part(), part_of(&head, length)) else { return false };
    let mut spans = Vec::new();
    let stored = (beginning.fields(&mut spans), beginning.policy().date());
    may_combine(stored, (head.fields, response.response_time))
        && rest.first == part.last + 1
        && rest.last + 1 == rest.complete_length
        && rest.complete_length == part.complete_length
}
