//! Storing: whether a response may be kept, its place in the store, and what a 304 does to a stored one.

use crate::arena::Arena;
use crate::collapse::Lead;
use crate::error::Failure;
use crate::fill::{Announced, Reader};
use crate::inbound::ContentError;
use crate::intake::Intake;
use crate::io::Io;
use crate::parts::insert_part;
use crate::ram::{RamTier, Reservation, Stored};
use crate::request::Request;
use crate::site::Site;
use crate::stored::{Description, Draft, IsWithheld, Judged, StoredResponse};
use crate::upstream::fetch::Response;
use crate::upstream::outgoing::is_conditional_field;
use crate::worker::{Background, Shared, Worker};
use lastmile_http::cache::directives::{
    ResponseDirectives, is_withheld, response_directives, withholds,
};
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::cache::key::has_dot_segments;
use lastmile_http::cache::partial::part_of;
use lastmile_http::cache::storable::{NotStorable, SetCookie, StoringRules, storable};
use lastmile_http::cache::validation::freshened;
use lastmile_http::cache::vary::{selection, selects};
use lastmile_http::fields::is_hop_by_hop;
use lastmile_http::framing::Framing;
use lastmile_http::head::{Fields, RequestHead, ResponseHead, parse_fields};
use lastmile_http::time::UnixTime;
use std::rc::Rc;

/// Room asked for at first when a response does not announce its length; it grows by doubling.
const ROOM_FIRST: u64 = 64 * 1024;

/// What became of a response.
pub(crate) enum Begun<S> {
    /// It is being stored; the reader is the first client's.
    Filling { response: StoredResponse, length: Option<u64>, reader: Reader },
    /// It may not or can't be stored.
    NotStored { response: Box<Response<S>>, reason: &'static str },
}

/// Why a response is not stored.
#[derive(Clone, Copy)]
struct NotStored {
    /// As Cache-Status `detail`.
    reason: &'static str,
    /// The next one for the key will not be either.
    lasting: bool,
    /// It says itself that it may not be, and so takes the place of what is stored.
    forbidden: bool,
}

impl NotStored {
    const fn now(reason: &'static str) -> Self {
        Self { reason, lasting: false, forbidden: false }
    }
}

impl From<NotStorable> for NotStored {
    fn from(why: NotStorable) -> Self {
        let forbidden = matches!(why, NotStorable::NoStore | NotStorable::Private);
        Self { reason: why.reason(), lasting: true, forbidden }
    }
}

/// What was there before a response came.
pub(crate) struct Earlier {
    /// What was stored, and the upstream was asked whether it is still good; the response is its answer.
    pub(crate) asked_about: Option<StoredResponse>,
    /// The response is the rest of this one (RFC 9111 §3.4).
    pub(crate) beginning: Option<StoredResponse>,
    /// The place of a revalidation in the background, held until all has arrived.
    pub(crate) background: Option<Background>,
}

/// Begins to store `response`, in a task of its own that goes on when the client goes away. If it may not be stored,
/// those who wait for it are told to ask for themselves.
pub(crate) async fn begin_fill<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    mut lead: Lead,
    response: Response<I::Stream>,
    earlier: Earlier,
) -> Begun<I::Stream> {
    let now = worker.io.now();
    let beginning = earlier.beginning.as_ref();
    let (stored, length, room) = match admit(worker, request, &response, beginning) {
        Ok(admitted) => admitted,
        Err(why) => {
            lead.announce(Announced::NotShared { lasting: why.lasting }, now);
            // An error says nothing about what is stored, whatever it says about itself.
            let outdates = is_outdated_by(response.head.status())
                && (why.forbidden || earlier.asked_about.is_some());
            // What another spelling brings may be about something else.
            let is_about_it = !request.is_head() && request.is_spelled_as_its_key();
            if outdates && is_about_it {
                remove_selected(worker, request, &lead);
            }
            return Begun::NotStored { response: Box::new(response), reason: why.reason };
        }
    };
    let here = response.connection.inbound.unread().len() as u64;
    let arrived = match response.framing {
        Framing::None => true,
        Framing::Length(length) => here >= length,
        Framing::Chunked | Framing::UntilClose => false,
    };
    let mut intake = Intake::new(worker, lead, stored.clone(), (length, room), earlier);
    let reader = intake.announce(now);
    if arrived {
        intake.run(response).await;
    } else {
        worker.io.spawn(intake.run(response));
    }
    Begun::Filling { response: stored, length, reader }
}

/// Whether a response with this status, other than a confirmation, shows that what is stored is no longer right (RFC
/// 9111 §4.3.3): not if it is about the client or about the server's state.
pub(crate) fn is_outdated_by(status: u16) -> bool {
    matches!(status, 200..=399 | 404 | 410) && status != 206
}

/// Takes out of the store what `request` selects: something newer came that may not be stored (RFC 9111 §4: the most
/// recent response counts).
pub(crate) fn remove_selected<I: Io>(worker: &Worker<I>, request: &Request<'_>, lead: &Lead) {
    let (hash, key) = lead.key();
    let is_selected = |other: &StoredResponse| selects(other.selection(), request.head.fields);
    worker.shared.remove((hash, key), is_selected);
}

type Admitted = (StoredResponse, Option<u64>, Reservation);

/// Room for a response, or why it is not stored.
fn admit<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    response: &Response<I::Stream>,
    beginning: Option<&StoredResponse>,
) -> Result<Admitted, NotStored> {
    let now = worker.io.now();
    let (mut merged, mut spans, mut merged_spans) = (Vec::new(), Vec::new(), Vec::new());
    let mut head = response.head.view();
    if let Some(beginning) = beginning {
        // RFC 9111 §3.4: all of it, under the fields of both.
        freshened(beginning.fields(&mut spans), head.fields, &mut merged);
        let fields = parse_fields(&merged, &mut merged_spans).unwrap_or(head.fields);
        head = ResponseHead { status: 200, reason: b"OK", fields, ..head };
    }
    let site = request.site;
    let directives = site_directives(site, &head);
    storable(&request.head, &head, &directives, &storing_rules(site), now)?;
    // What the origin makes of dots is its own affair; it must not end up under the name that they lead to.
    if has_dot_segments(request.target.path_and_query) {
        return Err(NotStored::now("dot-segments"));
    }
    // An origin that routes by other spellings says so with an error, which must not end up under the usual one.
    if !request.is_spelled_as_its_key() && !(200..300).contains(&head.status) {
        return Err(NotStored::now("other-spelling"));
    }
    let mut selecting = Vec::new();
    selection(&site.key, head.fields, request.head.fields, &mut selecting)?;
    if varies_by_what_was_not_sent(request, head.fields) {
        return Err(NotStored::now("vary-not-sent"));
    }
    let length = match response.framing {
        Framing::None => Some(0),
        Framing::Length(octets) => Some(octets),
        Framing::Chunked | Framing::UntilClose => None,
    };
    let part = match head.status {
        206 => Some(part_of(&head, length)?),
        _ => None,
    };
    let length = match beginning.and_then(StoredResponse::part) {
        Some(part) => Some(part.complete_length),
        None => length,
    };
    let ram = &worker.shared.ram;
    if length.is_some_and(|length| length > ram.object_octets_max()) {
        return Err(NotStored { reason: "too-large", lasting: true, forbidden: false });
    }
    // A beginning in extents has its room.
    let has_room = beginning.map_or(0, |beginning| beginning.value().reserved_octets());
    let octets = length.unwrap_or(ROOM_FIRST).saturating_sub(has_room);
    let octets = octets + response.head.octets().len() as u64;
    let room = ram.reserve(octets).ok_or(NotStored::now("no-room"))?;
    let (asked, answered) = (response.request_time, response.response_time);
    let policy = StoredPolicy::new(&head, &directives, asked, answered);
    let is_withheld = withholding(site, head.fields);
    let draft = Draft::new(worker.name(), &head, is_withheld, part, policy, selecting, now);
    let draft = draft.ok_or(NotStored::now("head-too-large"))?;
    let stored = draft.hold(ram).ok_or(NotStored::now("no-room"))?;
    Ok((stored, length, room))
}

/// What a response says, with the site's defaults where it says nothing.
fn site_directives(site: &Site, head: &ResponseHead<'_>) -> ResponseDirectives {
    response_directives(head.fields).with_defaults(&site.defaults, head.status, head.fields)
}

fn storing_rules(site: &Site) -> StoringRules {
    StoringRules {
        set_cookie: site.set_cookie,
        keyed_cookies: !site.key.cookies.is_empty(),
        ignore_client_directives: site.ignore_client_directives,
    }
}

/// Which fields of a response are for the first client only: those that the response names (RFC 9111 §5.2.2.4,
/// §5.2.2.7), and Set-Cookie if the site says so.
fn withholding(site: &Site, fields: Fields<'_>) -> IsWithheld {
    let cookies = site.set_cookie == SetCookie::Withhold;
    match (withholds(fields), cookies) {
        (false, false) => |_, _| false,
        (true, false) => is_withheld,
        (false, true) => |_, name| name.eq_ignore_ascii_case(b"set-cookie"),
        (true, true) => {
            |fields, name| name.eq_ignore_ascii_case(b"set-cookie") || is_withheld(fields, name)
        }
    }
}

/// Whether Vary names a field of the request that did not go upstream as it came: what Connection names, conditions
/// and ranges; or the site's key has such a one. Stored under what the client sent, the response would be served to
/// others whom it is not for.
fn varies_by_what_was_not_sent(request: &Request<'_>, response: Fields<'_>) -> bool {
    let (fields, rules) = (request.head.fields, &request.site.key);
    let keyed = rules.fields.iter().map(String::as_bytes);
    let cookie = (!rules.cookies.is_empty()).then_some(&b"cookie"[..]);
    let mut selecting = response.list("vary").chain(keyed).chain(cookie);
    selecting.any(|name| {
        let sent_by_client = fields.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name));
        let rewritten = is_conditional_field(name) || name.eq_ignore_ascii_case(b"x-forwarded-for");
        rewritten || sent_by_client && is_hop_by_hop(name, fields)
    })
}

/// Stores a complete response, unless it was asked for before its URI was changed. `Err` when it is not stored.
pub(crate) fn keep(
    (shared, arena): (&Shared, &Rc<Arena>),
    lead: &Lead,
    complete: Draft,
    old: Option<&StoredResponse>,
    now: UnixTime,
) -> Result<StoredResponse, Box<Draft>> {
    let (hash, key) = lead.key();
    if lead.fill().is_disowned() {
        return Err(Box::new(complete));
    }
    let ssd = shared.ssd.as_deref();
    let content_at = ssd.and_then(|ssd| ssd.supersede(key, complete.selection(), old));
    let stored = insert((&shared.ram, arena), (hash, key), complete, old, now)?;
    if let Some(ssd) = ssd {
        ssd.stored(&stored, old, content_at);
    }
    // The change may have come in between.
    if lead.fill().is_disowned() {
        shared.remove((hash, key), |_| true);
        return Err(Box::new(stored.again()));
    }
    Ok(stored)
}

/// Stores a complete response: in place of what the same fields select, and of `old`. A part is put together with what
/// is there of the same representation.
fn insert(
    (ram, arena): (&RamTier<Description>, &Rc<Arena>),
    (hash, key): (u64, &[u8]),
    complete: Draft,
    old: Option<&StoredResponse>,
    now: UnixTime,
) -> Result<StoredResponse, Box<Draft>> {
    let is_old = |other: &StoredResponse| old.is_some_and(|old| old.is(other));
    if complete.part().is_some() {
        return insert_part((ram, arena), (hash, key), complete, is_old);
    }
    // RFC 9111 §4: of several that a request selects the most recent is used, which is the one in front.
    let is_newer =
        |other: &StoredResponse| !is_old(other) && other.policy().date() > complete.policy().date();
    let mut newer = ram.variants(hash, key);
    newer.retain(is_newer);
    let (same, mut newer): (Vec<_>, Vec<_>) =
        newer.into_iter().partition(|other| other.selection() == complete.selection());
    // Only while it is of use: an origin whose clock was set back must not be shut out.
    if same.iter().any(|other| other.part().is_none() && other.policy().ttl(now) > 0) {
        return Err(Box::new(complete));
    }
    let selection = complete.selection().to_vec();
    let replaces = |other: &StoredResponse| other.selection() == selection || is_old(other);
    let stored = complete.insert(ram, hash, key, replaces);
    newer.sort_by_key(|other| other.policy().date());
    for other in newer {
        let _no_room = other.again().insert(ram, hash, key, |old| old.is(&other));
    }
    stored
}

/// What a failure to read a response's content means.
pub(crate) fn content_failure(error: ContentError) -> Failure {
    match error {
        ContentError::Io(error) => Failure::Lost(error),
        ContentError::Truncated => Failure::Truncated,
        ContentError::Framing(error) => Failure::BadFraming(error),
    }
}

/// Freshens `stale` by `response`, a 304 (RFC 9111 §4.3.4) or the answer to a HEAD that confirms it (§4.3.5), and puts
/// it back into the store, if it may still be kept under its new head: a 304 can make a response private. Returns it,
/// and whether it was stored.
pub(crate) fn freshen<I: Io>(
    worker: &Worker<I>,
    request: &Request<'_>,
    stale: &StoredResponse,
    response: &Response<I::Stream>,
    lead: &mut Lead,
) -> (StoredResponse, bool) {
    let now = worker.io.now();
    let site = request.site;
    let mut kept = Ok(());
    let judge = |head: &ResponseHead<'_>| {
        let directives = site_directives(site, head);
        let mut selecting = Vec::new();
        kept = may_be_kept(request, head, &directives, &mut selecting, now);
        if kept.is_err() {
            selecting = stale.selection().to_vec();
        }
        Judged {
            policy: StoredPolicy::new(
                head,
                &directives,
                response.request_time,
                response.response_time,
            ),
            selection: selecting,
            is_withheld: withholding(site, head.fields),
        }
    };
    let fresh = stale.freshened(worker.name(), &response.head.view(), judge, now);
    // A variant that other requests select stays as it is.
    let own = selects(stale.selection(), request.head.fields).then_some(stale);
    let ram = &worker.shared.ram;
    let fresh = match (fresh, &kept) {
        (Some(fresh), Ok(())) => keep((&worker.shared, &worker.arena), lead, fresh, own, now),
        (Some(fresh), Err(_)) => Err(Box::new(fresh)),
        // Its head has become too large.
        (None, _) => {
            let (hash, key) = lead.key();
            worker.shared.remove((hash, key), |other| other.is(stale));
            Err(Box::new(stale.again()))
        }
    };
    let (fresh, stored) = match fresh {
        Ok(fresh) => {
            lead.announce(Announced::Stored(fresh.clone()), now);
            (fresh, true)
        }
        Err(fresh) => {
            if kept.is_err_and(|why| why.forbidden) {
                let (hash, key) = lead.key();
                let is_outdated = |other: &StoredResponse| other.selection() == stale.selection();
                worker.shared.remove((hash, key), is_outdated);
            }
            lead.announce(Announced::NotShared { lasting: false }, now);
            (fresh.hold_anyway(ram).unwrap_or_else(|| stale.clone()), false)
        }
    };
    lead.leave_table();
    (fresh, stored)
}

/// Whether a response with a new head may be stored for requests like this one; and what selects it then.
fn may_be_kept(
    request: &Request<'_>,
    head: &ResponseHead<'_>,
    directives: &ResponseDirectives,
    selecting: &mut Vec<u8>,
    now: UnixTime,
) -> Result<(), NotStored> {
    // A HEAD may confirm what a GET has brought, and a request without Range a part.
    let asked = RequestHead { method: b"GET", ..request.head };
    let whole =
        ResponseHead { status: if head.status == 206 { 200 } else { head.status }, ..*head };
    // Whose cookies confirm what is stored does not matter.
    let rules = StoringRules { keyed_cookies: true, ..storing_rules(request.site) };
    storable(&asked, &whole, directives, &rules, now)?;
    selection(&request.site.key, head.fields, request.head.fields, selecting)?;
    if varies_by_what_was_not_sent(request, head.fields) {
        return Err(NotStored::now("vary-not-sent"));
    }
    Ok(())
}
