//! Flags for the sockets of every role: those of clients' connections, and those of connections to upstreams.

pub(super) mod own;

use crate::quantity::{Period, Size};
use clap::Args;
use lastmile_tuning::socket::{Congestion, ListenOptions, SocketOptions};
use std::path::PathBuf;
use std::time::Duration;

/// Flags for a role's TCP listeners and the connections that they accept.
#[derive(Args, Clone, Debug)]
pub struct ListenerFlags {
    /// The congestion control of clients' connections, such as bbr or cubic; system: the system's default; auto: that,
    /// but none that paces on loopback [default: auto]
    #[arg(long, value_name = "NAME")]
    pub congestion: Option<Congestion>,
    /// Send at most SIZE per second on each of them, evenly spread, such as 2.4MB [default: as fast as it goes]
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    pub pacing: Option<Size>,
    /// Have at most SIZE unsent in the kernel for each [default: net.ipv4.tcp_notsent_lowat]
    #[arg(long, value_name = "SIZE", value_parser = unsent)]
    pub notsent_lowat: Option<Size>,
    /// End a connection whose client acknowledges nothing for TIME [default: 30s; of an origin, the system's]
    #[arg(long, value_name = "TIME", value_parser = user_timeout)]
    pub user_timeout: Option<Period>,
    /// Send nothing again before TIME, 2ms (8ms where HZ is 250) to 200ms [default: net.ipv4.tcp_rto_min_us]
    #[arg(long, value_name = "TIME", value_parser = rto_min)]
    pub rto_min: Option<Period>,
    /// Wait at most TIME before sending again, 1s to 120s [default: net.ipv4.tcp_rto_max_ms]
    #[arg(long, value_name = "TIME", value_parser = rto_max)]
    pub rto_max: Option<Period>,
    /// Probe a connection that has been idle for TIME [default: never]
    #[arg(long, value_name = "TIME", value_parser = keepalive)]
    pub keepalive: Option<Period>,
    /// Take up to N connections at a time whose SYN carries a request; with bit 2 in net.ipv4.tcp_fastopen
    #[arg(long, value_name = "N", value_parser = queue)]
    pub fast_open: Option<u32>,
    /// Accept a connection when its first octets have arrived, or after TIME [default: at once]
    #[arg(long, value_name = "TIME", value_parser = defer_accept)]
    pub defer_accept: Option<Period>,
    /// Let small packets wait for acknowledgements (Nagle's algorithm), to see what that costs
    #[arg(long)]
    pub nagle: bool,
}

impl ListenerFlags {
    /// Puts what was given into `options`; the rest stays as it is.
    pub fn put(&self, options: &mut ListenOptions) {
        let socket = &mut options.socket;
        socket.nodelay &= !self.nagle;
        put(&mut socket.congestion, self.congestion.clone());
        put_some(&mut socket.pacing, self.pacing.map(|size| size.0));
        let unsent = self.notsent_lowat.and_then(|size| u32::try_from(size.0).ok());
        put_some(&mut socket.notsent_lowat, unsent);
        put_some(&mut socket.user_timeout, self.user_timeout.map(|time| time.0));
        put_some(&mut socket.rto_min, self.rto_min.map(|time| time.0));
        put_some(&mut socket.rto_max, self.rto_max.map(|time| time.0));
        put_some(&mut socket.keepalive, self.keepalive.map(|time| time.0));
        put_some(&mut options.fast_open, self.fast_open);
        put_some(&mut options.defer_accept, self.defer_accept.map(|time| time.0));
    }
}

fn put<T>(into: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *into = given;
    }
}

fn put_some<T>(into: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *into = given;
    }
}

/// Flags for an edge's connections to upstreams.
#[derive(Args, Clone, Debug)]
pub struct UpstreamFlags {
    /// The congestion control of connections to upstreams, as for --congestion [default: auto]
    #[arg(long, value_name = "NAME")]
    pub upstream_congestion: Option<Congestion>,
    /// End one whose upstream acknowledges nothing for TIME [default: the system's]
    #[arg(long, value_name = "TIME", value_parser = user_timeout)]
    pub upstream_user_timeout: Option<Period>,
    /// Send nothing again to an upstream before TIME, 2ms (HZ of 250: 8ms) to 200ms [default: net.ipv4.tcp_rto_min_us]
    #[arg(long, value_name = "TIME", value_parser = rto_min)]
    pub upstream_rto_min: Option<Period>,
    /// Wait at most TIME before sending again, 1s to 120s [default: net.ipv4.tcp_rto_max_ms]
    #[arg(long, value_name = "TIME", value_parser = rto_max)]
    pub upstream_rto_max: Option<Period>,
    /// Probe one that has been idle for TIME [default: never]
    #[arg(long, value_name = "TIME", value_parser = keepalive)]
    pub upstream_keepalive: Option<Period>,
}

impl UpstreamFlags {
    /// Puts what was given into `options`; the rest stays as it is.
    pub fn put(&self, options: &mut SocketOptions) {
        put(&mut options.congestion, self.upstream_congestion.clone());
        put_some(&mut options.user_timeout, self.upstream_user_timeout.map(|time| time.0));
        put_some(&mut options.rto_min, self.upstream_rto_min.map(|time| time.0));
        put_some(&mut options.rto_max, self.upstream_rto_max.map(|time| time.0));
        put_some(&mut options.keepalive, self.upstream_keepalive.map(|time| time.0));
    }
}

/// The flag of what connections get by their other end's prefix.
#[derive(Args, Clone, Debug)]
pub struct PolicyFlags {
    /// Give connections what FILE says for the prefix of their other end; read again on HUP (its keys are below)
    #[arg(long, value_name = "FILE")]
    pub tcp_policy: Option<PathBuf>,
}

/// Slower than a modem is a mistake in the unit; what the kernel takes has 64 bits.
fn rate(text: &str) -> Result<Size, String> {
    size_within(text, 1_000..=u64::MAX - 1, "1kB or more")
}

/// Less than a packet would wake the sender for each; above 32 bits nothing waits.
fn unsent(text: &str) -> Result<Size, String> {
    size_within(text, 1_024..=u64::from(u32::MAX - 1), "1KiB to 4GiB")
}

fn user_timeout(text: &str) -> Result<Period, String> {
    period_within(text, Duration::from_secs(1), Duration::from_secs(86_400), "1s to 1d")
}

/// What the kernel takes (`TCP_RTO_MIN`), if it is two of its ticks: 2 ms with 1000 ticks in a second, 8 ms with 250.
fn rto_min(text: &str) -> Result<Period, String> {
    period_within(text, Duration::from_millis(2), Duration::from_millis(200), "2ms to 200ms")
}

/// What the kernel takes (`TCP_RTO_MAX_SEC`).
fn rto_max(text: &str) -> Result<Period, String> {
    period_within(text, Duration::from_secs(1), Duration::from_secs(120), "1s to 120s")
}

/// What the kernel takes (`MAX_TCP_KEEPIDLE`), in seconds.
fn keepalive(text: &str) -> Result<Period, String> {
    let time =
        period_within(text, Duration::from_secs(1), Duration::from_secs(32_767), "1s to 9h")?;
    whole_seconds(text, time)
}

/// Longer, and the kernel has given the connection up.
fn defer_accept(text: &str) -> Result<Period, String> {
    let time = period_within(text, Duration::from_secs(1), Duration::from_secs(60), "1s to 60s")?;
    whole_seconds(text, time)
}

fn queue(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|queue| (1..=65_535).contains(queue))
        .ok_or_else(|| format!("{text:?} is not a number of connections; allowed: 1 to 65535"))
}

fn size_within(
    text: &str,
    allowed: std::ops::RangeInclusive<u64>,
    range: &str,
) -> Result<Size, String> {
    let size = text.parse::<Size>()?;
    if allowed.contains(&size.0) {
        return Ok(size);
    }
    Err(format!("{text:?} is not in the range; allowed: {range}"))
}

fn period_within(text: &str, from: Duration, to: Duration, range: &str) -> Result<Period, String> {
    let period = text.parse::<Period>()?;
    if (from..=to).contains(&period.0) {
        return Ok(period);
    }
    Err(format!("{text:?} is not in the range; allowed: {range}"))
}

fn whole_seconds(text: &str, period: Period) -> Result<Period, String> {
    match period.0.subsec_nanos() {
        0 => Ok(period),
        _ => Err(format!("{text:?} is not allowed; allowed: whole seconds")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_with_the_range() {
        type Parse = fn(&str) -> Result<(), String>;
        let rows: &[(Parse, &[&str], &[&str], &str)] = &[
            (|t| rate(t).map(drop), &["2.4MB", "1kB"], &["999", "0", "fast"], "1kB or more"),
            (|t| unsent(t).map(drop), &["16KiB", "4095MiB"], &["1", "4GiB"], "1KiB to 4GiB"),
            (|t| user_timeout(t).map(drop), &["1s", "30s"], &["999ms", "2d"], "1s to 1d"),
            (|t| rto_min(t).map(drop), &["50ms", "0.2s"], &["1ms", "201ms", "1"], "2ms to 200ms"),
            (|t| rto_max(t).map(drop), &["1s", "2m"], &["500ms", "121s"], "1s to 120s"),
            (|t| keepalive(t).map(drop), &["60s", "9h"], &["0s", "10h"], "1s to 9h"),
            (|t| keepalive(t).map(drop), &["60s"], &["1.5s"], "whole seconds"),
            (|t| defer_accept(t).map(drop), &["5s"], &["0s", "61s"], "1s to 60s"),
            (|t| queue(t).map(drop), &["1", "65535"], &["0", "65536", "-1"], "1 to 65535"),
        ];
        for (parse, good, bad, range) in rows {
            for text in *good {
                assert_eq!(parse(text), Ok(()), "{text}");
            }
            for text in *bad {
                let message = parse(text).unwrap_err();
                let is_range = message.ends_with(&format!("allowed: {range}"));
                let is_quantity = message.contains("is not a size") && *text == "fast";
                assert!(is_range || is_quantity, "{text}: {message}");
            }
        }
    }
}
