//! Which stored responses the upstream is asked to confirm, and which of them it has confirmed (RFC 9111 §4.3).

use crate::io::Io;
use crate::request::Request;
use crate::stored::StoredResponse;
use crate::upstream::fetch::Response;
use crate::upstream::outgoing::Purpose;
use crate::worker::Worker;
use lastmile_http::validator::is_strong_tag;
use std::sync::Arc;

/// Stored responses that the upstream is asked to confirm (RFC 9111 §4.3.1).
#[derive(Default)]
pub(crate) struct Candidates {
    /// The one that the request selects.
    selected: Option<Arc<StoredResponse>>,
    /// Others for the same URI, which the upstream may name by a strong entity tag.
    others: Vec<Arc<StoredResponse>>,
}

impl Candidates {
    pub(crate) fn of<I: Io>(
        worker: &Worker<I>,
        (hash, key): (u64, &[u8]),
        request: &Request<'_>,
        stale: Option<&Arc<StoredResponse>>,
    ) -> Self {
        let can_be_asked_about =
            |stored: &StoredResponse| stored.policy().has_validator() && stored.content().is_some();
        let selected = stale.filter(|stale| can_be_asked_about(stale)).cloned();
        let mut others = Vec::new();
        if !request.head.fields.contains("range") {
            worker.shared.ram.lookup(hash, key, |other| {
                let is_whole = other.part().is_none() && other.content().is_some();
                let is_named = is_whole && other.etag().is_some_and(is_strong_tag);
                if is_named && stale.is_none_or(|stale| !Arc::ptr_eq(stale, other)) {
                    others.push(Arc::clone(other));
                }
                None::<()>
            });
        }
        Self { selected, others }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.selected.is_none() && self.others.is_empty()
    }

    /// What to ask the upstream for.
    pub(crate) fn purpose(&self, request: &Request<'_>) -> Purpose<'_> {
        let selected = self.selected.as_deref();
        let range = request.head.fields.contains("range");
        match selected {
            None if range => Purpose::Part,
            None if self.others.is_empty() => Purpose::Store,
            selected => {
                let part = range && selected.is_some_and(|selected| selected.part().is_some());
                Purpose::Validate { selected, others: &self.others, part }
            }
        }
    }

    /// The one that a 304 means (RFC 9111 §4.3.4).
    pub(crate) fn identified<S>(&self, response: &Response<S>) -> Option<&StoredResponse> {
        let head = response.head.view();
        let by_tag = |stored: &&StoredResponse| stored.is_identified_strongly_by(&head);
        let selected = self.selected.as_deref();
        let others = self.others.iter().map(|other| &**other);
        let known = selected.into_iter().chain(others).find(by_tag);
        known.or_else(|| selected.filter(|selected| selected.is_identified_by(&head)))
    }
}
