//! The octets of requests, where the ring sends them from: written once when all are alike, otherwise into an area
//! of each connection.

use crate::error::BenchError;
use crate::load::expected::Expected;
use crate::load::targets::Requests;
use crate::load::{Load, settings};
use std::ops::Range;

/// Octets of all areas. Only long pipelines on many connections come near it.
const OCTETS_MAX: usize = 1 << 30;

/// Where requests are.
#[derive(Debug)]
pub(super) struct Outgoing {
    requests: Requests,
    /// Octets of a connection's area; 0 when all requests are alike.
    area: usize,
    /// When all are alike: a request, the last request of a connection, and what must come back.
    alike: (usize, usize, Option<Expected>),
    pipeline: usize,
    /// A request before it is where it is sent from.
    written: Vec<u8>,
}

impl Outgoing {
    /// Fills `octets`, which the ring is to send from.
    pub(super) fn new(load: &Load, part: usize, octets: &mut Vec<u8>) -> Result<Self, BenchError> {
        let mut requests = Requests::new(load, part);
        let mut outgoing = (0, (0, 0, None));
        if requests.is_one() {
            // As many as go at once, then the same with a last one.
            let mut expected = None;
            for _ in 0..load.pipeline {
                expected = requests.write(false, octets);
            }
            let length = octets.len() / load.pipeline;
            octets.extend_from_within(length..);
            let before = octets.len();
            requests.write(true, octets);
            outgoing.1 = (length, octets.len() - before, expected);
        } else {
            outgoing.0 = requests.octets_max() * load.pipeline;
            let all = outgoing.0.saturating_mul(load.connections);
            if all > OCTETS_MAX {
                return Err(settings(format!(
                    "requests under way of {all} octets; allowed: {OCTETS_MAX}: fewer connections or a shorter pipeline"
                )));
            }
            octets.resize(all, 0);
        }
        let (area, alike) = outgoing;
        Ok(Self { requests, area, alike, pipeline: load.pipeline, written: Vec::new() })
    }

    /// Makes the next `count` requests of connection `index`, of which the last is its `last`, and tells `each` what
    /// must come back. Where they are in `octets`.
    pub(super) fn write(
        &mut self,
        octets: &mut [u8],
        index: u32,
        count: usize,
        last: bool,
        mut each: impl FnMut(Option<Expected>),
    ) -> Range<usize> {
        if self.area == 0 {
            let (length, last_length, expected) = self.alike;
            (0..count).for_each(|_| each(expected));
            let end = if last { octets.len() } else { length * self.pipeline };
            let start =
                end - if last { length * (count - 1) + last_length } else { length * count };
            return start..end;
        }
        self.written.clear();
        for number in 1..=count {
            each(self.requests.write(last && number == count, &mut self.written));
        }
        let start = self.area * index as usize;
        let end = start + self.written.len();
        octets[start..end].copy_from_slice(&self.written);
        start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Targets;

    #[test]
    fn requests_are_where_they_are_said_to_be() {
        let list = |paths: &[&str]| Targets::List(paths.iter().map(ToString::to_string).collect());
        for (targets, why) in
            [(Targets::One("/a".to_owned()), "one"), (list(&["/a", "/a"]), "written one by one")]
        {
            let mut load = Load::new("127.0.0.1:80".parse().unwrap(), targets);
            load.pipeline = 3;
            load.connections = 2;
            let mut octets = Vec::new();
            let mut outgoing = Outgoing::new(&load, 0, &mut octets).unwrap();
            for (count, last) in [(3, false), (3, true), (1, false), (1, true), (2, true)] {
                let mut told = 0;
                let part = outgoing.write(&mut octets, 1, count, last, |_| told += 1);
                assert_eq!(told, count);
                let text = std::str::from_utf8(&octets[part]).unwrap();
                let heads: Vec<_> = text.split_terminator("\r\n\r\n").collect();
                assert_eq!(heads.len(), count, "{why}: {text}");
                for (at, head) in heads.iter().enumerate() {
                    assert!(head.starts_with("GET /a HTTP/1.1\r\n"), "{why}: {head}");
                    let closes = head.ends_with("Connection: close");
                    assert_eq!(closes, last && at + 1 == count, "{why}: {head}");
                }
            }
        }
    }
}
