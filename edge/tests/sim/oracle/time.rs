//! When a response may have been made, and what Age must say.

use super::Facts;
use crate::ask::{Answer, Ask};
use crate::catalogue::{Requested, Resource};
use crate::settings::Settings;

/// Caches between client and origin.
const HOPS: u64 = 2;
/// What a node's clock shows is at most this old.
const TICK_MS: u64 = 50;
/// How long somebody else's fetch, which an answer came from, may have been under way before the answer was asked for:
/// connecting and a head, at each cache, with every wait at its limit.
pub const STALE_FETCH_MS: u64 = 70_000;

/// By how much an age may be understated, and so a lifetime overstayed.
///
/// Age has whole seconds, rounded down (RFC 9111 §5.1), and the time at which a cache writes it is the last tick of its
/// clock. That is one second and one tick for each cache, and no less: what a parent has rounded off is not in the
/// message any more. Rounding up would make all but the first millisecond of a lifetime's last second unusable in
/// each cache, against §5.1, which has Age say how long ago the response was made. Where the clocks agree the edge has
/// more than the parent's Age: the Date is the origin's (apparent_age, §4.2.3), so that only the edge's own rounding
/// is left. Clocks that do not agree add nothing: where Date is misleading the sum of Age, of what the request took
/// and of the time in the store is not.
pub fn understated_ms(facts: &Facts<'_>) -> u64 {
    let roundings = if facts.synchronous { 1 } else { HOPS };
    roundings * (1000 + TICK_MS)
}

/// The edge wrote the head some time after the request was sent, so it is at least that old.
pub fn judge_age(answer: &Answer, made_ms: u64, facts: &Facts<'_>) -> Result<(), String> {
    let age_ms_min = answer.asked_ms.saturating_sub(made_ms);
    let stated_ms = answer.number("age").ok_or("no Age")? * 1000;
    if stated_ms + understated_ms(facts) < age_ms_min {
        return Err(format!("Age says {stated_ms} ms, it is at least {age_ms_min} ms"));
    }
    Ok(())
}

/// The response was made or confirmed after the request, or may be used without that.
pub fn judge_use(
    ask: &Ask,
    answer: &Answer,
    resource: &Resource,
    made_ms: u64,
    facts: &Facts<'_>,
) -> Result<(), String> {
    let only_stored = ask.directive("only-if-cached").is_some();
    let host = Requested::new(ask.host, &ask.target).map_or_else(String::new, |found| found.host);
    let ignores_clients = facts.settings.of(&host).ignores_clients;
    if only_stored && !ignores_clients && !answer.is_hit() {
        return Err("asked for nothing that is not stored, and got it".into());
    }
    let age_ms_min = answer.asked_ms.saturating_sub(made_ms);
    if age_ms_min == 0 {
        return Ok(());
    }
    let heard = |name: &str| ask.directive(name).filter(|_| !ignores_clients);
    let seconds = |name: &str| heard(name).and_then(|argument| argument.parse::<u64>().ok());
    let max_age = seconds("max-age");
    let pragma = ask.field("Pragma").is_some() && ask.field("Cache-Control").is_none();
    let wants_news =
        heard("no-cache").is_some() || max_age == Some(0) || pragma && !ignores_clients;
    if wants_news || resource.news {
        return Err(format!("{age_ms_min} ms old, where only a new one will do"));
    }
    let mut usable_s = resource.lifetime + staleness_s(ask, answer, resource, &host, facts, &heard);
    if let Some(max_age) = max_age {
        usable_s = usable_s.min(max_age);
    }
    let min_fresh = seconds("min-fresh");
    if let Some(min_fresh) = min_fresh {
        usable_s = resource.lifetime.saturating_sub(min_fresh);
    }
    let is_bound = max_age.is_some() || min_fresh.is_some();
    // Who has waited for a fetch gets what it brought, though it became stale on its way.
    let collapsed = answer.any_cache_says("; collapsed") && !is_bound;
    let usable_ms = usable_s * 1000 + if collapsed { STALE_FETCH_MS } else { 0 };
    if age_ms_min > usable_ms + understated_ms(facts) {
        return Err(format!("{age_ms_min} ms old, where {usable_s} s are allowed"));
    }
    Ok(())
}

/// For how long after its lifetime the response may be used.
fn staleness_s<'a>(
    ask: &Ask,
    answer: &Answer,
    resource: &Resource,
    host: &str,
    facts: &Facts<'_>,
    heard: &impl Fn(&str) -> Option<&'a str>,
) -> u64 {
    if resource.strict {
        return 0;
    }
    let settings = facts.settings.of(host);
    let or_default = |own: u64, default: u64| if own > 0 { own } else { default };
    // RFC 9111 §5.2.1.1: who sends max-age wants nothing stale, unless more is said.
    let tolerant = heard("max-age").is_none() || heard("max-stale").is_some();
    let meanwhile = or_default(resource.while_revalidate, settings.while_revalidate);
    let accepted = accepted_s(ask, answer, &settings);
    let if_error = or_default(resource.if_error, settings.if_error);
    let if_error = if answer.any_cache_says("stale-if-error") { if_error } else { 0 };
    let meanwhile = if tolerant { meanwhile } else { 0 };
    meanwhile.max(accepted).max(if_error)
}

/// For how long after its lifetime the client accepts a response.
pub fn accepted_s(ask: &Ask, answer: &Answer, settings: &Settings) -> u64 {
    let heard = |name: &str| ask.directive(name).filter(|_| !settings.ignores_clients);
    let accepted = match heard("max-stale") {
        Some("") => u64::from(u32::MAX),
        Some(seconds) => seconds.parse().unwrap_or_default(),
        None => 0,
    };
    let if_error = heard("stale-if-error").and_then(|seconds| seconds.parse().ok());
    let if_error = if_error.filter(|_| answer.any_cache_says("stale-if-error"));
    accepted.max(if_error.unwrap_or_default())
}
