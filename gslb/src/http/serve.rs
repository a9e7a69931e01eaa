//! Connections of the front: how many, how they begin, how long they may be silent, how they end.

use super::counters::HttpCounters;
use super::proxy::{Step, Whom};
use super::rules::{Rules, Trusted};
use super::{Front, proxy, route};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Octets of a request's head, of HTTP/1.1 as of HTTP/2. URLs have up to some thousand; the rest is cookies.
const HEAD_OCTETS_MAX: usize = 16 * 1024;
/// For a PROXY header with the TLS handshake, and on HTTP/1.1 for the end of a head, from the first octet of the first
/// request, of others from the response before (as hyper counts); less if idle connections get less.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// For the last responses of a connection that is told to end.
const ENDING_TIME_MAX: Duration = Duration::from_secs(5);
/// Requests at a time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 64;
/// What may arrive on one of HTTP/2 before it is read, and on one stream of it: a query has 4096 octets at most.
const CONNECTION_WINDOW: u32 = 64 * 1024;
const STREAM_WINDOW: u32 = 16 * 1024;
/// Of a response of HTTP/2 that waits for a client which does not read, in octets: all of it, as they are short.
const UNSENT_OCTETS_MAX: usize = 64 * 1024;
/// Out of descriptors, most likely: others must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Open connections; at least 1. One more closes the oldest.
    pub(crate) connections_max: usize,
    /// Time without a request.
    pub(crate) idle_timeout: Duration,
}

/// What happens when all places are taken.
#[derive(Default)]
struct Crowd {
    is_full: AtomicBool,
    turn: Notify,
}

/// When one of a connection's requests was answered last, and how many are under way.
struct Activity {
    started: Instant,
    /// Milliseconds since then.
    last: AtomicU64,
    under_way: AtomicUsize,
}

/// A connection that HTTP can begin on.
enum Opened {
    Plain(BufReader<TcpStream>),
    Tls(Box<TlsStream<BufReader<TcpStream>>>),
}

/// Serves until `stop` is set, and until then everything has ended.
pub(super) async fn serve(
    listener: StdListener,
    limits: Limits,
    front: Arc<Front>,
    mut stop: watch::Receiver<Option<Instant>>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let (crowd, stopped) = (Arc::new(Crowd::default()), stop.clone());
    let accept = async {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            front.counters.connections.count();
            let Ok(place) = crowd.enter(&places).await else { return };
            let (front, crowd, stop) = (Arc::clone(&front), Arc::clone(&crowd), stopped.clone());
            tokio::spawn(async move {
                connection(&front, (stream, peer), limits, (&crowd, stop)).await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accept => {}
        _ = stop.wait_for(Option::is_some) => {}
    }
    drop(listener);
    let deadline = stop.borrow().unwrap_or_else(Instant::now);
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    let ended = places.acquire_many(all);
    tokio::select! {
        _ = ended => {}
        () = sleep_until(deadline.into()) => {}
    }
}

async fn connection(
    front: &Arc<Front>,
    (stream, peer): (TcpStream, SocketAddr),
    limits: Limits,
    ends: (&Crowd, watch::Receiver<Option<Instant>>),
) {
    let tables = front.tables();
    // Dropped behind what is counted: who sees the connection end sees the counter too.
    let mut opening = pin!(open(stream, peer.ip().to_canonical(), &tables.front, &front.counters));
    let opened = tokio::select! {
        opened = timeout(limits.head_timeout(), opening.as_mut()) => opened,
        () = ends.0.leave() => {
            front.counters.evicted.count();
            return;
        }
    };
    match opened {
        Err(_) => front.counters.slow.count(),
        Ok(None) => {}
        Ok(Some((Opened::Plain(stream), client))) => {
            http(front, stream, client, limits, ends).await;
        }
        Ok(Some((Opened::Tls(stream), client))) => http(front, stream, client, limits, ends).await,
    }
}

/// What comes before HTTP; also whom the connection is from. `None` if it is none of ours.
async fn open(
    stream: TcpStream,
    mut peer: IpAddr,
    rules: &Rules,
    counters: &HttpCounters,
) -> Option<(Opened, IpAddr)> {
    let mut stream = BufReader::new(stream);
    if rules.proxy_protocol {
        let client = proxied(&mut stream, peer, &rules.trusted).await;
        peer = client.or_else(|| {
            counters.bad_proxy.count();
            None
        })?;
    }
    let Some(config) = &rules.tls else { return Some((Opened::Plain(stream), peer)) };
    let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream).await;
    match accepted {
        Ok(stream) => Some((Opened::Tls(Box::new(stream)), peer)),
        Err(_) => {
            counters.bad_tls.count();
            None
        }
    }
}

/// Reads the header of the PROXY protocol; `None` if there is none, or if it is from who is not trusted.
async fn proxied(
    stream: &mut BufReader<TcpStream>,
    peer: IpAddr,
    trusted: &Trusted,
) -> Option<IpAddr> {
    if !trusted.has(peer) {
        return None;
    }
    let mut head = Vec::new();
    loop {
        match proxy::read(&head) {
            Step::Done(Whom::Client(client)) => return Some(client),
            Step::Done(Whom::Proxy) => return Some(peer),
            Step::Bad => return None,
            Step::More(count) => {
                let from = head.len();
                head.resize(from + count, 0);
                stream.read_exact(&mut head[from..]).await.ok()?;
            }
        }
    }
}

/// HTTP/1.1 or HTTP/2, as the connection begins.
async fn http(
    front: &Arc<Front>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    limits: Limits,
    (crowd, mut stop): (&Crowd, watch::Receiver<Option<Instant>>),
) {
    let activity = Arc::new(Activity::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (front, activity) = (Arc::clone(front), Arc::clone(&activity));
        async move {
            let under_way = activity.begin();
            // Those of a reload from the next request on.
            let tables = front.tables();
            let response = route::answer(&front, &tables, request, peer).await;
            drop(under_way);
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout())
        .max_buf_size(HEAD_OCTETS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_OCTETS_MAX as u32)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_send_buf_size(UNSENT_OCTETS_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = activity.idle(limits.idle_timeout) => {}
        () = crowd.leave() => {
            front.counters.evicted.count();
            // Its place is needed now, also that of one who only pretends to send a request.
            return;
        }
        _ = stop.wait_for(Option::is_some) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(ENDING_TIME_MAX, connection).await;
}

impl Crowd {
    /// Returns when there is a place, for which the oldest connection ends if need be.
    async fn enter(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, AcquireError> {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Ok(place);
        }
        self.is_full.store(true, Ordering::Relaxed);
        self.turn.notify_one();
        let place = Arc::clone(places).acquire_owned().await;
        self.is_full.store(false, Ordering::Relaxed);
        place
    }

    /// Returns when this connection's place is needed: connections are woken in the order in which they came.
    async fn leave(&self) {
        loop {
            self.turn.notified().await;
            // It may be a turn that nobody has taken while there was no connection to take it.
            if self.is_full.swap(false, Ordering::Relaxed) {
                return;
            }
        }
    }
}

impl Limits {
    fn head_timeout(&self) -> Duration {
        self.idle_timeout.min(HEAD_TIME_MAX)
    }
}

impl Activity {
    fn new() -> Self {
        let (last, under_way) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self { started: Instant::now(), last, under_way }
    }

    /// Notes a request; it is under way until what is returned is dropped.
    fn begin(self: &Arc<Self>) -> impl Drop + use<> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Returns when nothing has been under way for so long.
    async fn idle(&self, timeout: Duration) {
        loop {
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let silent = self.started.elapsed().saturating_sub(last);
            let left = timeout.saturating_sub(silent);
            match (self.under_way.load(Ordering::Relaxed), left) {
                (0, Duration::ZERO) => return,
                (0, left) => sleep(left).await,
                // Each has a time limit of its own, the one for content.
                (_, _) => sleep(timeout).await,
            }
        }
    }
}

struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let last = self.0.started.elapsed().as_millis();
        self.0.last.store(u64::try_from(last).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
