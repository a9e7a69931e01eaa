//! What the value of a knob may be: its form, its range, and when two texts of it mean the same.

use std::fmt;

/// A CPU mask is at most this many hexadecimal digits: 8,192 CPUs, the most that Linux can be built for
/// (`CONFIG_NR_CPUS`). A longer one is a mistake.
const MASK_DIGITS_MAX: usize = 2_048;

/// A name of a module as the kernel takes it is shorter than this (`TCP_CA_NAME_MAX`, `IFNAMSIZ`).
const NAME_OCTETS_MAX: usize = 16;

/// The form of a knob's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One whole number.
    Integer {
        /// The smallest that is allowed.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// So many whole numbers, separated by blanks; none is smaller than the one before it.
    Integers {
        /// How many.
        count: usize,
        /// The smallest that is allowed.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words; the file shows all that there are, with brackets around the one in force.
    Selected(&'static [&'static str]),
    /// The name of something the kernel has or loads, such as a congestion control.
    Name,
    /// Such names, separated by blanks, in any order.
    Names,
    /// CPUs as hexadecimal digits, with a comma after each 32 bits; `all` and `none` are understood.
    Mask,
    /// A whole number or `unlimited`.
    Limit,
}

/// A flag of the kernel's: 0 or 1.
pub const FLAG: Form = Form::Integer { min: 0, max: 1 };

/// A whole number from `min` to `max`.
#[must_use]
pub const fn integer(min: i64, max: i64) -> Form {
    Form::Integer { min, max }
}

/// What a profile wants a knob to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The value in its form.
    pub value: String,
    /// Larger values are as good: `>= 4096`.
    pub is_minimum: bool,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_minimum { ">= " } else { "" })?;
        f.write_str(&self.value)
    }
}

impl Form {
    /// Reads `text` as a value that a profile may want, with `>=` in front where a minimum is meant.
    ///
    /// # Errors
    /// One line: the value and what is allowed.
    pub fn wanted(&self, text: &str) -> Result<Wanted, String> {
        let (bound, is_minimum) = match text.trim().strip_prefix(">=") {
            Some(bound) => (bound.trim(), true),
            None => (text.trim(), false),
        };
        let can_be_bounded =
            matches!(self, Self::Integer { .. } | Self::Integers { .. } | Self::Limit);
        if !self.allows(bound) || (is_minimum && !can_be_bounded) {
            return Err(format!("{text:?} is not allowed; allowed: {self}"));
        }
        Ok(Wanted { value: self.canonical(bound), is_minimum })
    }

    fn allows(&self, text: &str) -> bool {
        let within = |word: &str, min: i64, max: i64| {
            // As the kernel prints it: without a plus or leading zeros.
            let number = word.parse::<i64>().ok().filter(|number| number.to_string() == word);
            number.is_some_and(|number| (min..=max).contains(&number))
        };
        match self {
            Self::Integer { min, max } => within(text, *min, *max),
            Self::Integers { count, min, max } => {
                let words: Vec<&str> = text.split_whitespace().collect();
                words.len() == *count
                    && words.iter().all(|word| within(word, *min, *max))
                    && numbers(text).is_some_and(|numbers| numbers.is_sorted())
            }
            Self::Word(words) | Self::Selected(words) => words.contains(&text),
            Self::Name => is_name(text),
            Self::Names => !text.is_empty() && text.split_whitespace().all(is_name),
            Self::Mask => text == "all" || text == "none" || is_mask(text),
            Self::Limit => text == "unlimited" || within(text, 0, i64::MAX),
        }
    }

    /// What is in force, of a text that the kernel has printed: the selected word of several, otherwise all of it, with
    /// single blanks.
    #[must_use]
    pub fn in_force(&self, printed: &str) -> String {
        let selected = match self {
            Self::Selected(_) => {
                printed.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(w, _)| w)
            }
            _ => None,
        };
        let words: Vec<&str> = selected.unwrap_or(printed).split_whitespace().collect();
        words.join(" ")
    }

    /// The words that the kernel offers, of a text that it has printed; none if the form has no such list.
    #[must_use]
    pub fn offered(&self, printed: &str) -> Option<Vec<String>> {
        match self {
            Self::Selected(_) => Some(
                printed.split_whitespace().map(|w| w.trim_matches(['[', ']']).to_owned()).collect(),
            ),
            Self::Integer { .. }
            | Self::Integers { .. }
            | Self::Word(_)
            | Self::Name
            | Self::Names
            | Self::Mask
            | Self::Limit => None,
        }
    }

    /// Whether two texts mean the same value.
    #[must_use]
    pub fn same(&self, one: &str, other: &str) -> bool {
        self.canonical(one) == self.canonical(other)
    }

    fn canonical(&self, text: &str) -> String {
        let words = || text.split_whitespace();
        match self {
            Self::Names => {
                let mut names: Vec<&str> = words().collect();
                names.sort_unstable();
                names.dedup();
                names.join(" ")
            }
            Self::Mask if text != "all" && text != "none" => {
                let digits = text.replace(',', "").to_ascii_lowercase();
                let digits = digits.trim_start_matches('0');
                if digits.is_empty() { "none".to_owned() } else { digits.to_owned() }
            }
            _ => words().collect::<Vec<_>>().join(" "),
        }
    }

    /// What is to be written so that `wanted` is met, where `current` is in force, on a machine with `cpus` CPUs.
    /// It is `current` itself if that is as good.
    #[must_use]
    pub fn target(&self, wanted: &Wanted, current: &str, cpus: usize) -> String {
        let value = match (self, wanted.value.as_str()) {
            (Self::Mask, "all") => mask_of(cpus),
            (Self::Mask, "none") => "0".to_owned(),
            (Self::Mask, digits) => grouped(digits),
            (_, value) if wanted.is_minimum => larger(value, current),
            (_, value) => value.to_owned(),
        };
        if self.same(&value, current) { current.to_owned() } else { value }
    }
}

/// Element by element the larger of two lists of numbers; `unlimited` is larger than any.
fn larger(one: &str, other: &str) -> String {
    let pick = |(one, other): (&str, &str)| {
        let number = |word: &str| match word {
            "unlimited" => i64::MAX,
            word => word.parse().unwrap_or(i64::MIN),
        };
        if number(one) >= number(other) { one.to_owned() } else { other.to_owned() }
    };
    let (one, other) = (one.split_whitespace(), other.split_whitespace());
    if one.clone().count() != other.clone().count() {
        return one.collect::<Vec<_>>().join(" ");
    }
    one.zip(other).map(pick).collect::<Vec<_>>().join(" ")
}

fn numbers(text: &str) -> Option<Vec<i64>> {
    text.split_whitespace().map(|word| word.parse().ok()).collect()
}

fn is_name(text: &str) -> bool {
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"_-".contains(&octet);
    !text.is_empty() && text.len() < NAME_OCTETS_MAX && text.bytes().all(allowed)
}

fn is_mask(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    (1..=MASK_DIGITS_MAX).contains(&digits)
        && text.bytes().all(|octet| octet.is_ascii_hexdigit() || octet == b',')
}

/// The mask of CPUs 0 to `cpus` - 1.
fn mask_of(cpus: usize) -> String {
    let first = match cpus % 4 {
        0 => String::new(),
        rest => format!("{:x}", (1 << rest) - 1),
    };
    grouped(&(first + &"f".repeat(cpus / 4)))
}

/// Hexadecimal digits with a comma after each 32 bits, as the kernel reads them.
fn grouped(digits: &str) -> String {
    let digits = digits.replace(',', "");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(8) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Form {
    /// What is allowed, as errors and the reference say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { min, max } => write!(f, "{min} to {max}"),
            Self::Integers { count, min, max } => {
                write!(f, "{count} numbers from {min} to {max}, none smaller than the one before")
            }
            Self::Word(words) | Self::Selected(words) => f.write_str(&words.join(", ")),
            Self::Name => f.write_str("a name of up to 15 letters, digits, '_' and '-'"),
            Self::Names => f.write_str("names, each up to 15 letters, digits, '_' and '-'"),
            Self::Mask => f.write_str("all, none, or a hexadecimal mask of CPUs such as f"),
            Self::Limit => f.write_str("a whole number, or unlimited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIPLE: Form = Form::Integers { count: 3, min: 0, max: 1 << 31 };
    const THP: Form = Form::Selected(&["always", "madvise", "never"]);

    #[test]
    fn what_a_profile_may_want() {
        for (form, text, wanted, why) in [
            (FLAG, "1", Some("1"), "in the range"),
            (FLAG, "2", None, "above it"),
            (FLAG, "yes", None, "no number"),
            (FLAG, "", None, "nothing"),
            (integer(0, 9), "+9", None, "the kernel prints no plus"),
            (integer(0, 9), "007", None, "nor leading zeros"),
            (TRIPLE, "1 02 3", None, "nor leading zeros"),
            (Form::Limit, "+64", None, "nor a plus"),
            (integer(-1, 9), "-1", Some("-1"), "a negative minimum"),
            (integer(0, 9), ">=3", Some(">= 3"), "a minimum"),
            (TRIPLE, "4096\t131072 6291456", Some("4096 131072 6291456"), "blanks of any kind"),
            (TRIPLE, "4096 131072", None, "one is missing"),
            (TRIPLE, "4096 131072 100000", None, "the last is smaller than the default"),
            (TRIPLE, ">= 1 2 3", Some(">= 1 2 3"), "a minimum of each"),
            (THP, "madvise", Some("madvise"), "one of the words"),
            (THP, "[madvise]", None, "with brackets it is what the kernel prints"),
            (THP, ">= madvise", None, "words are not larger than others"),
            (Form::Name, "bbr", Some("bbr"), "a name"),
            (Form::Name, "bbr; reboot", None, "no name"),
            (Form::Names, "reno bbr reno", Some("bbr reno"), "a set"),
            (Form::Mask, "0000,000000F0", Some("f0"), "without what says nothing"),
            (Form::Mask, "0", Some("none"), "no CPU"),
            (Form::Mask, "xyz", None, "not hexadecimal"),
            (Form::Limit, "unlimited", Some("unlimited"), "a word that is allowed"),
            (Form::Limit, "-1", None, "as the C library has it"),
        ] {
            let found = form.wanted(text).map(|wanted| wanted.to_string());
            assert_eq!(found.as_deref().ok(), wanted, "{text:?}: {why}");
            if let Err(error) = found {
                assert!(error.contains("; allowed: "), "{why}: {error}");
            }
        }
    }

    #[test]
    fn what_is_written() {
        for (form, wanted, current, cpus, target, why) in [
            (FLAG, "0", "1", 1, "0", "another value"),
            (integer(0, 1 << 30), ">= 4096", "128", 1, "4096", "raised"),
            (integer(0, 1 << 30), ">= 4096", "65535", 1, "65535", "never lowered"),
            (
                TRIPLE,
                ">= 4096 5000 9000000",
                "1 131072 200000",
                1,
                "4096 131072 9000000",
                "each of its own",
            ),
            (TRIPLE, "1 2 3", "1\t2\t3", 1, "1\t2\t3", "the same is left as it is printed"),
            (Form::Names, "bbr reno", "reno bbr", 1, "reno bbr", "the same in another order"),
            (Form::Mask, "all", "0", 2, "3", "two CPUs"),
            (Form::Mask, "all", "00000000,00000003", 2, "00000000,00000003", "padded"),
            (Form::Mask, "all", "0", 34, "3,ffffffff", "more than 32 CPUs"),
            (Form::Mask, "none", "3", 2, "0", "no CPU"),
            (Form::Limit, ">= 1024", "unlimited", 1, "unlimited", "more than any number"),
        ] {
            let wanted = form.wanted(wanted).unwrap();
            assert_eq!(form.target(&wanted, current, cpus), target, "{why}");
        }
    }

    #[test]
    fn what_the_kernel_prints() {
        assert_eq!(THP.in_force("always [madvise] never\n"), "madvise");
        assert_eq!(THP.in_force("none\n"), "none", "a device without a choice prints no brackets");
        assert_eq!(THP.offered("always [madvise] never").unwrap(), ["always", "madvise", "never"]);
        assert_eq!(TRIPLE.in_force("4096\t131072\t6291456\n"), "4096 131072 6291456");
    }
}
