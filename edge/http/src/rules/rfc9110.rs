//! RFC 9110, HTTP Semantics, as far as it concerns a cache in front of an origin.

use super::{Rule, Stand};

pub(super) const RULES: &[Rule] = rules! { 9110
    "2.5" "A later minor version is read as the one that is known; another major version is refused."
        => "edge/http/src/head/tests.rs::request_lines_are_strict";
    "3.7" "A gateway passes on a message in the form in which it understood it."
        => "deploy/tests/acceptance/messages.rs::what_is_understood_is_passed_on_in_that_form";
    "4.2.1" "An http URI without a host is refused."
        => "edge/http/src/target.rs::the_four_forms_are_understood";
    "4.2.3" "The default port, an empty port and no port are the same; so are an empty path and a slash."
        => "edge/http/src/cache/invalidation.rs::table";
    "4.2.4" "User information in a target or Host is refused."
        => "edge/http/src/target.rs::there_is_one_host";
    "5.1" "Field names are case-insensitive."
        => "edge/http/src/head/tests.rs::fields_are_found_by_name";
    "5.1" "Fields that are not known are passed on and stored."
        => "deploy/tests/rules.rs::fields_of_the_origin_arrive";
    "5.2" "Several lines of a list field are one list."
        => "edge/http/src/head/tests.rs::fields_are_found_by_name";
    "5.3" "Lines of one name keep their order."
        => "edge/http/src/head/tests.rs::a_written_head_reads_back";
    "5.4" "Fields beyond the limits are refused with 431, never cut."
        => "edge/http/src/head/tests.rs::limits_hold_to_the_octet_and_early";
    "5.5" "NUL, CR, LF and other controls in a value are refused."
        => "edge/http/src/head/tests.rs::field_lines_are_strict";
    "5.5" "Octets beyond ASCII in a value are kept as they are."
        => "edge/http/src/head/tests.rs::field_lines_are_strict";
    "5.6.1" "Empty members of a list are skipped."
        => "edge/http/src/fields.rs::lists_are_split";
    "5.6.2" "A token is made of the octets that the RFC lists, and no others."
        => "edge/http/src/fields.rs::tokens_are_as_the_rfc_lists_them";
    "5.6.3" "Space and tab are the white space; no other octet is."
        => "edge/http/src/fields.rs::whitespace_is_trimmed";
    "5.6.4" "Quoted strings with quoted pairs; a quote without end is none."
        => "edge/http/src/fields.rs::quotes_are_taken_off";
    "5.6.4" "A comma within quotes splits no list."
        => "edge/http/src/fields.rs::lists_are_split";
    "5.6.7" "Dates are read in all three forms."
        => "edge/http/src/time.rs::dates_are_read";
    "5.6.7" "Dates are written as IMF-fixdate."
        => "edge/http/src/time.rs::dates_are_written_as_imf_fixdate";
    "5.6.7" "A year of two digits is at most 50 years ahead."
        => "edge/http/src/time.rs::a_two_digit_year_is_at_most_50_years_ahead";
    "5.6.7" "A date that is written reads back, for every day of the calendar."
        => "edge/http/src/time.rs::every_day_of_the_calendar_is_its_own";
    "6.4.1" "Which messages have content follows from method and status."
        => "edge/http/src/framing.rs::responses_are_framed_by_method_status_and_fields";
    "6.5.1" "Trailer fields are not merged into the header; they may be discarded, and are."
        => "edge/http/src/chunked/tests.rs::content_is_decoded";
    "6.6.1" "An invalid Date is treated as none."
        => "edge/http/src/cache/freshness/tests.rs::what_is_kept";
    "6.6.1" "A response without Date gets one before it is stored or passed on."
        => "deploy/tests/rules.rs::fields_of_the_origin_arrive";
    "7.2" "Host is needed, and must be valid; the target's authority goes before it."
        => "edge/http/src/target.rs::there_is_one_host";
    "7.2" "The request sent on has the Host of the target that was understood."
        => "deploy/tests/acceptance/content.rs::fields_of_one_hop_stay_on_it";
    "7.4" "A request for a scheme that is not served here is answered with 421."
        => "deploy/tests/acceptance/malformed.rs::malformed_requests_are_refused_and_the_connection_ends";
    "7.6" "A request that has passed this cache before is not sent round again."
        => "deploy/tests/acceptance/reuse.rs::loops_are_cut";
    "7.6" "Content is passed on as it arrives, in both directions, in bounded memory."
        => "deploy/tests/acceptance/content.rs::large_contents_pass_in_both_directions_at_once";
    "7.6.1" "Connection, what it names and the other fields of one hop are taken off."
        => "deploy/tests/acceptance/content.rs::fields_of_one_hop_stay_on_it";
    "7.6.1" "Options of Connection are case-insensitive and may be in several lines."
        => "edge/http/src/fields.rs::fields_of_one_hop_are_known";
    "7.6.2" "Max-Forwards of TRACE and OPTIONS is counted down; 0 ends here; others ignore it."
        => "edge/http/src/max_forwards.rs::forwards_are_counted_down";
    "7.6.2" "Who may not forward TRACE or OPTIONS answers it."
        => "deploy/tests/acceptance/messages.rs::the_last_one_answers";
    "7.6.3" "Via is extended on requests."
        => "deploy/tests/acceptance/content.rs::fields_of_one_hop_stay_on_it";
    "7.6.3" "Via is extended on responses, those that this cache made included."
        => "deploy/tests/acceptance/shared.rs::a_416_from_the_store_has_via";
    "7.6.3" "Via has the version in which each message was received."
        => "deploy/tests/rules.rs::versions_and_interim_responses";
    "7.7" "Nothing is transformed: content and its fields are the origin's."
        => "deploy/tests/acceptance/files.rs::every_file_is_the_file_on_disk_wherever_it_comes_from";
    "7.7" "Path and query are sent on octet for octet."
        => "deploy/tests/rules.rs::fields_of_the_client_arrive_unless_they_could_poison";
    "7.8" "Upgrade is a field of one hop and not passed on by itself."
        => "deploy/tests/acceptance/messages.rs::what_is_understood_is_passed_on_in_that_form";
    "7.8" "Where the site allows it, the upstream may switch the protocol, and octets go both ways."
        => "deploy/tests/acceptance/tunnel.rs::octets_go_both_ways_until_one_side_ends";
    "7.8" "Only what the client has offered is switched to."
        => "edge/src/tunnel.rs::the_upstream_chooses_among_what_was_offered";
    "7.8" "Upgrade is ignored from HTTP/1.0, without its name in Connection, and for HTTP in another version."
        => "edge/src/tunnel.rs::only_other_protocols_are_tunnelled";
    "7.8" "An upstream that does not switch is answered from as usual."
        => "deploy/tests/acceptance/tunnel.rs::who_does_not_switch_answers_as_usual";
    "8.6" "No Content-Length in a 1xx or 204; an empty content says 0."
        => "deploy/tests/acceptance/reuse.rs::responses_without_content";
    "8.6" "A Content-Length that is no number, or several that differ, is not passed on."
        => "edge/http/src/fields.rs::content_length_is_one_number";
    "8.6" "A response to HEAD has the Content-Length that GET would have."
        => "deploy/tests/acceptance/reuse.rs::head_says_what_get_would_say";
    "8.8.1" "Strong validators may be used for ranges, weak ones not."
        => "edge/http/src/range/tests.rs::if_range";
    "8.8.1" "Which of a response's validators are strong."
        => "edge/http/src/validator.rs::which_validators_are_strong";
    "8.8.2.2" "A Last-Modified of the very second of the response is weak."
        => "edge/http/src/range/tests.rs::if_range";
    "8.8.3" "An entity tag is quoted, opaque and case-sensitive."
        => "edge/http/src/validator.rs::an_entity_tag_has_quotes_around_and_none_within";
    "8.8.3" "A list of tags is split where its grammar says, not at commas within tags."
        => "edge/http/src/validator.rs::a_list_is_split_where_its_grammar_says";
    "8.8.3.2" "Strong and weak comparison are as in the table."
        => "edge/http/src/validator.rs::comparison_is_as_in_the_table_of_the_rfc";
    "8.8.3.2" "Comparison is symmetric, and what is strongly the same is weakly the same."
        => "edge/http/src/validator.rs::comparison_is_symmetric_and_strong_implies_weak";
    "9.1" "Methods are case-sensitive tokens; those not known are passed on."
        => "deploy/tests/acceptance/content.rs::every_method_goes_through";
    "9.2.1" "GET, HEAD, OPTIONS and TRACE are safe; all others may change something."
        => "edge/http/src/cache/invalidation.rs::table";
    "9.2.2" "Only idempotent requests are repeated after a connection turned out closed."
        => "deploy/tests/rules.rs::only_idempotent_requests_are_repeated";
    "9.2.3" "GET and HEAD are answered from the store."
        => "deploy/tests/acceptance/reuse.rs::head_says_what_get_would_say";
    "9.3.1" "The content of a GET has no meaning that a cache could know: its response is not stored."
        => "edge/http/src/cache/storable/tests.rs::content_of_the_request";
    "9.3.2" "HEAD is answered with the fields of GET and without content."
        => "deploy/tests/acceptance/reuse.rs::head_says_what_get_would_say";
    "9.3.3" "A response to POST may be stored for later GETs." departed
        "a MAY that needs a Content-Location equal to the target; hardly any origin sends that";
    "9.3.4" "PUT invalidates what is stored; its response is not stored."
        => "deploy/tests/acceptance/reuse.rs::changes_invalidate";
    "9.3.5" "DELETE invalidates what is stored."
        => "deploy/tests/acceptance/reuse.rs::changes_invalidate";
    "9.3.6" "CONNECT is refused."
        => "deploy/tests/acceptance/malformed.rs::malformed_requests_are_refused_and_the_connection_ends";
    "9.3.7" "OPTIONS passes, with an asterisk too; its response is not stored."
        => "edge/http/src/target.rs::the_four_forms_are_understood";
    "9.3.7" "OPTIONS with an asterisk is sent on as such, in absolute form too."
        => "deploy/tests/acceptance/messages.rs::what_is_understood_is_passed_on_in_that_form";
    "9.3.8" "TRACE is answered by its last recipient with the head, without credentials; content is refused."
        => "deploy/tests/acceptance/messages.rs::the_last_one_answers";
    "10.1.1" "Expect: 100-continue is passed on and 100 comes back."
        => "deploy/tests/acceptance/messages.rs::a_client_that_waits_is_told_to_go_on";
    "10.1.1" "A final status before the content is passed on at once, and the connection ends or is read on."
        => "deploy/tests/acceptance/content.rs::an_early_answer_reaches_a_client_that_is_still_sending";
    "10.1.1" "100-continue counts from HTTP/1.1 with content only; it is case-insensitive."
        => "edge/http/src/expect.rs::expectations_are_known_or_refused";
    "10.1.1" "Without 100 the client learns that the connection ends, and nothing of it is taken for a request."
        => "deploy/tests/acceptance/messages.rs::a_client_that_waits_in_vain_is_told_that_the_connection_ends";
    "10.1.1" "An expectation that is not known is answered with 417."
        => "deploy/tests/acceptance/messages.rs::what_peers_read_in_different_ways_is_refused";
    "10.1.4" "TE is of one hop and not passed on; no trailers and no transfer codings are asked for."
        => "edge/http/src/fields.rs::fields_of_one_hop_are_known";
    "11.6.1" "WWW-Authenticate is passed on as it is."
        => "deploy/tests/rules.rs::fields_of_the_origin_arrive";
    "11.6.2" "Authorization is passed on as it is, and keeps the response for its user."
        => "deploy/tests/rules.rs::fields_of_the_client_arrive_unless_they_could_poison";
    "11.7.2" "Proxy-Authorization and Proxy-Authenticate are of one hop and not passed on."
        => "edge/http/src/fields.rs::fields_of_one_hop_are_known";
    "12.4.2" "A weight is a number with three digits at most; 1 when there is none."
        => "edge/http/src/cache/vary/tests.rs::accepted_codings_count_by_their_meaning";
    "12.5.3" "identity is acceptable unless it is refused; an empty field asks for no coding."
        => "edge/http/src/cache/vary/tests.rs::accepted_codings_count_by_their_meaning";
    "12.5.3" "Accept-Encoding selects the same stored response however it is written."
        => "deploy/tests/rules.rs::accepted_codings_select_by_meaning";
    "12.5.5" "Vary is passed on, and selects."
        => "deploy/tests/acceptance/reuse.rs::variants_lie_side_by_side";
    "13.1.1" "If-Match is for the origin: a cache ignores it."
        => "edge/http/src/precondition.rs::precedence";
    "13.1.2" "If-None-Match is compared weakly; a list, a star, several lines."
        => "edge/http/src/precondition.rs::if_none_match";
    "13.1.2" "304 for GET and HEAD, 412 for other methods."
        => "edge/http/src/precondition.rs::if_none_match";
    "13.1.3" "If-Modified-Since: one valid date, GET and HEAD only, never beside If-None-Match."
        => "edge/http/src/precondition.rs::if_modified_since";
    "13.1.4" "If-Unmodified-Since is for the origin: a cache ignores it."
        => "edge/http/src/precondition.rs::precedence";
    "13.1.5" "If-Range is compared strongly, tag or exact date; otherwise the whole is sent."
        => "edge/http/src/range/tests.rs::if_range";
    "13.1.5" "If-Range without Range is ignored."
        => "edge/http/src/range/tests.rs::if_range";
    "13.2.2" "Conditions are evaluated in the order of the section."
        => "edge/http/src/precondition.rs::precedence";
    "14.1" "Range units are case-insensitive; unknown ones are ignored."
        => "edge/http/src/range/tests.rs::one_range";
    "14.1.1" "A range whose last is before its first is invalid, and ignored."
        => "edge/http/src/range/tests.rs::one_range";
    "14.1.2" "First and last octet, open end, suffix; the end is clipped to the content."
        => "edge/http/src/range/tests.rs::one_range";
    "14.1.2" "Positions that overflow 64 bits are beyond every end."
        => "edge/http/src/range/tests.rs::one_range";
    "14.1.2" "A part is never outside of the content."
        => "edge/http/src/range/tests.rs::no_part_is_outside_the_content_or_twice_in_it";
    "14.2" "Range counts for GET only."
        => "deploy/tests/rules.rs::ranges_of_what_is_stored";
    "14.2" "Many ranges are ignored; overlapping and touching ones become one."
        => "edge/http/src/range/tests.rs::several_ranges";
    "14.2" "Only the octets that were asked for are sent, each once."
        => "edge/http/src/range/tests.rs::the_octets_asked_for_are_sent_and_no_others";
    "14.4" "206 says which part it is, and 416 how long the whole is."
        => "deploy/tests/acceptance/reuse.rs::ranges";
    "14.4" "Content-Range is one range in octets within a known length, or it is not used."
        => "edge/http/src/cache/partial/tests.rs::content_range";
    "14.5" "A PUT with Content-Range passes; its origin must know what it means."
        => "deploy/tests/rules.rs::fields_of_the_client_arrive_unless_they_could_poison";
    "14.6" "multipart/byteranges is framed as in the example."
        => "edge/http/src/multipart.rs::framing_is_as_in_the_example";
    "14.6" "Each part has the type of the whole and its own Content-Range."
        => "edge/http/src/multipart.rs::a_part_has_the_type_of_the_whole";
    "14.6" "A boundary is quoted where it must be."
        => "edge/http/src/multipart.rs::the_boundary_is_quoted_where_it_must_be";
    "15" "A status of an unknown class or beyond three digits is not taken for another."
        => "edge/http/src/head/tests.rs::status_lines_are_read";
    "15" "A final status that is not known is passed on, and stored where that is explicit."
        => "edge/http/src/cache/storable/tests.rs::methods_and_statuses";
    "15.1" "The statuses that allow heuristics are those of the section."
        => "edge/http/src/cache/freshness/tests.rs::heuristic";
    "15.2" "1xx are passed on to HTTP/1.1 and kept from HTTP/1.0."
        => "deploy/tests/acceptance/content.rs::interim_responses_are_passed_on";
    "15.2" "1xx before the answer to a GET that misses are passed on to the one who asked first."
        => "deploy/tests/rules.rs::versions_and_interim_responses";
    "15.2.2" "101 is passed on with Upgrade and Connection, and what follows is no HTTP any more."
        => "deploy/tests/acceptance/tunnel.rs::octets_go_both_ways_until_one_side_ends";
    "15.3.5" "204 has no content."
        => "deploy/tests/acceptance/reuse.rs::responses_without_content";
    "15.3.7.1" "A single part has Content-Range, and what a 200 would have had."
        => "deploy/tests/acceptance/reuse.rs::ranges";
    "15.3.7.2" "Several parts have no Content-Range outside, and an exact Content-Length."
        => "edge/http/src/multipart.rs::the_length_is_exact";
    "15.3.7.2" "Parts keep the order in which they were asked for."
        => "deploy/tests/rules.rs::ranges_of_what_is_stored";
    "15.3.7.3" "Parts of one strong validator are combined, touching or overlapping."
        => "edge/http/src/cache/partial/tests.rs::parts_are_combined";
    "15.4.5" "304 to a client has ETag and the other fields that it needs, and no content."
        => "deploy/tests/acceptance/reuse.rs::conditions_of_clients_are_answered_from_the_store";
    "15.5.6" "405 for CONNECT."
        => "deploy/tests/acceptance/malformed.rs::malformed_requests_are_refused_and_the_connection_ends";
    "15.5.9" "408 when a request does not arrive in time."
        => "deploy/tests/acceptance/malformed.rs::a_head_that_takes_too_long_is_refused";
    "15.5.14" "413 when a content is longer than can be counted."
        => "edge/http/src/framing.rs::errors_have_their_status";
    "15.5.15" "414 when a target is too long."
        => "edge/http/src/head/tests.rs::errors_have_their_status";
    "15.5.17" "416 when no part that was asked for exists."
        => "deploy/tests/acceptance/reuse.rs::ranges";
    "15.5.18" "417 for an expectation that is not known."
        => "deploy/tests/acceptance/messages.rs::what_peers_read_in_different_ways_is_refused";
    "15.5.20" "421 when a request is for another server."
        => "edge/http/src/target.rs::errors_have_their_status";
    "15.6.2" "501 for a transfer coding that is not known."
        => "edge/http/src/framing.rs::errors_have_their_status";
    "15.6.2" "501 for a method that is longer than any."
        => "deploy/tests/acceptance/messages.rs::what_peers_read_in_different_ways_is_refused";
    "15.6.3" "502 when the upstream can't be reached or its answer is malformed."
        => "deploy/tests/acceptance/failures.rs::an_upstream_that_answers_nonsense";
    "15.6.4" "503 when this cache can't do it now."
        => "edge/src/error.rs::a_failure_says_whose_it_is";
    "15.6.5" "504 when the upstream does not answer in time."
        => "deploy/tests/acceptance/failures.rs::an_upstream_that_never_answers";
    "15.6.6" "505 for another major version."
        => "edge/http/src/head/tests.rs::errors_have_their_status";
    "17.1" "The authority of a request is one, whatever its target and fields say."
        => "edge/http/src/target.rs::what_is_found_is_sound";
    "17.5" "Every element of a message is bounded, and refused with its status beyond that."
        => "edge/http/src/head/tests.rs::limits_hold_to_the_octet_and_early";
    "17.15" "A Range of many small parts costs no more than a bounded number of them."
        => "edge/http/src/range/tests.rs::too_many_ranges_are_ignored";
};
