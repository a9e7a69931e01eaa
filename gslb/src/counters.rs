//! What is counted. Each worker writes its own, readers sum.

use crate::answer::{Answered, Reason, Transport};
use crate::steer::Why;
use crate::wire::cookie::Standing;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter or a gauge: its name with labels, if it has some, as in `edge_up{edge="e1"}`; what it counts; its value.
pub type Sample = (Cow<'static, str>, &'static str, u64);

/// A name with labels, their values escaped as the text form of Prometheus wants it.
pub(crate) fn labelled(name: &str, labels: &[(&str, &str)]) -> Cow<'static, str> {
    let mut out = format!("{name}{{");
    for (index, (label, value)) in labels.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        let _ = write!(out, "{comma}{label}=\"{value}\"");
    }
    out.push('}');
    out.into()
}

/// One row for each counter: field, exported name, help.
macro_rules! counters {
    ($($field:ident, $name:literal, $help:literal;)*) => {
        /// The counters of one worker, alone on their cache lines.
        #[derive(Default, Debug)]
        #[repr(align(128))]
        pub(crate) struct Counters {
            $(pub(crate) $field: Counter,)*
        }

        /// Sums over the workers: name, help, value.
        pub(crate) fn samples<'a>(
            workers: impl Iterator<Item = &'a Counters> + Clone,
        ) -> Vec<Sample> {
            vec![$((
                $name.into(),
                $help,
                workers.clone().map(|counters| counters.$field.value()).sum(),
            ),)*]
        }
    };
}

counters! {
    queries_udp, "lastmile_gslb_queries_udp_total", "Packets received over UDP.";
    queries_tcp, "lastmile_gslb_queries_tcp_total", "Messages received over TCP.";
    queries_https, "lastmile_gslb_queries_https_total", "Messages received over HTTPS.";
    steered_mapped, "lastmile_gslb_answers_steered_mapped_total",
        "Answers with edges of the region that the map gives the client.";
    steered_listed, "lastmile_gslb_answers_steered_listed_total",
        "Answers with edges of the region that a list gives the clients of their resolver.";
    steered_measured, "lastmile_gslb_answers_steered_measured_total",
        "Answers with edges of the region that measurements say, another one than the map's.";
    steered_default, "lastmile_gslb_answers_steered_default_total",
        "Answers with edges of the default region, the client being in no prefix.";
    steered_spilled, "lastmile_gslb_answers_steered_spilled_total",
        "Answers with edges of another region, the client's having none that is up.";
    steered_shed, "lastmile_gslb_answers_steered_shed_total",
        "Answers with edges of another region, the client's having no room for it.";
    steered_full, "lastmile_gslb_answers_steered_full_total",
        "Answers with edges of the client's region, no region having room for it.";
    steered_down, "lastmile_gslb_answers_steered_down_total",
        "Answers with what a name has for when no edge is up.";
    steered_nothing, "lastmile_gslb_answers_servfail_total",
        "Steered names without anything for when no edge is up.";
    steered_none, "lastmile_gslb_answers_steered_none_total",
        "Steered names asked for a kind of address that no edge has.";
    fixed, "lastmile_gslb_answers_static_total", "Answers with records of a zone.";
    alias, "lastmile_gslb_answers_alias_total", "Answers that end with a CNAME.";
    lab, "lastmile_gslb_answers_lab_total", "Answers from the lab's table.";
    any, "lastmile_gslb_answers_any_total", "Minimal answers to ANY (RFC 8482).";
    no_data, "lastmile_gslb_answers_nodata_total", "Names that have no record of the type.";
    no_name, "lastmile_gslb_answers_nxdomain_total", "Names that are not there.";
    referral, "lastmile_gslb_answers_referral_total", "Referrals to another zone's servers.";
    transfer, "lastmile_gslb_transfers_total", "Zone transfers to secondaries.";
    refused, "lastmile_gslb_answers_refused_total",
        "Queries for names or classes not served here, and zone transfers that are not allowed.";
    malformed, "lastmile_gslb_answers_formerr_total", "Queries that are malformed.";
    not_implemented, "lastmile_gslb_answers_notimp_total", "Operations other than QUERY.";
    bad_version, "lastmile_gslb_answers_badvers_total", "EDNS versions other than 0.";
    steered_static, "lastmile_gslb_answers_steered_fixed_total",
        "Answers of static mode: edges of the default region, whoever asked.";
    cookie_new, "lastmile_gslb_cookies_new_total",
        "Queries with a client's cookie alone: it has none of ours yet.";
    cookie_bad, "lastmile_gslb_cookies_bad_total",
        "Queries with a cookie that is not ours, another's or too old.";
    cookie_good, "lastmile_gslb_cookies_good_total", "Queries with a good cookie of ours.";
    limited_dropped, "lastmile_gslb_limited_dropped_total",
        "Answers counted above that were not sent, their network having had too many of the kind.";
    limited_slipped, "lastmile_gslb_limited_slipped_total",
        "The same, but with TC or BADCOOKIE sent in their place.";
    truncated, "lastmile_gslb_answers_truncated_total", "Answers with TC: they did not fit.";
    silence, "lastmile_gslb_dropped_not_query_total",
        "Packets dropped: responses, or too short for a header.";
    port_zero, "lastmile_gslb_dropped_port_zero_total",
        "Packets dropped: their source port is 0, so they are forged.";
    udp_failed, "lastmile_gslb_udp_errors_total", "Errors of UDP receive and send calls.";
    tcp_accepted, "lastmile_gslb_tcp_connections_total", "TCP connections accepted.";
    tcp_evicted, "lastmile_gslb_tcp_evicted_total",
        "TCP connections closed for a newer one, all places being taken.";
    tcp_idle, "lastmile_gslb_tcp_idle_total",
        "TCP connections closed: no whole query within the idle timeout.";
    tcp_failed, "lastmile_gslb_tcp_errors_total",
        "TCP connections closed by an error or by octets that are no query.";
}

/// Queries of all workers.
pub(crate) fn queries<'a>(workers: impl Iterator<Item = &'a Counters>) -> u64 {
    workers
        .map(|it| it.queries_udp.value() + it.queries_tcp.value() + it.queries_https.value())
        .sum()
}

/// A number that one thread counts up and others read.
#[derive(Default, Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts one; only the owning worker may call it, so no locked instruction is needed.
    pub(crate) fn count(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// Counts a query and its answer.
    pub(crate) fn count_answer(&self, transport: Transport, answered: &Answered) {
        match transport {
            Transport::Udp => self.queries_udp.count(),
            Transport::Tcp => self.queries_tcp.count(),
            Transport::Https => self.queries_https.count(),
        }
        if answered.truncated {
            self.truncated.count();
        }
        match answered.standing {
            Standing::Silent => {}
            Standing::New => self.cookie_new.count(),
            Standing::Bad => self.cookie_bad.count(),
            Standing::Good => self.cookie_good.count(),
        }
        match answered.reason {
            Reason::Silence => &self.silence,
            Reason::Steered(Why::Mapped) => &self.steered_mapped,
            Reason::Steered(Why::Listed) => &self.steered_listed,
            Reason::Steered(Why::Measured) => &self.steered_measured,
            Reason::Steered(Why::Default) => &self.steered_default,
            Reason::Steered(Why::Spilled) => &self.steered_spilled,
            Reason::Steered(Why::Shed) => &self.steered_shed,
            Reason::Steered(Why::Full) => &self.steered_full,
            Reason::Steered(Why::Down) => &self.steered_down,
            Reason::Steered(Why::Nothing) => &self.steered_nothing,
            Reason::Steered(Why::NoEdge) => &self.steered_none,
            Reason::Steered(Why::Static) => &self.steered_static,
            Reason::Static => &self.fixed,
            Reason::Alias => &self.alias,
            Reason::Lab => &self.lab,
            Reason::Any => &self.any,
            Reason::NoData => &self.no_data,
            Reason::NoName => &self.no_name,
            Reason::Referral => &self.referral,
            Reason::Transfer => &self.transfer,
            Reason::Refused => &self.refused,
            Reason::Malformed => &self.malformed,
            Reason::NotImplemented => &self.not_implemented,
            Reason::BadVersion => &self.bad_version,
            Reason::Limited => &self.limited_slipped,
        }
        .count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped() {
        for (value, expected, why) in [
            ("eu-west", "up{edge=\"eu-west\",a=\"b\"}", "as it is"),
            ("a\"},b{\\\n", "up{edge=\"a\\\"},b{\\\\\\n\",a=\"b\"}", "quote, backslash, line end"),
            ("Köln", "up{edge=\"Köln\",a=\"b\"}", "UTF-8 stays"),
        ] {
            assert_eq!(labelled("up", &[("edge", value), ("a", "b")]), expected, "{why}");
        }
    }

    #[test]
    fn samples_sum_over_the_workers_and_names_are_unique() {
        let workers = [Counters::default(), Counters::default()];
        workers[0].lab.count();
        workers[1].lab.count();
        let samples = samples(workers.iter());
        let mut names: Vec<_> = samples.iter().map(|sample| &sample.0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), samples.len());
        let lab = samples.iter().find(|sample| sample.0.contains("_lab_")).unwrap();
        assert_eq!(lab.2, 2);
    }
}
