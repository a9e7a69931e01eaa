//! RFC 9111, HTTP Caching.

use super::{Rule, Stand};

pub(super) const RULES: &[Rule] = rules! { 9111
    "1.2.1" "Directives, tags and lists are read by the grammar of RFC 9110, list rules included."
        => "edge/http/src/fields.rs::lists_are_split";
    "1.2.2" "A number of seconds that is too large counts as 2^31; it never wraps round."
        => "edge/http/src/cache/directives/tests.rs::seconds_of_max_age";
    "1.2.2" "Seconds are digits only: a sign, a fraction or letters make them invalid."
        => "edge/http/src/time.rs::delta_seconds_are_digits_and_saturate";
    "1.2.2" "What is written as seconds is a number that a recipient of 31 bits can hold."
        => "edge/http/src/cache/age.rs::seconds_are_clamped";
    "2" "The key is at least the method and the target URI; only GET is stored, so that the URI is left."
        => "edge/http/src/cache/invalidation.rs::table";
    "2" "Different URIs never share a key."
        => "edge/http/src/cache/key/tests.rs::keys_are_equal_when_uris_are";
    "2" "What is stored under one host is not found under another."
        => "deploy/tests/acceptance/reuse.rs::hosts_are_told_apart";
    "2" "Simultaneous requests are collapsed into one, and only when its response may be shared."
        => "deploy/tests/acceptance/collapse.rs::a_crowd_costs_the_origin_one_fetch";
    "2" "Percent-encoding of unreserved octets, dot segments and an empty query make no other key."
        => "edge/http/src/cache/key/tests.rs::keys_are_equal_when_uris_are";
    "2" "What a site leaves out of the key is not sent to the origin either."
        => "deploy/tests/sites.rs::keys_are_as_the_site_says";
    "2" "A site may add request fields and cookies to what selects."
        => "edge/http/src/cache/vary/tests.rs::sites_add_fields_and_cookies";
    "3" "Only responses to a method that is understood are stored."
        => "edge/http/src/cache/storable/tests.rs::methods_and_statuses";
    "3" "Only responses with a final status are stored."
        => "edge/http/src/cache/storable/tests.rs::methods_and_statuses";
    "3" "206, 304 and statuses out of range are not stored as whole responses."
        => "edge/http/src/cache/storable/tests.rs::methods_and_statuses";
    "3" "A response with no-store is not stored."
        => "edge/http/src/cache/storable/tests.rs::directives";
    "3" "A response with private is not stored in this shared cache."
        => "edge/http/src/cache/storable/tests.rs::directives";
    "3" "A response to a request with Authorization is stored only where section 3.5 allows it."
        => "edge/http/src/cache/storable/tests.rs::authorization_and_the_request";
    "3" "Something explicit, public, or a status that allows heuristics is needed for storing."
        => "edge/http/src/cache/storable/tests.rs::methods_and_statuses";
    "3" "What is stored is stored, what is not is not, seen from outside."
        => "deploy/tests/acceptance/reuse.rs::only_what_may_be_stored_is_stored";
    "3" "Each status code is stored as its definition says."
        => "edge/http/src/cache/storable/tests.rs::every_status";
    "3" "The response to a GET with content is not stored: the content is not in the key."
        => "edge/http/src/cache/storable/tests.rs::content_of_the_request";
    "3" "A response to a request with Cookie that only heuristics would make fresh is not stored."
        => "edge/http/src/cache/storable/tests.rs::cookies_of_the_request";
    "3" "Each reason against storing has a word of its own, for Cache-Status, counters and log."
        => "edge/http/src/cache/storable/tests.rs::reasons_are_tokens_and_differ";
    "3" "Private to one user by its cookie and fresh by heuristics only: not stored."
        => "edge/http/src/cache/storable/tests.rs::cookies_of_the_request";
    "3.1" "Every field is stored but Connection, what it names, and the other fields of one hop."
        => "edge/http/src/fields.rs::fields_of_one_hop_are_known";
    "3.1" "Proxy-Authenticate, Proxy-Authentication-Info and Proxy-Authorization are not stored."
        => "edge/http/src/fields.rs::fields_of_one_hop_are_known";
    "3.1" "Trailer fields are kept apart from header fields: they are dropped."
        => "edge/http/src/chunked/tests.rs::content_is_decoded";
    "3.1" "All other fields are stored as they came, known or not."
        => "deploy/tests/rules.rs::fields_of_the_origin_arrive";
    "3.2" "A stored response is updated with every field of the new one, line by line replaced."
        => "edge/http/src/cache/validation/tests.rs::fields_after_an_update";
    "3.2" "Content-Length is not updated: the stored content stays as long as it is."
        => "edge/http/src/cache/validation/tests.rs::fields_after_an_update";
    "3.2" "Fields that section 3.1 keeps out of the store are not updated either."
        => "edge/http/src/cache/validation/tests.rs::fields_after_an_update";
    "3.2" "The same update twice changes nothing the second time."
        => "edge/http/src/cache/validation/tests.rs::the_same_304_changes_nothing_the_second_time";
    "3.2" "Content-Encoding and Content-Range stay with the stored octets." departed
        "SHOULD update every field: these two say what the stored octets are, and a wrong one would corrupt them";
    "3.2" "What describes the stored octets is never changed by an update."
        => "edge/http/src/cache/validation/tests.rs::what_describes_the_octets_never_changes";
    "3.3" "A response that was cut short is not used as a whole one."
        => "deploy/tests/acceptance/failures.rs::what_broke_off_is_whole_the_next_time";
    "3.3" "A client can tell that what it got was cut short."
        => "deploy/tests/acceptance/failures.rs::a_content_that_breaks_off_is_broken_off_for_the_client";
    "3.3" "A part is never answered with as if it were the whole."
        => "deploy/tests/acceptance/reuse.rs::ranges";
    "3.3" "A part is stored only with one sound Content-Range."
        => "edge/http/src/cache/partial/tests.rs::which_part_may_be_stored";
    "3.3" "A part answers only requests for what lies wholly within it."
        => "edge/http/src/cache/partial/tests.rs::what_a_part_answers";
    "3.4" "Parts are combined only when they share a strong validator."
        => "edge/http/src/cache/partial/tests.rs::which_parts_may_be_combined";
    "3.4" "What is combined is the union, and becomes a 200 only when nothing is missing."
        => "edge/http/src/cache/partial/tests.rs::the_combination_is_the_union";
    "3.4" "Of what begins in the store only the rest is asked for, and cut short it is no whole."
        => "deploy/tests/acceptance/parts.rs::only_the_rest_of_a_stored_beginning_is_asked_for";
    "3.5" "must-revalidate, public and s-maxage let others have a response to an authorized request."
        => "edge/http/src/cache/storable/tests.rs::authorization_and_the_request";
    "3.5" "An authorized request whose response is not for others leads no collapsed ones."
        => "deploy/tests/acceptance/shared.rs::a_request_for_one_user_leads_nobody";
    "3.5" "The same directives count when they come in CDN-Cache-Control."
        => "edge/http/src/cache/storable/tests.rs::authorization_and_targeted_directives";
    "4" "A stored response is used only for the same URI and a method that allows it (GET, HEAD)."
        => "deploy/tests/acceptance/reuse.rs::head_says_what_get_would_say";
    "4" "A stored response is used only when the fields that Vary names match."
        => "edge/http/src/cache/vary/tests.rs::requests";
    "4" "A stored response with no-cache, or a request with it, is used only after validation."
        => "edge/http/src/cache/reuse.rs::table";
    "4" "What is used is fresh, allowed to be stale, or validated."
        => "edge/http/src/cache/reuse.rs::nothing_is_used_past_its_lifetime_unless_the_client_allows_it";
    "4" "A response from the store carries an Age that replaces the one it came with."
        => "deploy/tests/acceptance/reuse.rs::copies_age";
    "4" "A method with side effects is written through; it is not answered before the origin has answered."
        => "deploy/tests/acceptance/content.rs::every_method_goes_through";
    "4" "A collapsed request is forwarded by itself when the response may not be shared."
        => "deploy/tests/acceptance/collapse.rs::what_may_not_be_shared_is_not_shared";
    "4" "Of several responses that a request selects the one with the most recent Date is used."
        => "deploy/tests/rules.rs::the_most_recent_of_several_responses_is_used";
    "4.1" "All fields that Vary names must match those of the request that was answered."
        => "edge/http/src/cache/vary/tests.rs::a_request_selects_what_it_would_write";
    "4.1" "Vary with a star matches nothing and is not stored."
        => "edge/http/src/cache/storable/tests.rs::directives";
    "4.1" "A field that was absent matches only when it is absent again; empty is not absent."
        => "edge/http/src/cache/vary/tests.rs::requests";
    "4.1" "White space, case where it has no meaning and the splitting into lines do not matter."
        => "edge/http/src/cache/vary/tests.rs::selections";
    "4.1" "Several variants lie side by side."
        => "deploy/tests/acceptance/reuse.rs::variants_lie_side_by_side";
    "4.1" "Requests for two variants are not collapsed into one."
        => "deploy/tests/acceptance/collapse.rs::variants_are_collapsed_each_for_itself";
    "4.1" "A request field that does not reach the origin selects nothing."
        => "deploy/tests/acceptance/shared.rs::a_field_that_does_not_reach_the_origin_selects_nothing";
    "4.1" "Accept-Encoding is compared by its meaning: weights, aliases, identity, in any order."
        => "edge/http/src/cache/vary/tests.rs::codings_are_a_set_of_weights";
    "4.1" "Accept, Accept-Language and Accept-Charset are compared by their meaning."
        => "edge/http/src/cache/vary/tests.rs::other_preferences_count_by_their_meaning";
    "4.1" "Fields that are not known are compared but for white space around commas and line splits."
        => "edge/http/src/cache/vary/tests.rs::unknown_fields_keep_what_may_matter";
    "4.1" "Cookie in Vary is compared as a whole, octet for octet."
        => "edge/http/src/cache/vary/tests.rs::a_field_is_no_cookie";
    "4.2" "A response is fresh while its lifetime is greater than its age, to the millisecond."
        => "edge/http/src/cache/reuse.rs::table";
    "4.2" "What is stale does not become fresh again by itself."
        => "edge/http/src/cache/reuse.rs::what_is_stale_does_not_become_fresh_again";
    "4.2.1" "s-maxage is the lifetime, else max-age, else Expires less Date, else a heuristic."
        => "edge/http/src/cache/freshness/tests.rs::lifetime";
    "4.2.1" "Of several values of one directive the most restrictive counts; an invalid one is stale."
        => "edge/http/src/cache/directives/tests.rs::seconds_of_max_age";
    "4.2.1" "The order of directives does not matter."
        => "edge/http/src/cache/directives/tests.rs::the_order_of_directives_does_not_matter";
    "4.2.1" "Whatever is added to Cache-Control restricts no less."
        => "edge/http/src/cache/directives/tests.rs::whatever_is_added_restricts_no_less";
    "4.2.2" "Heuristics are used only for statuses that allow them, or with public."
        => "edge/http/src/cache/freshness/tests.rs::heuristic";
    "4.2.2" "The heuristic is a tenth of the time since Last-Modified, a day at most."
        => "edge/http/src/cache/freshness/tests.rs::heuristic";
    "4.2.2" "Heuristics are not used when there is an explicit lifetime, an invalid one included."
        => "edge/http/src/cache/freshness/tests.rs::heuristic";
    "4.2.3" "The initial age is the larger of apparent age and Age plus the response's delay."
        => "edge/http/src/cache/age.rs::initial_age";
    "4.2.3" "Time in the store is added; no part of an age is lost."
        => "edge/http/src/cache/age.rs::no_part_of_an_age_is_lost";
    "4.2.3" "An age never falls, whatever Date, Age and the delay were."
        => "edge/http/src/cache/freshness/tests.rs::age_never_falls_and_never_leaves_out_what_was_received";
    "4.2.3" "A Date in the future is no negative age."
        => "edge/http/src/cache/freshness/tests.rs::current_age_and_ttl";
    "4.2.3" "A clock that was set back makes nothing younger than it arrived."
        => "edge/http/src/cache/freshness/tests.rs::a_clock_that_was_set_back_makes_nothing_younger_than_it_arrived";
    "4.2.4" "No stale response where no-cache, must-revalidate, proxy-revalidate or s-maxage forbid it."
        => "edge/http/src/cache/reuse.rs::what_forbids_stale_use_wins";
    "4.2.4" "A stale response is used without asking only when the client or the response allows it."
        => "edge/http/src/cache/reuse.rs::table";
    "4.2.4" "Nothing that is forbidden or that nobody allows is used when stale."
        => "edge/http/src/cache/stale/tests.rs::nothing_forbidden_or_unallowed_is_used_when_stale";
    "4.2.4" "What was too stale stays so."
        => "edge/http/src/cache/stale/tests.rs::what_was_too_stale_stays_so";
    "4.3.1" "If-None-Match carries the stored entity tag as it came, weak or strong."
        => "edge/http/src/cache/validation/tests.rs::conditions_for_one_response";
    "4.3.1" "If-Modified-Since carries the stored Last-Modified, beside the entity tag if there is one."
        => "edge/http/src/cache/validation/tests.rs::conditions_for_one_response";
    "4.3.1" "A stale response is validated before it is used."
        => "deploy/tests/acceptance/reuse.rs::stale_copies_are_validated";
    "4.3.1" "Strong tags of the other stored responses of the URI are sent along, each once."
        => "edge/http/src/cache/validation/tests.rs::conditions_for_several_responses";
    "4.3.1" "Tags that are sent along are bounded in number."
        => "edge/http/src/cache/validation/tests.rs::tags_of_others_are_bounded";
    "4.3.1" "What is no entity tag is never sent as one."
        => "edge/http/src/cache/validation/tests.rs::conditions_for_one_response";
    "4.3.2" "A client's conditions are answered from the store when it has a usable response."
        => "deploy/tests/acceptance/reuse.rs::conditions_of_clients_are_answered_from_the_store";
    "4.3.2" "A client's condition on a miss does not keep the response out of the store."
        => "deploy/tests/acceptance/reuse.rs::a_condition_on_a_miss_does_not_keep_the_store_empty";
    "4.3.2" "If-None-Match goes before If-Modified-Since; a date that is invalid is ignored."
        => "edge/http/src/precondition.rs::precedence";
    "4.3.2" "After validation the client's own conditions and range are answered from the updated response."
        => "deploy/tests/acceptance/reuse.rs::validated_copies_answer_ranges_and_conditions";
    "4.3.2" "Without Last-Modified, If-Modified-Since is compared with Date."
        => "edge/http/src/precondition.rs::without_last_modified_the_date_counts";
    "4.3.3" "A 304 makes the stored response usable; any other success replaces it."
        => "deploy/tests/acceptance/reuse.rs::stale_copies_are_validated";
    "4.3.3" "A 304 that makes a response private serves the one who asked, and nobody afterwards."
        => "deploy/tests/acceptance/shared.rs::a_304_for_one_user_is_for_nobody_else";
    "4.3.3" "An error in place of a validation is passed on, or the stale response used where that is allowed."
        => "deploy/tests/sites.rs::stale_copies_are_used_as_the_site_says";
    "4.3.4" "A 304 with a strong tag updates only responses with that tag."
        => "edge/http/src/cache/validation/tests.rs::which_response_a_304_is_about";
    "4.3.4" "A 304 without one updates what was asked about."
        => "edge/http/src/cache/validation/tests.rs::which_response_a_304_is_about";
    "4.3.4" "A response that is chosen among several by a 304 has its strong tag."
        => "edge/http/src/cache/validation/tests.rs::to_be_identified_strongly_is_to_be_identified";
    "4.3.5" "A HEAD whose validators and length are those stored freshens; another one makes invalid."
        => "edge/http/src/cache/validation/tests.rs::what_a_head_says_of_a_stored_response";
    "4.3.5" "What a HEAD confirms it confirms again after the update."
        => "edge/http/src/cache/validation/tests.rs::what_a_head_confirms_it_confirms_again";
    "4.3.5" "After a HEAD the stored content is used with the HEAD's fields, or not at all."
        => "deploy/tests/rules.rs::head_freshens_or_makes_invalid";
    "4.4" "An unsafe method with a non-error response invalidates the target URI; others do not."
        => "edge/http/src/cache/invalidation.rs::table";
    "4.4" "Methods that are unknown count as unsafe."
        => "edge/http/src/cache/invalidation.rs::table";
    "4.4" "What a PUT, POST, PATCH or DELETE changed is fetched anew; what failed to change stays."
        => "deploy/tests/acceptance/reuse.rs::changes_invalidate";
    "4.4" "A response that is still arriving while its URI is invalidated serves nobody who asks later."
        => "deploy/tests/acceptance/shared.rs::what_is_arriving_when_it_is_deleted_is_not_used_again";
    "4.4" "Location and Content-Location of the same origin are invalidated, relative ones resolved."
        => "edge/http/src/cache/invalidation.rs::references";
    "4.4" "A URI of another origin is never invalidated."
        => "edge/http/src/cache/invalidation.rs::nothing_leaves_the_origin";
    "4.4" "All lines of both fields are looked at, within bounds; malformed ones are passed over."
        => "edge/http/src/cache/invalidation.rs::all_lines_are_looked_at";
    "4.4" "What the answer to a change names is fetched anew, seen from outside."
        => "deploy/tests/rules.rs::changes_invalidate_what_their_answer_names";
    "5.1" "Age is written in whole seconds, and read as the first number when there are several."
        => "edge/http/src/cache/age.rs::age_field";
    "5.1" "An invalid Age is ignored; one that is too large is clamped."
        => "edge/http/src/cache/age.rs::age_field";
    "5.2" "Directive names are case-insensitive; arguments may be tokens or quoted."
        => "edge/http/src/cache/directives/tests.rs::seconds_of_max_age";
    "5.2" "Several lines of Cache-Control are one list; empty members are skipped."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
    "5.2" "Cache-Control is passed on by a proxy, whatever it did with it."
        => "deploy/tests/rules.rs::fields_of_the_origin_arrive";
    "5.2" "Semicolons, missing commas and open quotes hide no directive that restricts."
        => "edge/http/src/cache/directives/tests.rs::a_word_that_restricts_is_not_lost_in_a_malformed_directive";
    "5.2.1" "A site may have directives of clients count for nothing, which the section allows."
        => "deploy/tests/sites.rs::directives_of_clients_count_where_the_site_lets_them";
    "5.2.1.1" "max-age of a request: nothing older than that is used without asking."
        => "edge/http/src/cache/reuse.rs::table";
    "5.2.1.2" "max-stale of a request: so much staleness is accepted; without an argument, any."
        => "edge/http/src/cache/reuse.rs::table";
    "5.2.1.3" "min-fresh of a request: what is used stays fresh for so long."
        => "edge/http/src/cache/reuse.rs::table";
    "5.2.1.4" "no-cache of a request: nothing is used before it was validated."
        => "edge/http/src/cache/reuse.rs::table";
    "5.2.1.5" "no-store of a request: its response is not stored."
        => "edge/http/src/cache/storable/tests.rs::authorization_and_the_request";
    "5.2.1.6" "no-transform of a request is understood; nothing is ever transformed."
        => "edge/http/src/cache/directives/tests.rs::directives_of_a_request";
    "5.2.1.7" "only-if-cached is answered from the store or with 504."
        => "deploy/tests/acceptance/reuse.rs::only_if_cached_asks_nobody";
    "5.2.2.1" "max-age of a response: it is stale when it is older than that."
        => "edge/http/src/cache/freshness/tests.rs::lifetime";
    "5.2.2.2" "must-revalidate: once stale, never used without validation."
        => "edge/http/src/cache/reuse.rs::what_forbids_stale_use_wins";
    "5.2.2.3" "must-understand: stored only when the status is understood, and then in spite of no-store."
        => "edge/http/src/cache/storable/tests.rs::methods_and_statuses";
    "5.2.2.4" "no-cache: never used without validation, however fresh."
        => "edge/http/src/cache/reuse.rs::table";
    "5.2.2.4" "no-cache with field names: the rest is used, those fields are not kept."
        => "deploy/tests/rules.rs::what_is_stored_shows_in_the_second_answer";
    "5.2.2.5" "no-store: no part of the response is stored."
        => "edge/http/src/cache/storable/tests.rs::directives";
    "5.2.2.6" "no-transform is understood and passed on; nothing is ever transformed."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
    "5.2.2.7" "private without field names: not stored here."
        => "edge/http/src/cache/storable/tests.rs::directives";
    "5.2.2.7" "private with field names: the rest is stored, those fields are not."
        => "deploy/tests/rules.rs::what_is_stored_shows_in_the_second_answer";
    "5.2.2.7" "Field names that are malformed, or needed here, make the whole response private."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
    "5.2.2.8" "proxy-revalidate: as must-revalidate, in this shared cache."
        => "edge/http/src/cache/reuse.rs::table";
    "5.2.2.9" "public makes a response storable whatever its status, and heuristics allowed."
        => "edge/http/src/cache/storable/tests.rs::methods_and_statuses";
    "5.2.2.10" "s-maxage goes before max-age and Expires, and forbids stale use as proxy-revalidate does."
        => "edge/http/src/cache/freshness/tests.rs::what_is_kept";
    "5.2.3" "Directives that are not understood are ignored."
        => "edge/http/src/cache/directives/tests.rs::flags_of_a_response";
    "5.3" "An Expires that is no valid date is in the past."
        => "edge/http/src/cache/freshness/tests.rs::lifetime";
    "5.3" "Expires counts for nothing beside max-age or s-maxage."
        => "edge/http/src/cache/freshness/tests.rs::lifetime";
    "5.3" "Expires is read in all three forms of a date; of several lines the earliest counts."
        => "edge/http/src/cache/freshness/tests.rs::lifetime";
    "5.4" "Pragma: no-cache of a request counts when there is no Cache-Control; of a response, never."
        => "edge/http/src/cache/directives/tests.rs::directives_of_a_request";
    "5.5" "Warning is obsolete: none is made, and what comes is passed on like any other field."
        => "deploy/tests/rules.rs::fields_of_the_origin_arrive";
    "6" "The history list of a user agent." foreign "there is no user interface here";
    "7.1" "Nothing that a client can send makes the cache store what another URI or host would get."
        => "deploy/tests/acceptance/malformed.rs::malformed_requests_are_refused_and_the_connection_ends";
    "7.1" "Request fields that frameworks take for host, target or method do not reach the origin."
        => "deploy/tests/rules.rs::fields_of_the_client_arrive_unless_they_could_poison";
    "7.1" "Neither do they in other spellings."
        => "edge/http/src/cache/unkeyed.rs::spelling_does_not_matter";
    "7.1" "The response to a target with dot segments is not stored under its normal form."
        => "deploy/tests/rules.rs::what_is_stored_shows_in_the_second_answer";
    "7.2" "Nothing tells from outside what others have asked for." departed
        "a shared cache is there to be quick when it has something, and Cache-Status says so";
    "7.3" "Set-Cookie does not keep a response that is explicitly for all out of the store."
        => "edge/http/src/cache/storable/tests.rs::cookies_of_the_response";
    "7.3" "Set-Cookie does not keep a response that only heuristics would make fresh out of the store." departed
        "it is not forbidden, and such a response is one user's more often than not: not stored";
    "7.3" "Set-Cookie with nothing that says that the response is for all: not stored."
        => "edge/http/src/cache/storable/tests.rs::cookies_of_the_response";
};
