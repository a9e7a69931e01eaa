//! Options of one listener or upstream, behind its address: `ADDR OPTION=VALUE ...`. Their names are those of the flags
//! that set the same for all.

use super::{ListenerFlags, UpstreamFlags};
use crate::quantity::address;
use clap::{Args, Command, FromArgMatches};
use lastmile_edge::Upstream;
use std::error::Error as _;
use std::net::SocketAddr;

/// An address, and the flags of its own.
#[derive(Clone, Debug)]
pub struct Own<T, F> {
    /// The address.
    pub at: T,
    /// What goes before the flags for all.
    pub own: F,
}

/// An address to listen on.
///
/// # Errors
/// One line with what is wrong and what is allowed.
pub(crate) fn listener(text: &str) -> Result<Own<SocketAddr, ListenerFlags>, String> {
    let (at, options) = parted(text);
    Ok(Own { at: address(at)?, own: flags(options, "")? })
}

/// An upstream.
///
/// # Errors
/// As for [`listener`].
pub(crate) fn upstream(text: &str) -> Result<Own<Upstream, UpstreamFlags>, String> {
    let (at, options) = parted(text);
    Ok(Own { at: at.parse()?, own: flags(options, "upstream-")? })
}

fn parted(text: &str) -> (&str, &str) {
    text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""))
}

/// The options as the flags of their names with `prefix`, so that each is defined once.
fn flags<F: Args + FromArgMatches>(options: &str, prefix: &str) -> Result<F, String> {
    let command = F::augment_args(Command::new("options").no_binary_name(true));
    let names = || {
        let longs = command.get_arguments().filter_map(|argument| argument.get_long());
        longs.map(|long| long.trim_start_matches(prefix)).collect::<Vec<_>>()
    };
    let mut arguments = Vec::new();
    for option in options.split_whitespace() {
        let name = option.split_once('=').map_or(option, |(name, _)| name);
        if !names().contains(&name) {
            return Err(format!("{name:?} is no option; allowed: {}", names().join(", ")));
        }
        arguments.push(format!("--{prefix}{option}"));
    }
    let matches = command.clone().try_get_matches_from(arguments);
    matches.and_then(|matches| F::from_arg_matches(&matches)).map_err(|error| {
        let line = |text: String| text.lines().next().unwrap_or_default().to_owned();
        error.source().map_or_else(|| line(error.to_string()), ToString::to_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmile_tuning::socket::{Congestion, ListenOptions, SocketOptions};
    use std::time::Duration;

    #[test]
    fn what_stands_behind_an_address_goes_before_the_flags() {
        let mut options = ListenOptions::default();
        flags::<ListenerFlags>("congestion=bbr pacing=2MB nagle", "").unwrap().put(&mut options);
        let own = listener(" [::1]:80  congestion=reno\trto-min=50ms fast-open=16 ").unwrap();
        own.own.put(&mut options);
        assert_eq!(own.at, "[::1]:80".parse().unwrap());
        let socket = SocketOptions {
            nodelay: false,
            congestion: Congestion::Named("reno".to_owned()),
            pacing: Some(2_000_000),
            rto_min: Some(Duration::from_millis(50)),
            ..ListenOptions::default().socket
        };
        let expected = ListenOptions { socket, fast_open: Some(16), ..ListenOptions::default() };
        assert_eq!(options, expected);

        let mut socket = SocketOptions { congestion: Congestion::System, ..Default::default() };
        let own = upstream("http://parent.test:81/ keepalive=60s").unwrap();
        own.own.put(&mut socket);
        assert_eq!(own.at, "http://parent.test:81".parse().unwrap());
        assert_eq!(
            (socket.congestion, socket.keepalive),
            (Congestion::System, Some(Duration::from_mins(1)))
        );
        assert!(listener("127.0.0.1:80").is_ok() && upstream("http://192.0.2.1").is_ok());
    }

    #[test]
    fn nonsense_is_told_in_one_line() {
        let listeners = [
            ("", "\"\" is not an address; "),
            ("x congestion=bbr", "\"x\" is not an address; "),
            ("127.0.0.1:80 pace=1MB", "\"pace\" is no option; allowed: congestion, pacing, "),
            ("127.0.0.1:80 --pacing=1MB", "\"--pacing\" is no option; allowed: "),
            ("127.0.0.1:80 pacing=1", "\"1\" is not in the range; allowed: 1kB or more"),
            ("127.0.0.1:80 pacing", "a value is required for '--pacing <SIZE>'"),
            ("127.0.0.1:80 nagle=no", "unexpected value 'no' for '--nagle' found"),
            ("127.0.0.1:80 rto-max=1s rto-max=2s", "the argument '--rto-max <TIME>' cannot be"),
        ];
        let upstreams = [
            ("parent congestion=bbr", "\"parent\": the scheme is missing"),
            ("http://parent pacing=1MB", "\"pacing\" is no option; allowed: congestion, "),
            ("http://parent upstream-rto-min=8ms", "\"upstream-rto-min\" is no option; allowed"),
            ("http://parent rto-min=1s", "\"1s\" is not in the range; allowed: 2ms to 200ms"),
        ];
        let listener = |text| listener(text).unwrap_err();
        let upstream = |text| upstream(text).unwrap_err();
        let told = listeners.map(|(text, expected)| (text, listener(text), expected));
        let told = told.into_iter().chain(upstreams.map(|(text, it)| (text, upstream(text), it)));
        for (text, told, expected) in told {
            assert!(told.contains(expected), "{text}: {told}");
            assert!(!told.contains('\n'), "{text}: one line: {told}");
        }
    }
}
