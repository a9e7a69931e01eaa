//! What clients have seen so far, as far as it binds what they may see later.

use crate::ask::{Answer, Ask};
use crate::catalogue::Requested;
use std::collections::{BTreeMap, BTreeSet};

/// See the head of this file.
#[derive(Default)]
pub struct Journal {
    /// By URI: when the change was asked for, and when a client saw it succeed.
    changes: BTreeMap<String, Vec<(u64, u64)>>,
    /// Fields for one client that one has got.
    cookies: BTreeSet<String>,
}

/// A URI in a form that equivalent ones have in common.
fn uri(requested: &Requested) -> String {
    format!("{}{}?{}", requested.host, requested.resource.path, requested.query)
}

impl Journal {
    /// Notes what an answer promises.
    pub fn note(&mut self, ask: &Ask, answer: &Answer) {
        if !ask.is_unsafe() || !(200..400).contains(&answer.status) {
            return;
        }
        let Some(target) = Requested::new(ask.host, &ask.target) else { return };
        let named = ask.field("X-Answer").and_then(|field| field.split_once(": "));
        let named = named.filter(|(_, uri)| uri.starts_with('/'));
        let named = named.and_then(|(_, uri)| Requested::new(ask.host, uri));
        for requested in [Some(target), named].into_iter().flatten() {
            let changes = self.changes.entry(uri(&requested)).or_default();
            changes.push((answer.asked_ms, answer.head_ms));
        }
    }

    /// Nothing older than this may be an answer to what is asked at `asked_ms`.
    pub fn invalidated_ms(&self, ask: &Ask, asked_ms: u64) -> u64 {
        let Some(requested) = Requested::new(ask.host, &ask.target) else { return 0 };
        let changes = self.changes.get(&uri(&requested));
        let seen = changes.into_iter().flatten().filter(|(_, head_ms)| *head_ms < asked_ms);
        seen.map(|(change_ms, _)| *change_ms).max().unwrap_or_default()
    }

    /// `false` when somebody else got this field before.
    pub fn is_first(&mut self, cookie: &str) -> bool {
        self.cookies.insert(cookie.to_owned())
    }
}
