//! A second reading of DNS messages, slow and plain, to compare with; it shares no code with the GSLB.

/// What a message is, as the GSLB's README sorts them.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Too short for a header, or a response.
    NoQuery,
    /// An opcode other than QUERY.
    OtherOperation,
    /// Not one question, records or options that are malformed, octets left over. The question's
    /// octets if it is one and can be read.
    Malformed(Option<usize>),
    /// A well-formed query.
    Query(Query),
}

/// A well-formed query.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// Octets of the question.
    pub question: usize,
    pub opt: Option<Opt>,
}

/// An OPT record (RFC 6891 §6.1.2).
#[derive(Debug, PartialEq, Eq)]
pub struct Opt {
    pub payload: u16,
    pub version: u8,
    /// Code and data of each option; empty for a version that is not known.
    pub options: Vec<(u16, Vec<u8>)>,
}

/// Reads a message.
pub fn read(message: &[u8]) -> Kind {
    if message.len() < 12 || message[2] & 0x80 != 0 {
        return Kind::NoQuery;
    }
    if message[2] & 0x78 != 0 {
        return Kind::OtherOperation;
    }
    let question = question_octets(&message[12..]).filter(|_| message[4..6] == [0, 1]);
    let Some(question) = question else { return Kind::Malformed(None) };
    match opt(message, 12 + question) {
        Some(opt) => Kind::Query(Query { question, opt }),
        None => Kind::Malformed(Some(question)),
    }
}

/// Octets of the question that `rest` begins with: a name without pointers, type and class.
fn question_octets(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    while rest.get(at)? != &0 {
        if rest[at] > 63 {
            return None;
        }
        at += 1 + usize::from(rest[at]);
    }
    let name = at + 1;
    (name <= 255 && name + 4 <= rest.len()).then_some(name + 4)
}

/// The OPT record of a message whose records begin at `at`; `None` if they are malformed.
fn opt(message: &[u8], at: usize) -> Option<Option<Opt>> {
    let mut found = None;
    walk(message, at, |section, owner, head, data| {
        if head[..2] == [0, 41] {
            // RFC 6891 §6.1.1: one, in the additional section, of the root.
            if section != 10 || found.is_some() || owner != [0] {
                return None;
            }
            let (payload, version) = (word(head, 2)?, head[5]);
            let options = if version == 0 { options(data)? } else { vec![] };
            found = Some(Opt { payload, version, options });
        }
        Some(())
    })?;
    Some(found)
}

/// Calls `each` with every record: where its section's count is, owner, fixed part, data. `None` if they are not as
/// many as said, or end before the message does.
fn walk(
    message: &[u8],
    at: usize,
    mut each: impl FnMut(usize, &[u8], &[u8], &[u8]) -> Option<()>,
) -> Option<()> {
    let mut rest = message.get(at..)?;
    for section in [6, 8, 10] {
        for _ in 0..word(message, section)? {
            let (owner, behind) = rest.split_at(owner_octets(rest)?);
            let (head, behind) = behind.split_at_checked(10)?;
            let (data, behind) = behind.split_at_checked(word(head, 8)?.into())?;
            each(section, owner, head, data)?;
            rest = behind;
        }
    }
    rest.is_empty().then_some(())
}

/// Octets of an owner's name, whose pointer nobody follows.
fn owner_octets(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *rest.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return rest.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
        if at >= 255 {
            return None;
        }
    }
}

fn options(mut data: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut all = Vec::new();
    while !data.is_empty() {
        let (head, behind) = data.split_at_checked(4)?;
        let (option, behind) = behind.split_at_checked(word(head, 2)?.into())?;
        all.push((word(head, 0)?, option.to_vec()));
        data = behind;
    }
    let mut subnets = all.iter().filter(|(code, _)| *code == 8);
    // RFC 7873 §5.2.2.
    let is_cookie = |data: &Vec<u8>| matches!(data.len(), 8 | 16..=40);
    let good = subnets.clone().count() <= 1
        && subnets.all(|(_, data)| is_subnet(data))
        && all.iter().all(|(code, data)| *code != 10 || is_cookie(data));
    good.then_some(all)
}

/// RFC 7871 §6, §7.1.2, §7.2.1; family 0 says nothing of nobody.
pub fn is_subnet(data: &[u8]) -> bool {
    let Some((&[family_high, family, source, scope], address)) = data.split_first_chunk() else {
        return false;
    };
    let Some(&bits) = [0u8, 32, 128].get(usize::from(family)).filter(|_| family_high == 0) else {
        return false;
    };
    let is_beyond = |bit: usize| address[bit / 8] & (0x80 >> (bit % 8)) != 0;
    source <= bits
        && scope == 0
        && address.len() == usize::from(source).div_ceil(8)
        && !(usize::from(source)..8 * address.len()).any(is_beyond)
}

/// Whether the records of an answer end where it ends, and how many it has in each section.
pub fn sections(message: &[u8]) -> Option<[u16; 3]> {
    let mut at = 12;
    for _ in 0..word(message, 4)? {
        at += question_octets(&message[at..])?;
    }
    walk(message, at, |_, _, _, _| Some(()))?;
    Some([word(message, 6)?, word(message, 8)?, word(message, 10)?])
}

fn word(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]))
}
