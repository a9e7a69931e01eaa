//! One role as a process: started, told about, ended.

use crate::admin::Admin;
use crate::cli::ProcessFlags;
use crate::failure::Failure;
use crate::roles::{Board, Running};
use crate::stop::Stop;
use std::io::{self, Write as _};
use std::sync::Arc;

/// Runs the role that `start` starts until it is told to end or its time is over.
///
/// # Errors
/// What `start` returns, or the admin server; nothing is left running then.
pub fn run(
    flags: &ProcessFlags,
    start: impl FnOnce() -> Result<Running, Failure>,
) -> Result<(), Failure> {
    let stop = Stop::on_signal()?;
    let board = Arc::new(Board::default());
    let running = start()?;
    let listening: Vec<String> = running.addresses().iter().map(ToString::to_string).collect();
    let mut line = format!("{} listens on {}", running.name, listening.join(", "));
    board.add(running);
    let admin = match flags.admin.map(|address| Admin::start(address, Arc::clone(&board))) {
        None => None,
        Some(Ok(admin)) => {
            line.push_str(&format!(", admin on {}", admin.address()));
            Some(admin)
        }
        Some(Err(failure)) => {
            board.stop(std::time::Duration::ZERO);
            return Err(failure);
        }
    };
    say(&line);
    let reload = || match board.reload() {
        Ok(summary) => eprintln!("lastmile: read again: {summary}"),
        Err(why) => eprintln!("lastmile: not taken: {why}"),
    };
    let reload: Option<&dyn Fn()> = if board.can_reload() { Some(&reload) } else { None };
    stop.wait(flags.limit.map(|limit| limit.0), reload);
    board.stop(flags.drain.0);
    drop(admin);
    Ok(())
}

/// Writes `text` and a line end to stdout at once. Nobody reading it is no reason to end a server.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
