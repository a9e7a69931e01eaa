//! The shorter RFCs: URIs, stale content, immutable responses, and what is told in Proxy-Status and Cache-Status.

use super::{Rule, Stand};

pub(super) const RFC3986: &[Rule] = rules! { 3986
    "3.2.2" "A host is a name, an IPv4 address or an IPv6 address in brackets; a zone means nothing here."
        => "edge/http/src/target.rs::there_is_one_host";
    "3.2.3" "A port is decimal and fits 16 bits."
        => "edge/http/src/target.rs::there_is_one_host";
    "3.5" "A fragment is not part of a target: refused."
        => "edge/http/src/target.rs::the_four_forms_are_understood";
    "6.2.2.1" "Hosts are the same in any case; paths are not."
        => "deploy/tests/acceptance/reuse.rs::hosts_are_told_apart";
};

pub(super) const RFC5861: &[Rule] = rules! { 5861
    "3" "stale-while-revalidate is read; an argument that is invalid allows nothing."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
    "4" "stale-if-error is read; an argument that is invalid allows nothing."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
};

pub(super) const RFC6585: &[Rule] = rules! { 6585
    "5" "A head that is too large, or has too many fields, is answered with 431."
        => "edge/http/src/head/tests.rs::limits_hold_to_the_octet_and_early";
    "6" "511 asks a client to log in to its network." foreign "this cache is no captive portal";
};

pub(super) const RFC8246: &[Rule] = rules! { 8246
    "2" "immutable is read."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
    "2" "immutable does not overrule a client that asks for validation: this cache is shared."
        => "edge/http/src/cache/reuse.rs::table";
    "2" "A stale response is validated, immutable or not."
        => "edge/http/src/cache/reuse.rs::table";
};

pub(super) const RFC8297: &[Rule] = rules! { 8297
    "2" "103 is passed on at once to HTTP/1.1, and never to HTTP/1.0."
        => "deploy/tests/acceptance/content.rs::interim_responses_are_passed_on";
};

pub(super) const RFC9209: &[Rule] = rules! { 9209
    "2" "A response that this cache made because an upstream failed has Proxy-Status, with this cache's name."
        => "deploy/tests/acceptance/failures.rs::an_upstream_that_is_not_there";
    "2.1.1" "error says what went wrong, in the words of the registry."
        => "edge/src/error.rs::a_failure_says_whose_it_is";
    "2.1.2" "next-hop says which upstream was asked." departed
        "a MAY: it would tell clients the address of the origin";
    "2.1.3" "next-protocol says which protocol the upstream spoke." departed
        "a MAY: it is HTTP/1.1 always";
    "2.1.4" "received-status says which status the upstream sent." departed
        "a MAY: a response that came is passed on with its status, and Cache-Status has fwd-status";
    "2.1.5" "details are one sentence that names no address."
        => "deploy/tests/acceptance/failures.rs::an_upstream_that_is_not_there";
    "2.3" "A timeout is told apart from a refusal, and both from a malformed answer."
        => "deploy/tests/acceptance/failures.rs::an_upstream_that_never_answers";
    "4" "Nothing in it reveals the origin."
        => "deploy/tests/acceptance/failures.rs::an_upstream_that_answers_nonsense";
};

pub(super) const RFC9211: &[Rule] = rules! { 9211
    "2" "Each response has one member of this cache, behind those of the caches before it."
        => "edge/http/src/cache/status.rs::table";
    "2" "A member is a structured field, whatever its name and detail are."
        => "edge/http/src/cache/status.rs::it_is_always_one_field_value";
    "2" "hit and fwd are never both there."
        => "edge/http/src/cache/status.rs::table";
    "2.1" "hit when nobody was asked."
        => "deploy/tests/acceptance/reuse.rs::only_what_may_be_stored_is_stored";
    "2.2" "fwd says why it was not: uri-miss, vary-miss, stale, request, method and the rest."
        => "edge/http/src/cache/status.rs::forward_reasons";
    "2.2" "fwd=stale goes before fwd=request when both are true."
        => "edge/http/src/cache/reuse.rs::table";
    "2.3" "fwd-status when the upstream's status is not the client's."
        => "deploy/tests/acceptance/reuse.rs::stale_copies_are_validated";
    "2.4" "ttl is what is left of the lifetime; negative when stale."
        => "edge/http/src/cache/status.rs::table";
    "2.5" "stored when the response was kept."
        => "edge/http/src/cache/status.rs::table";
    "2.6" "collapsed when the request waited for another one's."
        => "deploy/tests/acceptance/collapse.rs::a_crowd_costs_the_origin_one_fetch";
    "2.8" "detail is the decision's reason."
        => "edge/http/src/cache/reuse.rs::reasons";
};

pub(super) const RFC9213: &[Rule] = rules! { 9213
};
