//! Whether the kernel's clock is kept right by somebody (adjtimex(2)).
#![allow(unsafe_code, reason = "no library has a safe adjtimex(2)")]

use std::io;
use std::time::Duration;

/// How the clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discipline {
    /// Whether something such as chrony has set it lately. The kernel forgets that after some hours without.
    pub is_synchronised: bool,
    /// By how much it may be off at most, as far as that something says.
    pub error_max: Duration,
}

/// Asks the kernel, and changes nothing; needs no permission.
///
/// # Errors
/// What the system call returns: `EPERM` where a sandbox forbids it.
pub fn discipline() -> io::Result<Discipline> {
    // SAFETY: a `timex` is integers, for which zeros are a value; `modes` zero asks for nothing to be changed.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a `timex` of ours, which the kernel fills before the call returns.
    let status = unsafe { libc::adjtimex(&raw mut state) };
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    let error_max = Duration::from_micros(u64::try_from(state.maxerror).unwrap_or(0));
    // As adjtimex(2): both say that nobody keeps it.
    let is_synchronised = status != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0;
    Ok(Discipline { is_synchronised, error_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anybody_may_ask() {
        let first = discipline().unwrap();
        // Nobody has set it meanwhile, or somebody has: either way it is an answer of the kernel.
        assert!(first.error_max <= Duration::from_secs(16), "the kernel stops there: {first:?}");
    }
}
