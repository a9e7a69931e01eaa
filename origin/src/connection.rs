//! One connection, from accept to close.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::config::HEAD_OCTETS_MAX;
use crate::exchange::{self, Caller, Site};
use crate::wire::{Fate, Wire};

/// Serves the requests of one connection until either side ends it, nothing moves for the idle timeout, or `stopping`
/// becomes true; then the exchange in progress is still finished.
pub(crate) async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    number: u64,
    site: Arc<Site>,
    mut stopping: watch::Receiver<bool>,
) {
    let fate = Arc::new(Fate::new());
    let wire = Wire::new(stream, Arc::clone(&fate));
    let caller = Caller { client, connection: number, fate: Arc::clone(&fate) };
    let service =
        service_fn(|request| exchange::respond(request, caller.clone(), Arc::clone(&site)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(site.idle_timeout)
            .max_buf_size(HEAD_OCTETS_MAX)
            .serve_connection(wire, service)
    );
    let mut told = false;
    loop {
        let patience = site.idle_timeout.saturating_sub(fate.idle());
        tokio::select! {
            // An error here is the client's (malformed, gone) or a cut on purpose: the journal has it.
            _ = connection.as_mut() => return,
            _ = stopping.wait_for(|&stop| stop), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(patience) => {
                if fate.idle() >= site.idle_timeout {
                    site.counters.idle_timeouts.add(1);
                    return;
                }
            }
        }
    }
}
