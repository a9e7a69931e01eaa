//! RFC 9112, HTTP/1.1.

use super::{Rule, Stand};

pub(super) const RULES: &[Rule] = rules! { 9112
    "2.2" "A message is read as octets; what is no HTTP is noticed at its first octet."
        => "edge/http/src/head/tests.rs::request_lines_are_strict";
    "2.2" "A bare CR is refused, in start lines, field lines and chunk lines."
        => "edge/http/src/head/tests.rs::field_lines_are_strict";
    "2.2" "A bare LF is not taken for a line end."
        => "edge/http/src/head/tests.rs::request_lines_are_strict";
    "2.2" "An empty line before a request line is skipped; no more than a few are."
        => "deploy/tests/acceptance/persistence.rs::heads_may_come_in_any_pieces";
    "2.2" "White space between the start line and the first field is refused."
        => "edge/http/src/head/tests.rs::field_lines_are_strict";
    "2.2" "Whatever is not a request is answered with 400 and the end of the connection."
        => "deploy/tests/acceptance/malformed.rs::malformed_requests_are_refused_and_the_connection_ends";
    "2.2" "How octets are split into packets changes nothing."
        => "edge/http/src/head/tests.rs::a_split_anywhere_changes_nothing";
    "2.3" "The version is case-sensitive: one digit, a dot, one digit."
        => "edge/http/src/head/tests.rs::request_lines_are_strict";
    "2.3" "The version of what is sent is ours, whatever the other side's."
        => "deploy/tests/acceptance/persistence.rs::connections_stay_open_when_both_sides_want_that";
    "2.3" "What is sent on has our version, whatever the client's was."
        => "deploy/tests/acceptance/messages.rs::what_is_understood_is_passed_on_in_that_form";
    "3" "A request line has two single spaces; any other white space is refused."
        => "edge/http/src/head/tests.rs::request_lines_are_strict";
    "3" "A request line that is too long is answered with 414."
        => "edge/http/src/head/tests.rs::limits_hold_to_the_octet_and_early";
    "3.1" "A method is a token, case-sensitive, and unknown ones pass."
        => "deploy/tests/acceptance/content.rs::every_method_goes_through";
    "3.2" "A 1.1 request without Host, with two, or with an invalid one is answered with 400."
        => "edge/http/src/target.rs::there_is_one_host";
    "3.2" "No white space in a target: it is refused, not repaired."
        => "edge/http/src/head/tests.rs::request_lines_are_strict";
    "3.2.1" "Origin form: a path and a query, sent on octet for octet."
        => "edge/http/src/target.rs::the_four_forms_are_understood";
    "3.2.2" "Absolute form is understood, and its authority replaces Host."
        => "edge/http/src/target.rs::the_four_forms_are_understood";
    "3.2.2" "A proxy sends the Host of the target that it understood."
        => "deploy/tests/acceptance/messages.rs::what_is_understood_is_passed_on_in_that_form";
    "3.2.3" "Authority form is for CONNECT only, and needs a port."
        => "edge/http/src/target.rs::the_four_forms_are_understood";
    "3.2.4" "Asterisk form is for OPTIONS only; an absolute form without path becomes it."
        => "edge/http/src/target.rs::the_four_forms_are_understood";
    "3.3" "The target URI is made of scheme, authority, path and query; no part comes from elsewhere."
        => "edge/http/src/target.rs::what_is_found_is_sound";
    "4" "A status line has three digits; a missing reason phrase is accepted, with its space or without."
        => "edge/http/src/head/tests.rs::status_lines_are_read";
    "4" "A status line that is none is answered to the client with 502."
        => "deploy/tests/acceptance/messages/answers.rs::malformed_answers_become_a_502";
    "4" "An answer that can't be trusted is none: 502, and its connection is closed."
        => "deploy/tests/acceptance/messages/answers.rs::malformed_answers_become_a_502";
    "5" "A field line is a name, a colon and a value; white space around the value is taken off."
        => "edge/http/src/head/tests.rs::a_request_is_read";
    "5" "What is written as a field line reads back as the same field."
        => "edge/http/src/head/tests.rs::a_written_head_reads_back";
    "5.1" "A request with white space before a colon is refused."
        => "edge/http/src/head/tests.rs::field_lines_are_strict";
    "5.1" "White space before the colon of a response is removed before it is passed on."
        => "edge/http/src/head/tests.rs::a_space_before_the_colon_of_a_response_is_removed";
    "5.2" "A folded line in a request is refused."
        => "edge/http/src/head/tests.rs::field_lines_are_strict";
    "6" "Content is told from a request by Content-Length or Transfer-Encoding, of any method."
        => "edge/http/src/framing.rs::requests_are_framed_without_guessing";
    "6.1" "A request with an unknown transfer coding is answered with 501."
        => "edge/http/src/framing.rs::requests_are_framed_without_guessing";
    "6.1" "chunked is the last coding, applied once."
        => "edge/http/src/framing.rs::requests_are_framed_without_guessing";
    "6.1" "Transfer-Encoding with Content-Length is refused and the connection closed."
        => "deploy/tests/acceptance/malformed.rs::malformed_requests_are_refused_and_the_connection_ends";
    "6.1" "Transfer-Encoding in HTTP/1.0 is faulty framing: refused, and the connection closed."
        => "edge/http/src/framing.rs::requests_are_framed_without_guessing";
    "6.1" "No Transfer-Encoding in a response to HTTP/1.0."
        => "deploy/tests/acceptance/persistence.rs::connections_stay_open_when_both_sides_want_that";
    "6.1" "No Transfer-Encoding in a 1xx or 204, nor a Content-Length."
        => "deploy/tests/acceptance/reuse.rs::responses_without_content";
    "6.2" "Content-Length is never sent beside Transfer-Encoding, and is what the content has."
        => "edge/tests/sim/main.rs::every_seed_satisfies_the_oracles";
    "6.2" "Content-Length is one number, or the same number several times."
        => "edge/http/src/fields.rs::content_length_is_one_number";
    "6.3" "Responses to HEAD, 1xx, 204 and 304 have no content, whatever their fields say."
        => "edge/http/src/framing.rs::responses_are_framed_by_method_status_and_fields";
    "6.3" "A 2xx to CONNECT begins a tunnel."
        => "edge/http/src/framing.rs::responses_are_framed_by_method_status_and_fields";
    "6.3" "A response with both Transfer-Encoding and Content-Length is refused (502)."
        => "edge/http/src/framing.rs::responses_are_framed_by_method_status_and_fields";
    "6.3" "A response whose last coding is not chunked ends with the connection." departed
        "such a coding can't be taken off, and HTTP/1.0 clients would get it as content: it is refused (502)";
    "6.3" "An invalid Content-Length is unrecoverable: 400 for a request, 502 for a response."
        => "edge/http/src/framing.rs::responses_are_framed_by_method_status_and_fields";
    "6.3" "A request without either field has no content."
        => "edge/http/src/framing.rs::requests_are_framed_without_guessing";
    "6.3" "A response without either field ends with the connection, which is not used again."
        => "edge/http/src/persistence.rs::responses_allow_reuse";
    "6.3" "An upstream that has not read all of a request is not sent another one on that connection."
        => "deploy/tests/acceptance/shared.rs::a_content_that_was_refused_swallows_nobodys_request";
    "6.3" "Octets behind an answer are nobody's answer: the connection is not used again."
        => "deploy/tests/acceptance/messages/answers.rs::octets_behind_an_answer_answer_nobody";
    "7" "A transfer coding is of one hop: the content is decoded and framed anew."
        => "deploy/tests/acceptance/content.rs::large_contents_pass_in_both_directions_at_once";
    "7.1" "Chunks are decoded, of any size up to 64 bits; a larger one is refused, not wrapped round."
        => "edge/http/src/chunked/tests.rs::faults_are_found";
    "7.1" "A chunk size is hexadecimal digits, without sign, prefix or white space."
        => "edge/http/src/chunked/tests.rs::faults_are_found";
    "7.1" "What is written in chunks reads back, however it is split."
        => "edge/http/src/chunked/tests.rs::what_is_written_reads_back_however_it_is_split";
    "7.1" "chunked with a parameter is refused."
        => "edge/http/src/framing.rs::requests_are_framed_without_guessing";
    "7.1.1" "Chunk extensions are ignored, and bounded."
        => "edge/http/src/chunked/tests.rs::content_is_decoded";
    "7.1.1" "Quoted strings and line ends in extensions open no way to hide a chunk."
        => "edge/http/src/chunked/tests.rs::faults_are_found";
    "7.1.2" "Trailer fields are read by the rules of fields, bounded, and dropped."
        => "edge/http/src/chunked/tests.rs::content_is_decoded";
    "7.1.3" "The decoder stops at the end of the trailer section, to the octet."
        => "edge/http/src/chunked/tests.rs::content_that_stops_early_has_no_end";
    "7.2" "compress, deflate and gzip as transfer codings." departed
        "nobody sends them without having been asked by TE, which is never sent: 501 or 502";
    "7.3" "Names of transfer codings are case-insensitive."
        => "edge/http/src/framing.rs::requests_are_framed_without_guessing";
    "7.4" "TE is of one hop: it is not passed on, and no trailers are asked for."
        => "edge/http/src/fields.rs::fields_of_one_hop_are_known";
    "8" "A request that ends early is not passed on as a whole one."
        => "deploy/tests/acceptance/failures.rs::a_client_that_leaves_in_the_middle_of_its_content";
    "8" "A response that ends early is cut for the client, too, and not stored."
        => "deploy/tests/acceptance/failures.rs::a_content_that_breaks_off_is_broken_off_for_the_client";
    "8" "A response that ends with the connection is whole only when its end was orderly."
        => "deploy/tests/acceptance/failures.rs::what_broke_off_is_whole_the_next_time";
    "9.2" "Responses come in the order of their requests."
        => "deploy/tests/acceptance/persistence.rs::pipelined_requests_are_answered_in_order";
    "9.3" "1.1 persists unless somebody says close; 1.0 persists when it says keep-alive, and is told."
        => "edge/http/src/persistence.rs::requests_ask_for_persistence";
    "9.3" "close goes before keep-alive."
        => "edge/http/src/persistence.rs::requests_ask_for_persistence";
    "9.3" "All of a request's content is read, or the connection closed after the response."
        => "deploy/tests/acceptance/content.rs::an_early_answer_reaches_a_client_that_is_still_sending";
    "9.3" "A proxy keeps no connection with an HTTP/1.0 client." foreign
        "this is a gateway: the client means this server when it says keep-alive, and is answered so";
    "9.3.1" "An idempotent request is repeated when a kept connection turns out closed."
        => "deploy/tests/acceptance/restart.rs::a_restart_of_the_origin_between_two_misses";
    "9.3.1" "A request that is not idempotent is not repeated."
        => "deploy/tests/rules.rs::only_idempotent_requests_are_repeated";
    "9.3.2" "Pipelined requests are accepted, unsafe ones included, and done one after the other."
        => "deploy/tests/acceptance/persistence.rs::pipelined_requests_are_answered_in_order";
    "9.5" "A head that takes too long is answered with 408 and the end of the connection."
        => "deploy/tests/acceptance/malformed.rs::a_head_that_takes_too_long_is_refused";
    "9.5" "A connection that the upstream has closed meanwhile costs no client an error."
        => "deploy/tests/acceptance/restart.rs::an_origin_that_closes_idle_connections";
    "9.6" "The last response of a connection says close."
        => "edge/http/src/persistence.rs::the_client_is_told";
    "9.6" "A connection is closed in stages, so that a reset does not overtake the last response."
        => "deploy/tests/acceptance/content.rs::an_early_answer_reaches_a_client_that_is_still_sending";
    "9.6" "A client that has closed its sending direction still gets its answers."
        => "deploy/tests/acceptance/persistence.rs::a_client_that_has_said_all_still_gets_its_answers";
    "9.6" "What follows a request with close is not processed."
        => "deploy/tests/rules.rs::nothing_is_done_after_the_last_request";
    "9.7" "TLS." foreign "connections are in clear text; a request for https is answered with 421";
    "10.1" "message/http is the content of an answer to TRACE."
        => "deploy/tests/acceptance/messages.rs::the_last_one_answers";
    "11.1" "A response can't be split by what a client sends: no CR or LF reaches a field or start line."
        => "edge/http/src/head/tests.rs::field_lines_are_strict";
    "11.2" "Ambiguous framing of a request is refused, never passed on."
        => "edge/http/src/framing.rs::requests_are_framed_without_guessing";
    "11.2" "A request hidden in a malformed content is never taken for one."
        => "deploy/tests/acceptance/malformed.rs::malformed_content_is_refused_and_the_connection_ends";
    "11.2" "None of the known ways to have two parsers disagree reaches the upstream."
        => "deploy/tests/acceptance/messages.rs::what_peers_read_in_different_ways_is_refused";
    "11.2" "Nor does any in chunked content."
        => "deploy/tests/acceptance/messages.rs::content_that_peers_read_in_different_ways_ends_the_request";
    "11.3" "What can be checked of a message's integrity is its framing; a fault in it is passed on as a fault."
        => "deploy/tests/acceptance/failures.rs::a_content_that_breaks_off_is_broken_off_for_the_client";
};
