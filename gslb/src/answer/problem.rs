//! The answer to what is no query.

use super::draft::{header, put_opt_head};
use super::{Answered, Reason, UDP_PAYLOAD_MIN};
use crate::wire::query::{Problem, flag, has_opt};
use crate::wire::writer::Writer;
use crate::wire::{HEADER_OCTETS, Rcode};

/// A header, the question if it could be read, and an OPT record if there was one.
/// Never longer than the packet.
pub(super) fn answer_problem(
    problem: Problem,
    packet: &[u8],
    udp_payload_max: u16,
    out: &mut [u8],
) -> Answered {
    let (rcode, question_end) = match problem {
        Problem::Silence => {
            return Answered::new(0, Reason::Silence, Rcode::NoError);
        }
        Problem::Reply { rcode, question_end } => (rcode, question_end),
    };
    let mut writer = Writer::new(out, usize::from(UDP_PAYLOAD_MIN));
    let questions = match question_end {
        Some(end) => u16::from(writer.put_question(&packet[HEADER_OCTETS..end]).is_ok()),
        None => 0,
    };
    let opts = match question_end {
        Some(end) if has_opt(packet, end) => {
            let put = put_opt_head(&mut writer, udp_payload_max, rcode, false);
            u16::from(put.and_then(|()| writer.put_u16(0)).is_ok())
        }
        Some(_) | None => 0,
    };
    let asked_flags = u16::from_be_bytes([packet[2], packet[3]]);
    let flags = flag::QR | (asked_flags & (flag::OPCODE | flag::RD | flag::CD)) | rcode as u16;
    writer.set_header(&header(packet, flags, [questions, 0, 0, opts]));
    let reason = if rcode == Rcode::NotImp { Reason::NotImplemented } else { Reason::Malformed };
    Answered::new(writer.octets(), reason, rcode)
}
