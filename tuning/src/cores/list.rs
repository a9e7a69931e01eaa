//! Lists and masks of cores, as the kernel writes them (pure).

/// The cores of a list such as `0-3,8,10-11`; nothing for an empty one or one that is none.
pub(super) fn parse(text: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cores.extend(first..=last.min(NUMBER_MAX));
        }
    }
    cores
}

/// The largest number of a core that is believed: kernels are built for 8,192 at most.
const NUMBER_MAX: usize = 8191;

/// Cores of one word of a mask.
const WORD: usize = 32;

/// The cores of a mask such as `00000003` or `ff,00000000`: words of 32, the highest first.
pub(super) fn parse_mask(text: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for (word, digits) in text.trim().rsplit(',').enumerate() {
        let bits = u32::from_str_radix(digits.trim(), 16).unwrap_or(0);
        cores.extend((0..WORD).filter(|bit| bits >> bit & 1 == 1).map(|bit| word * WORD + bit));
    }
    cores
}

/// A list as the kernel and `--cores` take it: `0-3,8`. `-` when there is none.
#[must_use]
pub fn in_words(cores: &[usize]) -> String {
    let mut sorted = cores.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for core in sorted {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            Some(_) | None => runs.push((core, core)),
        }
    }
    let run = |&(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    };
    match runs.is_empty() {
        true => "-".to_owned(),
        false => runs.iter().map(run).collect::<Vec<_>>().join(","),
    }
}

/// A mask as `rps_cpus` takes it.
pub(super) fn mask(cores: &[usize]) -> String {
    let words = cores.iter().max().map_or(1, |max| max / WORD + 1);
    let word = |word: usize| {
        let own = cores.iter().filter(|&&core| core / WORD == word);
        own.fold(0_u32, |bits, core| bits | 1 << (core % WORD))
    };
    let words: Vec<_> = (0..words).rev().map(|at| format!("{:08x}", word(at))).collect();
    let text = words.join(",");
    let short = text.trim_start_matches('0');
    if short.is_empty() { "0".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_masks() {
        for (list, bits, cores) in [
            ("-", "0", vec![]),
            ("0", "1", vec![0]),
            ("0-3,8", "10f", vec![0, 1, 2, 3, 8]),
            ("31-32", "1,80000000", vec![31, 32]),
            ("63", "80000000,00000000", vec![63]),
            ("64", "1,00000000,00000000", vec![64]),
        ] {
            assert_eq!(in_words(&cores), list);
            assert_eq!(mask(&cores), bits);
            assert_eq!(parse(&format!("{list}\n")), cores);
            assert_eq!(parse_mask(&format!("{bits}\n")), cores);
        }
        assert_eq!(parse("(null)"), [0; 0]);
        assert_eq!(parse("0-99999999999").len(), NUMBER_MAX + 1);
        assert_eq!(parse_mask("00000000,00000000,0000000f"), [0, 1, 2, 3]);
        assert_eq!(in_words(&[3, 1, 2, 2]), "1-3");
    }
}
