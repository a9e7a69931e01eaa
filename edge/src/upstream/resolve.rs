//! Names of upstreams become addresses, on a thread of their own: /etc/hosts, then the servers of /etc/resolv.conf.

use super::addresses::Addresses;
use crate::config::{Host, Upstream};
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

/// The start waits this long for the first answers, then serves without.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(5);
/// Bounds of the time between two lookups; the DNS TTL decides between them.
const AGAIN_MIN: Duration = Duration::from_secs(5);
const AGAIN_MAX: Duration = Duration::from_secs(300);
/// How soon a stop is noticed.
const STOP_STEP: Duration = Duration::from_millis(100);

/// Starts the thread that keeps `addresses` current until `stop`.
pub(super) fn start(
    upstreams: Vec<Upstream>,
    addresses: Arc<Addresses>,
    stop: Arc<AtomicBool>,
) -> io::Result<JoinHandle<()>> {
    let (first_sender, first) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("resolver".into()).spawn(move || {
        runtime.block_on(async {
            while !stop.load(Ordering::Relaxed) {
                let again = look_up_all(&upstreams, &addresses).await;
                // Nobody waits for the second answer.
                let _ = first_sender.send(());
                let until = Instant::now() + again;
                while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(STOP_STEP).await;
                }
            }
        });
    })?;
    let _ = first.recv_timeout(FIRST_ANSWER_MAX);
    Ok(thread)
}

/// Looks all names up and returns when to do it again. A name that does not resolve keeps the list as it was.
async fn look_up_all(upstreams: &[Upstream], addresses: &Addresses) -> Duration {
    let resolver = TokioResolver::builder_tokio().and_then(ResolverBuilder::build);
    let resolver = match resolver {
        Ok(resolver) => resolver,
        Err(error) => {
            eprintln!("edge: can't set up name resolution: {error}");
            return AGAIN_MIN;
        }
    };
    let mut sockets = Vec::new();
    let mut again = AGAIN_MAX;
    let mut complete = true;
    for upstream in upstreams {
        let with_port = |ip| (SocketAddr::new(ip, upstream.port), upstream.socket.clone());
        match &upstream.host {
            Host::Address(ip) => sockets.push(with_port(*ip)),
            Host::Name(name) => match resolver.lookup_ip(name.as_str()).await {
                Ok(found) => {
                    sockets.extend(found.iter().map(with_port));
                    again =
                        again.min(found.valid_until().saturating_duration_since(Instant::now()));
                }
                Err(error) => {
                    eprintln!("edge: upstream name {name}: {error}");
                    complete = false;
                }
            },
        }
    }
    if complete || addresses.all().is_empty() {
        addresses.replace(sockets.into_iter());
    }
    if complete { again.max(AGAIN_MIN) } else { AGAIN_MIN }
}
