//! The admin server: `/healthz`, `/metrics` and `/stats.json`, in a thread of its own so that it
//! answers while the data path is busy.

use crate::failure::Failure;
use crate::metrics;
use crate::roles::Board;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

/// Connections at a time: a scraper, a person or two, and room for a burst. More wait in the listen
/// queue.
const CONNECTIONS_MAX: usize = 32;

/// From accepting a connection to its end, whatever it does: what is answered is small, and a
/// scraper simply connects again.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// From the first octet of a request to the end of its head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);

/// Octets of a head: the smallest buffer that hyper takes.
const HEAD_OCTETS_MAX: usize = 8 * 1024;

/// A running admin server; dropping it ends it.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Starts to serve what `board` tells; it listens when this returns.
    ///
    /// # Errors
    /// [`Failure::Misused`] for an address that is in use or not of this machine.
    pub fn start(address: SocketAddr, board: Arc<Board>) -> Result<Self, Failure> {
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => {
                Failure::Misused(format!("admin: {address} is in use by another process"))
            }
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::PermissionDenied => {
                Failure::Misused(format!("admin: cannot listen on {address}: {error}"))
            }
            _ => Failure::Failed(format!("admin: cannot listen on {address}: {error}")),
        };
        let listener = std::net::TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let failed = |error: io::Error| Failure::Failed(format!("admin: {error}"));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, board) => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(failed)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: std::net::TcpListener, board: Arc<Board>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others must end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let board = Arc::clone(&board);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &board);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME_MAX)
                .max_buf_size(HEAD_OCTETS_MAX)
                .serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(CONNECTION_TIME_MAX, connection).await;
            drop(place);
        });
    }
}

fn answer(request: &Request<Incoming>, board: &Board) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n".into());
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/healthz" => response(StatusCode::OK, TEXT, "ok\n".into()),
        "/metrics" => response(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            metrics::prometheus(&board.reports(), board.uptime()),
        ),
        "/stats.json" => response(
            StatusCode::OK,
            "application/json",
            format!("{}\n", metrics::json(&board.reports(), board.uptime())),
        ),
        _ => response(
            StatusCode::NOT_FOUND,
            TEXT,
            "There are /healthz, /metrics and /stats.json.\n".into(),
        ),
    }
}

fn response(status: StatusCode, media_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
