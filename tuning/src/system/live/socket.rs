//! Defaults of socket options, read from a socket that was just made.

use super::{Reading, is, unreadable};
use crate::knobs::SocketOption;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;

pub(super) fn read(option: SocketOption) -> Reading {
    match default(option) {
        Ok(text) => is(text, false),
        Err(error) => unreadable(&error),
    }
}

fn default(option: SocketOption) -> io::Result<String> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    let flag = |is_on: bool| u8::from(is_on).to_string();
    Ok(match option {
        SocketOption::NoDelay => flag(socket.tcp_nodelay()?),
        SocketOption::Congestion => {
            String::from_utf8_lossy(&socket.tcp_congestion()?).trim_end_matches('\0').to_owned()
        }
        SocketOption::NotsentLowat => socket.tcp_notsent_lowat()?.to_string(),
        SocketOption::UserTimeout => {
            socket.tcp_user_timeout()?.unwrap_or_default().as_millis().to_string()
        }
        SocketOption::Keepalive => flag(socket.keepalive()?),
        SocketOption::Known(text) => text.to_owned(),
    })
}
