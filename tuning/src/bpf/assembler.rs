//! BPF instructions from calls, with labels for jumps (kernel: `Documentation/bpf/standardization/instruction-set.rst`,
//! RFC 9669). Pure: what the instructions do is the verifier's business.

#![forbid(unsafe_code)]

use core::fmt;
use std::collections::HashMap;
use std::os::fd::RawFd;

/// Instructions of one program: the kernel's bound for programs of those without `CAP_BPF` (`BPF_MAXINSNS`), twenty
/// times what ours has. More is a mistake in a loop that assembles.
pub const INSTRUCTIONS_MAX: usize = 4_096;

/// A register. [`Register::R1`] to [`Register::R5`] are arguments of a call and lost behind it, [`Register::R0`] is its
/// result, [`Register::R10`] the end of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their numbers are all there is to them")]
pub enum Register {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

/// How many octets a load or store moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One octet.
    Octet,
    /// Four.
    Word,
    /// Eight.
    Double,
}

/// A function of the kernel (`enum bpf_func_id` of `linux/bpf.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `bpf_map_lookup_elem(map, key)`: the value, or null.
    MapLookup,
    /// `bpf_setsockopt(context, level, name, value, octets)`: 0, or an error.
    SetSocketOption,
    /// `bpf_get_netns_cookie(context)`: the number of the network namespace; Linux 5.15 for `sock_ops`.
    NetnsCookie,
}

/// Why there is no program. Each is a mistake of whoever wrote the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssembleError {
    /// A jump leads to a label that stands nowhere.
    NoSuchLabel(&'static str),
    /// A label stands twice.
    LabelTwice(&'static str),
    /// Nothing jumps to a label.
    LabelUnused(&'static str),
    /// A jump of so many instructions: backwards, or more than 16 bits.
    JumpTooFar(&'static str, isize),
    /// The program has so many instructions.
    TooLong(usize),
    /// The last instruction is no exit.
    NoEnd,
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchLabel(label) => write!(f, "no label {label}"),
            Self::LabelTwice(label) => write!(f, "label {label} stands twice"),
            Self::LabelUnused(label) => write!(f, "nothing jumps to label {label}"),
            Self::JumpTooFar(label, by) => write!(f, "a jump by {by} instructions to {label}"),
            Self::TooLong(count) => write!(f, "{count} instructions"),
            Self::NoEnd => f.write_str("the last instruction is no exit"),
        }
    }
}

impl std::error::Error for AssembleError {}

/// One instruction, or one half of the only long one (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    operation: u8,
    to: u8,
    from: u8,
    offset: i16,
    value: i32,
}

impl Instruction {
    fn octets(self) -> [u8; 8] {
        // The lower four bits come first in a byte of this machine's order.
        let (low, high) = match cfg!(target_endian = "little") {
            true => (self.to, self.from),
            false => (self.from, self.to),
        };
        let mut octets = [0; 8];
        octets[0] = self.operation;
        octets[1] = low | high << 4;
        octets[2..4].copy_from_slice(&self.offset.to_ne_bytes());
        octets[4..].copy_from_slice(&self.value.to_ne_bytes());
        octets
    }
}

/// A program that is being written, one call for each instruction.
#[derive(Debug, Default)]
pub struct Assembler {
    code: Vec<Instruction>,
    labels: HashMap<&'static str, usize>,
    twice: Option<&'static str>,
    jumps: Vec<(usize, &'static str)>,
}

// Classes, sources, operations and modes of an operation code (RFC 9669 §3 to §5).
const LOAD_IMMEDIATE: u8 = 0x18;
const CLASS_LOAD: u8 = 0x61;
const CLASS_STORE_IMMEDIATE: u8 = 0x62;
const CLASS_STORE: u8 = 0x63;
const ATOMIC_DOUBLE: u8 = 0xdb;
const ADD_IMMEDIATE: u8 = 0x07;
const MOVE_REGISTER: u8 = 0xbf;
const MOVE_IMMEDIATE: u8 = 0xb7;
const TO_BIG_ENDIAN: u8 = 0xdc;
const JUMP: u8 = 0x05;
const JUMP_EQUAL: u8 = 0x15;
const JUMP_NOT_EQUAL: u8 = 0x55;
const JUMP_NOT_EQUAL_32: u8 = 0x56;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// `BPF_PSEUDO_MAP_FD` and `BPF_PSEUDO_MAP_VALUE`: what a 64-bit immediate stands for.
const MAP_DESCRIPTOR: u8 = 1;
const MAP_VALUE: u8 = 2;

impl Assembler {
    /// `to = from`.
    pub fn copy(&mut self, to: Register, from: Register) -> &mut Self {
        self.push(MOVE_REGISTER, to as u8, from as u8, 0, 0)
    }

    /// `to = value`, sign-extended.
    pub fn set(&mut self, to: Register, value: i32) -> &mut Self {
        self.push(MOVE_IMMEDIATE, to as u8, 0, 0, value)
    }

    /// `to += value`.
    pub fn add(&mut self, to: Register, value: i32) -> &mut Self {
        self.push(ADD_IMMEDIATE, to as u8, 0, 0, value)
    }

    /// The low 32 bits of `register` in network order, whatever this machine's is; the others become 0.
    pub fn to_network_order(&mut self, register: Register) -> &mut Self {
        self.push(TO_BIG_ENDIAN, register as u8, 0, 0, 32)
    }

    /// `to = *(from + offset)`, zero-extended.
    pub fn load(&mut self, width: Width, to: Register, from: Register, offset: i16) -> &mut Self {
        self.push(CLASS_LOAD | width.bits(), to as u8, from as u8, offset, 0)
    }

    /// `*(to + offset) = from`.
    pub fn store(&mut self, width: Width, to: Register, offset: i16, from: Register) -> &mut Self {
        self.push(CLASS_STORE | width.bits(), to as u8, from as u8, offset, 0)
    }

    /// `*(to + offset) = value`, sign-extended.
    pub fn store_value(
        &mut self,
        width: Width,
        to: Register,
        offset: i16,
        value: i32,
    ) -> &mut Self {
        self.push(CLASS_STORE_IMMEDIATE | width.bits(), to as u8, 0, offset, value)
    }

    /// `*(to + offset) += by`, 64 bits, atomically.
    pub fn atomic_add(&mut self, to: Register, offset: i16, by: Register) -> &mut Self {
        self.push(ATOMIC_DOUBLE, to as u8, by as u8, offset, 0)
    }

    /// `to = map`, for a call.
    pub fn map(&mut self, to: Register, map: RawFd) -> &mut Self {
        self.push(LOAD_IMMEDIATE, to as u8, MAP_DESCRIPTOR, 0, map).push(0, 0, 0, 0, 0)
    }

    /// `to = &map[0]`, of an array map.
    pub fn map_value(&mut self, to: Register, map: RawFd) -> &mut Self {
        self.push(LOAD_IMMEDIATE, to as u8, MAP_VALUE, 0, map).push(0, 0, 0, 0, 0)
    }

    /// Calls `function`.
    pub fn call(&mut self, function: Function) -> &mut Self {
        self.push(CALL, 0, 0, 0, function.number())
    }

    /// Goes on at `label`.
    pub fn jump(&mut self, label: &'static str) -> &mut Self {
        self.jump_by(JUMP, Register::R0, 0, label)
    }

    /// Goes on at `label` if `register` is `value` (sign-extended to 64 bits).
    pub fn jump_if(&mut self, register: Register, value: i32, label: &'static str) -> &mut Self {
        self.jump_by(JUMP_EQUAL, register, value, label)
    }

    /// Goes on at `label` unless `register` is `value` (sign-extended to 64 bits).
    pub fn jump_unless(
        &mut self,
        register: Register,
        value: i32,
        label: &'static str,
    ) -> &mut Self {
        self.jump_by(JUMP_NOT_EQUAL, register, value, label)
    }

    /// Goes on at `label` unless the low 32 bits of `register` are those of `value`.
    pub fn jump_unless_word(
        &mut self,
        register: Register,
        value: i32,
        label: &'static str,
    ) -> &mut Self {
        self.jump_by(JUMP_NOT_EQUAL_32, register, value, label)
    }

    /// Ends the program with R0.
    pub fn exit(&mut self) -> &mut Self {
        self.push(EXIT, 0, 0, 0, 0)
    }

    /// The next instruction is called `label`.
    pub fn label(&mut self, label: &'static str) -> &mut Self {
        if self.labels.insert(label, self.code.len()).is_some() {
            self.twice.get_or_insert(label);
        }
        self
    }

    /// The program as the kernel takes it: 8 octets for each instruction.
    ///
    /// # Errors
    /// A mistake in labels or length: [`AssembleError`].
    pub fn finish(self) -> Result<Vec<[u8; 8]>, AssembleError> {
        let Self { mut code, labels, twice, jumps } = self;
        if let Some(label) = twice {
            return Err(AssembleError::LabelTwice(label));
        }
        let is_reached = |label: &&&'static str| jumps.iter().any(|(_, to)| *to == **label);
        if let Some(label) = labels.keys().find(|label| !is_reached(label)) {
            return Err(AssembleError::LabelUnused(label));
        }
        if code.len() > INSTRUCTIONS_MAX {
            return Err(AssembleError::TooLong(code.len()));
        }
        if code.last().is_none_or(|last| last.operation != EXIT) {
            return Err(AssembleError::NoEnd);
        }
        for (at, label) in jumps {
            let to = *labels.get(label).ok_or(AssembleError::NoSuchLabel(label))?;
            // Counted from the instruction behind the jump. Backwards would be a loop, of which ours have none.
            let by = to as isize - at as isize - 1;
            let offset = i16::try_from(by).ok().filter(|offset| *offset >= 0);
            code[at].offset = offset.ok_or(AssembleError::JumpTooFar(label, by))?;
        }
        Ok(code.into_iter().map(Instruction::octets).collect())
    }

    fn jump_by(
        &mut self,
        operation: u8,
        register: Register,
        value: i32,
        label: &'static str,
    ) -> &mut Self {
        self.jumps.push((self.code.len(), label));
        self.push(operation, register as u8, 0, 0, value)
    }

    fn push(&mut self, operation: u8, to: u8, from: u8, offset: i16, value: i32) -> &mut Self {
        self.code.push(Instruction { operation, to, from, offset, value });
        self
    }
}

impl Width {
    /// Its bits in an operation code.
    const fn bits(self) -> u8 {
        match self {
            Self::Octet => 0x10,
            Self::Word => 0x00,
            Self::Double => 0x18,
        }
    }
}

impl Function {
    const fn number(self) -> i32 {
        match self {
            Self::MapLookup => 1,
            Self::SetSocketOption => 49,
            Self::NetnsCookie => 122,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Register::{R0, R1, R2, R6, R10};
    use super::*;

    /// As the kernel's `bpf_disasm` and LLVM's `llvm-mc -triple bpfel` have them.
    #[test]
    #[cfg(target_endian = "little")]
    fn instructions_are_those_of_the_kernel() {
        type Write = fn(&mut Assembler) -> &mut Assembler;
        let rows: &[(Write, &[[u8; 8]], &str)] = &[
            (|a| a.copy(R6, R1), &[[0xbf, 0x16, 0, 0, 0, 0, 0, 0]], "r6 = r1"),
            (|a| a.set(R0, 1), &[[0xb7, 0, 0, 0, 1, 0, 0, 0]], "r0 = 1"),
            (|a| a.add(R2, -8), &[[0x07, 2, 0, 0, 0xf8, 0xff, 0xff, 0xff]], "r2 += -8"),
            (|a| a.to_network_order(R1), &[[0xdc, 1, 0, 0, 32, 0, 0, 0]], "r1 = be32 r1"),
            (
                |a| a.load(Width::Word, R1, R6, 20),
                &[[0x61, 0x61, 20, 0, 0, 0, 0, 0]],
                "r1 = *(u32 *)(r6 + 20)",
            ),
            (
                |a| a.load(Width::Octet, R1, R6, 1),
                &[[0x71, 0x61, 1, 0, 0, 0, 0, 0]],
                "r1 = *(u8 *)(r6 + 1)",
            ),
            (
                |a| a.store(Width::Double, R10, -8, R0),
                &[[0x7b, 0x0a, 0xf8, 0xff, 0, 0, 0, 0]],
                "*(u64 *)(r10 - 8) = r0",
            ),
            (
                |a| a.store_value(Width::Word, R10, -4, 32),
                &[[0x62, 0x0a, 0xfc, 0xff, 32, 0, 0, 0]],
                "*(u32 *)(r10 - 4) = 32",
            ),
            (
                |a| a.atomic_add(R6, 8, R1),
                &[[0xdb, 0x16, 8, 0, 0, 0, 0, 0]],
                "lock *(u64 *)(r6 + 8) += r1",
            ),
            (
                |a| a.map(R1, 7),
                &[[0x18, 0x11, 0, 0, 7, 0, 0, 0], [0; 8]],
                "r1 = the map of descriptor 7",
            ),
            (
                |a| a.map_value(R6, 7),
                &[[0x18, 0x26, 0, 0, 7, 0, 0, 0], [0; 8]],
                "r6 = the value in the map of descriptor 7",
            ),
            (|a| a.call(Function::SetSocketOption), &[[0x85, 0, 0, 0, 49, 0, 0, 0]], "call 49"),
        ];
        for (write, expected, why) in rows {
            let mut assembler = Assembler::default();
            write(&mut assembler).exit();
            let code = assembler.finish().unwrap();
            let (exit, code) = code.split_last().unwrap();
            assert_eq!(code, *expected, "{why}");
            assert_eq!(*exit, [0x95, 0, 0, 0, 0, 0, 0, 0], "{why}");
        }
    }

    #[test]
    fn jumps_count_from_the_next_instruction() {
        let mut a = Assembler::default();
        a.jump_if(R1, 2, "end").map(R1, 3).jump_unless(R1, -1, "end").jump("last");
        a.label("end").label("last").jump_unless_word(R1, 5, "next").label("next").exit();
        let code = a.finish().unwrap();
        let offset = |at: usize| i16::from_ne_bytes([code[at][2], code[at][3]]);
        assert_eq!(offset(0), 4, "over a long instruction, which counts twice");
        assert_eq!(offset(3), 1);
        assert_eq!(offset(4), 0, "two labels at one place");
        assert_eq!(offset(5), 0, "to the next one");
        assert_eq!([code[0][0], code[3][0], code[4][0], code[5][0]], [0x15, 0x55, 0x05, 0x56]);
    }

    #[test]
    fn mistakes_are_found_before_the_kernel_sees_them() {
        type Write = fn(&mut Assembler) -> &mut Assembler;
        let far: Write = |a| {
            a.jump("far");
            for _ in 0..INSTRUCTIONS_MAX {
                a.set(R0, 0);
            }
            a.label("far").exit()
        };
        let rows: &[(Write, AssembleError)] = &[
            (|a| a.jump("nowhere").exit(), AssembleError::NoSuchLabel("nowhere")),
            (
                |a| a.jump("x").label("x").set(R0, 0).label("x").exit(),
                AssembleError::LabelTwice("x"),
            ),
            (|a| a.label("x").exit(), AssembleError::LabelUnused("x")),
            (|a| a.label("x").jump("x").exit(), AssembleError::JumpTooFar("x", -1)),
            (far, AssembleError::TooLong(INSTRUCTIONS_MAX + 2)),
            (|a| a.set(R0, 1), AssembleError::NoEnd),
            (|a| a, AssembleError::NoEnd),
        ];
        for (write, expected) in rows {
            let mut assembler = Assembler::default();
            write(&mut assembler);
            assert_eq!(assembler.finish().as_ref(), Err(expected));
        }
    }
}
