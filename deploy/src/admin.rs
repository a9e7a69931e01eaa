//! The admin server: `/healthz`, `/metrics` and `/stats.json`, of an edge `/load`, and of a GSLB `/why`, `/mode`,
//! `/corrections`, `POST /rtt` and `POST /reload`, in a thread of its own so that it answers while the data path is
//! busy. When the process is told to end, idle connections end at once, so that who watches them knows.

use crate::failure::Failure;
use crate::metrics;
use crate::mode;
use crate::roles::Board;
use crate::why;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use lastmile_gslb::RTT_OCTETS_MAX;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
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
            let (is_late, mut ending) = (board.is_ending(), board.ending());
            let service = service_fn(|request: Request<Incoming>| {
                let board = Arc::clone(&board);
                async move {
                    let what = (request.method(), request.uri().path());
                    Ok::<_, Infallible>(match what {
                        (&Method::POST, _) if is_of_a_page(&request) => {
                            let text = "A page of another place may change nothing here.\n";
                            response(StatusCode::FORBIDDEN, TEXT, text.to_owned())
                        }
                        (&Method::POST, "/rtt") => measure(request, &board).await,
                        (&Method::POST, "/reload") => reload(board).await,
                        _ => answer(&request, &board),
                    })
                }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME_MAX)
                .max_buf_size(HEAD_OCTETS_MAX)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = pin!(connection);
            let serve = async {
                if !is_late {
                    tokio::select! {
                        _ = connection.as_mut() => return,
                        _ = ending.wait_for(|is_ending| *is_ending) => {}
                    }
                    connection.as_mut().graceful_shutdown();
                }
                let _ = connection.await;
            };
            let _ = tokio::time::timeout(CONNECTION_TIME_MAX, serve).await;
            drop(place);
        });
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// Whether a browser sends this for some page (Fetch, section 3.2 "Origin header"): it may be anybody's, and reaches
/// what listens on the loopback of who looks at it.
fn is_of_a_page(request: &Request<Incoming>) -> bool {
    request.headers().contains_key(header::ORIGIN)
}

/// `POST /rtt`: measured round-trip times for the GSLB.
async fn measure(request: Request<Incoming>, board: &Board) -> Response<Full<Bytes>> {
    let content = Limited::new(request.into_body(), RTT_OCTETS_MAX).collect().await;
    let Ok(content) = content else {
        let text = format!("not taken: broken off, or more than {RTT_OCTETS_MAX} octets\n");
        return response(StatusCode::PAYLOAD_TOO_LARGE, TEXT, text);
    };
    match board.measure(&String::from_utf8_lossy(&content.to_bytes())) {
        Ok(count) => response(StatusCode::OK, TEXT, format!("{count} measurements\n")),
        Err(why) => response(StatusCode::CONFLICT, TEXT, format!("not taken: {why}\n")),
    }
}

/// `POST /reload`, while others are answered: it takes half a second for a million prefixes.
async fn reload(board: Arc<Board>) -> Response<Full<Bytes>> {
    match tokio::task::spawn_blocking(move || board.reload()).await {
        Ok(Ok(summary)) => response(StatusCode::OK, TEXT, format!("{summary}\n")),
        Ok(Err(why)) => response(StatusCode::CONFLICT, TEXT, format!("not taken: {why}\n")),
        Err(error) => {
            response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("not taken: {error}\n"))
        }
    }
}

fn answer(request: &Request<Incoming>, board: &Board) -> Response<Full<Bytes>> {
    if request.uri().path() == "/mode" {
        let query = request.uri().query().unwrap_or_default();
        let (status, text) = mode::answer(request.method(), query, board);
        return response(status, TEXT, text);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n".into());
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/healthz" if board.is_ending() => {
            response(StatusCode::SERVICE_UNAVAILABLE, TEXT, "ending\n".into())
        }
        "/healthz" => response(StatusCode::OK, TEXT, "ok\n".into()),
        "/load" if board.is_ending() => {
            response(StatusCode::SERVICE_UNAVAILABLE, TEXT, "ending\n".into())
        }
        "/load" => match board.load(edge_asked_for(request.uri().query())) {
            Ok(load) => response(StatusCode::OK, "application/json", format!("{load}\n")),
            Err(why) => response(StatusCode::NOT_FOUND, TEXT, format!("{why}\n")),
        },
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
        "/why" => {
            let query = request.uri().query().unwrap_or_default();
            match why::question(query)
                .and_then(|(question, is_json)| Ok((board.explain(&question)?, is_json)))
            {
                Ok((explanation, true)) => {
                    response(StatusCode::OK, "application/json", why::json(&explanation))
                }
                Ok((explanation, false)) => response(StatusCode::OK, TEXT, explanation.to_string()),
                Err(why) => response(StatusCode::BAD_REQUEST, TEXT, format!("{why}\n")),
            }
        }
        "/corrections" => match board.corrections() {
            Ok(lines) => response(StatusCode::OK, "text/csv; charset=utf-8", lines),
            Err(why) => response(StatusCode::NOT_FOUND, TEXT, format!("{why}\n")),
        },
        _ => response(
            StatusCode::NOT_FOUND,
            TEXT,
            "There are /healthz, /metrics and /stats.json; of an edge also /load; of a GSLB also \
             /why?name=NAME&client=ADDR, /mode, /corrections, POST /rtt and POST /reload.\n"
                .into(),
        ),
    }
}

/// `edge=NAME`: of several in one process.
fn edge_asked_for(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("edge="))
}

fn response(status: StatusCode, media_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    #[test]
    fn what_is_answered() {
        let board = Arc::new(Board::default());
        let admin = Admin::start("127.0.0.1:0".parse().unwrap(), Arc::clone(&board)).unwrap();
        let long = format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(2 * HEAD_OCTETS_MAX));
        for (request, status, why) in [
            ("GET /healthz HTTP/1.0\r\n\r\n", " 200 ", "healthy"),
            ("HEAD /metrics HTTP/1.0\r\n\r\n", " 200 ", "no content"),
            ("GET /stats.json HTTP/1.0\r\n\r\n", " 200 ", "numbers"),
            ("GET / HTTP/1.0\r\n\r\n", " 404 ", "nothing there"),
            ("GET /corrections HTTP/1.0\r\n\r\n", " 404 ", "no GSLB"),
            ("GET /load HTTP/1.0\r\n\r\n", " 404 ", "no edge"),
            ("POST /rtt HTTP/1.0\r\nContent-Length: 0\r\n\r\n", " 409 ", "no GSLB"),
            ("POST /healthz HTTP/1.0\r\n\r\n", " 405 ", "nothing can be changed here"),
            ("POST /reload HTTP/1.0\r\nOrigin: http://a.test\r\n\r\n", " 403 ", "a page"),
            ("nonsense\r\n\r\n", " 400 ", "no HTTP"),
            (&long, " 431 ", "a head beyond the bound"),
        ] {
            let response = ask(admin.address(), request);
            let line = response.lines().next().unwrap_or_default();
            assert!(line.contains(status), "{why}: {line}");
        }
        board.stop(Duration::ZERO);
        let response = ask(admin.address(), "GET /healthz HTTP/1.0\r\n\r\n");
        assert!(response.contains(" 503 "), "a balancer must know early: {response}");
    }

    #[test]
    fn an_address_in_use_is_misuse() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let failure = Admin::start(address, Arc::new(Board::default())).unwrap_err();
        let expected = format!("admin: {address} is in use by another process");
        assert_eq!(failure, Failure::Misused(expected));
    }
}
