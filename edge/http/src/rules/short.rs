//! The shorter RFCs: URIs, stale content, immutable responses, and what is told in Proxy-Status and Cache-Status.

use super::{Rule, Stand};

pub(super) const RFC3986: &[Rule] = rules! { 3986
    "3.2.2" "A host is a name, an IPv4 address or an IPv6 address in brackets; a zone means nothing here."
        => "edge/http/src/target.rs::there_is_one_host";
    "3.2.3" "A port is decimal and fits 16 bits."
        => "edge/http/src/target.rs::there_is_one_host";
    "3.5" "A fragment is not part of a target: refused."
        => "edge/http/src/target.rs::the_four_forms_are_understood";
    "5.2.2" "References are resolved by the algorithm, strictly: its examples come out as written."
        => "edge/http/src/cache/invalidation.rs::examples_of_rfc_3986";
    "6.2.2.1" "Hosts are the same in any case; paths are not."
        => "deploy/tests/acceptance/reuse.rs::hosts_are_told_apart";
    "6.2.2.1" "The hexadecimal digits of percent-encoding are the same in any case."
        => "edge/http/src/cache/key/tests.rs::keys_are_equal_when_uris_are";
    "6.2.2.2" "Unreserved octets are the same encoded or not; reserved ones are not."
        => "edge/http/src/cache/key/tests.rs::keys_are_equal_when_uris_are";
    "6.2.2.3" "Dot segments are removed, in the key only."
        => "edge/http/src/cache/key/tests.rs::a_key_is_its_own";
};

pub(super) const RFC5861: &[Rule] = rules! { 5861
    "3" "stale-while-revalidate is read; an argument that is invalid allows nothing."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
    "3" "A response is used for so long after it is stale, while it is validated in the background."
        => "edge/http/src/cache/reuse.rs::while_revalidating";
    "3" "A site may set it for responses that say nothing; an explicit 0 stays 0."
        => "edge/http/src/cache/stale/tests.rs::defaults_of_a_site";
    "3" "The answer comes at once; the upstream is asked behind it, once."
        => "deploy/tests/sites.rs::stale_copies_are_used_as_the_site_says";
    "4" "stale-if-error is read; an argument that is invalid allows nothing."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
    "4" "On an error or no answer a stale response is used for so long, if nothing forbids it."
        => "edge/http/src/cache/stale/tests.rs::instead_of_an_error";
    "4" "500, 502, 503 and 504 are the errors."
        => "edge/http/src/cache/stale/tests.rs::errors";
    "4" "A request's stale-if-error counts as well."
        => "edge/http/src/cache/directives/tests.rs::directives_of_a_request";
    "4" "An upstream that is not there counts as an error."
        => "deploy/tests/sites.rs::stale_copies_are_used_as_the_site_says";
};

pub(super) const RFC6585: &[Rule] = rules! { 6585
    "3" "428, 429, 431 and 511 are not stored."
        => "edge/http/src/cache/storable/tests.rs::every_status";
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
    "2" "immutable gives no lifetime by itself."
        => "edge/http/src/cache/storable/tests.rs::directives";
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
        => "deploy/tests/rules.rs::an_error_does_not_say_where_the_upstream_is";
    "2.3" "A timeout is told apart from a refusal, and both from a malformed answer."
        => "deploy/tests/acceptance/failures.rs::an_upstream_that_never_answers";
    "4" "Nothing in it reveals the origin."
        => "deploy/tests/rules.rs::an_error_does_not_say_where_the_upstream_is";
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
    "2.7" "key is a string, and shown only where the site says so."
        => "deploy/tests/sites.rs::keys_are_as_the_site_says";
    "2.8" "detail is the decision's reason."
        => "edge/http/src/cache/reuse.rs::reasons";
};

pub(super) const RFC9213: &[Rule] = rules! { 9213
    "2.1" "The field is a dictionary of structured fields; one error makes all of it count for nothing."
        => "edge/http/src/cache/targeted/tests.rs::lifetimes";
    "2.1" "An empty field counts for nothing."
        => "edge/http/src/cache/targeted/tests.rs::which_field_applies";
    "2.1" "A lifetime is an integer; any other type is ignored, never coerced."
        => "edge/http/src/cache/targeted/tests.rs::lifetimes";
    "2.1" "Parameters of directives are ignored."
        => "edge/http/src/cache/targeted/tests.rs::flags";
    "2.1" "Of duplicates the last counts (RFC 8941), which is the end of the others."
        => "edge/http/src/cache/targeted/tests.rs::lifetimes";
    "2.1" "A directive that restricts does so whatever its type; one that allows needs the right type."
        => "edge/http/src/cache/targeted/tests.rs::flags";
    "2.2" "The first valid field of the target list applies, and Cache-Control and Expires do not."
        => "edge/http/src/cache/targeted/tests.rs::which_field_applies";
    "2.2" "Directives mean what they mean in Cache-Control."
        => "edge/http/src/cache/targeted/tests.rs::plain_directives_mean_the_same_in_both_fields";
    "2.2" "Directives with field names are about these fields here, too."
        => "edge/http/src/cache/targeted/tests.rs::withheld_fields";
    "2.2" "A targeted field that is not on the list changes nothing."
        => "edge/http/src/cache/targeted/tests.rs::which_field_applies";
    "2.2" "What is stored by it is seen in the second answer."
        => "deploy/tests/rules.rs::what_is_stored_shows_in_the_second_answer";
    "3.1" "CDN-Cache-Control is the target list."
        => "edge/http/src/cache/targeted/tests.rs::which_field_applies";
    "3.1" "CDN-Cache-Control is passed on, so that a cache behind this one can use it."
        => "deploy/tests/rules.rs::fields_of_the_origin_arrive";
};
