//! A request becomes a response: every branch is here.

use std::fs::{File, Metadata};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::body::{Body, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RANGE, VIA,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};

use crate::answer::{Abandoned, Answer};
use crate::content::{Content, Piece};
use crate::counters::Counters;
use crate::directory::{Directory, Found};
use crate::journal::{Ending, Entry, FIELD_OCTETS_MAX, Journal, Record};
use crate::precondition::whole_seconds;
use crate::representation::{Octets, Representation, ascii};
use crate::synthetic::{self, Parameters, Target};
use crate::wire::Fate;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) directory: Option<Arc<Directory>>,
    pub(crate) synthetic: bool,
    pub(crate) max_age: Option<u32>,
    pub(crate) idle_timeout: Duration,
    pub(crate) journal: Journal,
    pub(crate) counters: Arc<Counters>,
}

/// Whose request it is.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) client: SocketAddr,
    pub(crate) connection: u64,
    pub(crate) fate: Arc<Fate>,
}

/// Answers one request.
pub(crate) async fn respond(
    request: Request<Incoming>,
    caller: Caller,
    site: Arc<Site>,
) -> Result<Response<Content>, Abandoned> {
    let mut record = site.journal.arrive(entry(&request, &caller));
    let method = request.method().clone();
    let path = request.uri().path();
    let target = if site.synthetic { synthetic::target(path) } else { None };
    let answer = match (target, &site.directory) {
        // What follows a successful CONNECT is a tunnel, and there is none here.
        _ if method == Method::CONNECT => not_allowed("GET, HEAD, POST, PUT, PATCH, DELETE"),
        (Some(target), _) => respond_synthetic(target, request, &mut record, &caller).await?,
        (None, Some(directory)) => respond_file(&request, directory, &site).await,
        (None, None) => Answer::text(StatusCode::NOT_FOUND, "Only /bytes/SIZE and /echo are here."),
    };
    site.counters.count_status(answer.status.as_u16());
    Ok(answer.into_response(&method, record, caller.fate))
}

async fn respond_file(
    request: &Request<Incoming>,
    directory: &Arc<Directory>,
    site: &Site,
) -> Answer {
    let method = request.method();
    if method != Method::GET && method != Method::HEAD {
        return not_allowed("GET, HEAD");
    }
    let path = request.uri().path().to_owned();
    let directory = Arc::clone(directory);
    // Opening waits for the disk, and this thread must not.
    let found = tokio::task::spawn_blocking(move || directory.find(&path)).await;
    match found.unwrap_or(Found::Failure) {
        Found::File(file, metadata, name) => {
            let now = SystemTime::now();
            let representation = describe_file(file, &metadata, &name, site.max_age, now);
            representation.answer(method, request.headers(), now)
        }
        Found::DirectoryWithoutSlash => redirect_to_directory(request),
        Found::Nothing => Answer::text(StatusCode::NOT_FOUND, "There is no such file."),
        Found::Forbidden => Answer::text(StatusCode::FORBIDDEN, "This file may not be read."),
        Found::Failure => {
            Answer::text(StatusCode::INTERNAL_SERVER_ERROR, "The origin cannot read the file.")
        }
    }
}

fn describe_file(
    file: File,
    metadata: &Metadata,
    name: &Path,
    max_age: Option<u32>,
    now: SystemTime,
) -> Representation {
    let mut fields = HeaderMap::new();
    let media_type = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let modified_ns =
        i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    let etag = format!("\"{:x}-{:x}-{modified_ns:x}\"", metadata.ino(), metadata.len());
    fields.insert(ETAG, ascii(&etag));
    // RFC 9110 §8.8.2.1: never later than the Date of the response.
    let last_modified = metadata.modified().ok().map(|modified| modified.min(now));
    if let Some(modified) = last_modified {
        let date = httpdate::fmt_http_date(whole_seconds(modified));
        fields.insert(LAST_MODIFIED, ascii(&date));
    }
    if let Some(max_age) = max_age {
        fields.insert(CACHE_CONTROL, ascii(&format!("max-age={max_age}")));
    }
    let octets = Octets::File(Arc::new(file));
    Representation { octets, size: metadata.len(), fields, last_modified }
}

/// `/dir` becomes `/dir/`, so that relative links in its index work.
fn redirect_to_directory(request: &Request<Incoming>) -> Answer {
    // One leading slash only: two would name another host.
    let path = request.uri().path().trim_start_matches('/');
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    match HeaderValue::from_str(&format!("/{path}/{query}")) {
        Ok(location) => Answer::text(StatusCode::MOVED_PERMANENTLY, "This is a directory.")
            .with(LOCATION, location),
        Err(_) => Answer::text(StatusCode::BAD_REQUEST, "The path is not a URL's."),
    }
}

async fn respond_synthetic(
    target: Target,
    request: Request<Incoming>,
    record: &mut Record,
    caller: &Caller,
) -> Result<Answer, Abandoned> {
    let now = SystemTime::now();
    let (head, mut incoming) = request.into_parts();
    let parameters = match Parameters::parse(head.uri.query().unwrap_or(""), now) {
        Ok(parameters) => parameters,
        Err(message) => return Ok(Answer::text(StatusCode::BAD_REQUEST, &message)),
    };
    if target != Target::Echo {
        record.entry().content_received = receive(&mut incoming).await?;
    }
    if !parameters.delay.is_zero() {
        caller.fate.hold(parameters.delay);
        tokio::time::sleep(parameters.delay).await;
    }
    if let Some(cut) = parameters.abort {
        caller.fate.cut(cut, None);
        record.entry().ending = match cut {
            crate::wire::Cut::Close => Ending::ClosedOnPurpose,
            crate::wire::Cut::Reset => Ending::ResetOnPurpose,
        };
        return Err(Abandoned);
    }
    let Parameters { status, mut fields, last_modified, plan, .. } = parameters;
    fields.insert(HeaderName::from_static("request-method"), ascii(head.method.as_str()));
    fields.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
    let mut answer = match target {
        Target::NoSize => {
            let text = "Write /bytes/SIZE[/NAME], SIZE as 1000, 1K, 64KiB, 1M.";
            return Ok(Answer::text(StatusCode::NOT_FOUND, text));
        }
        Target::Echo => {
            let size = incoming.size_hint().exact();
            let pieces = vec![Piece::Request(incoming)];
            Answer { status: StatusCode::OK, fields, pieces, size, plan: Default::default() }
        }
        Target::Object(size) => {
            if record.entry().content_received > 0 {
                let received = HeaderValue::from(record.entry().content_received);
                fields.insert(HeaderName::from_static("request-content-length"), received);
            }
            let octets = Octets::Synthetic(synthetic::seed(head.uri.path()));
            let representation = Representation { octets, size, fields, last_modified };
            match status {
                // Conditions and ranges are about what a 200 would send.
                None | Some(StatusCode::OK) => {
                    representation.answer(&head.method, &head.headers, now)
                }
                Some(_) => representation.whole(),
            }
        }
    };
    if let Some(status) = status.filter(|_| answer.status == StatusCode::OK) {
        answer.status = status;
    }
    answer.plan = plan;
    Ok(answer)
}

/// Reads the content of a request to its end and counts it.
async fn receive(incoming: &mut Incoming) -> Result<u64, Abandoned> {
    let mut count = 0;
    loop {
        match std::future::poll_fn(|context| Pin::new(&mut *incoming).poll_frame(context)).await {
            None => return Ok(count),
            Some(Ok(frame)) => count += frame.data_ref().map_or(0, |octets| octets.len() as u64),
            // The client's fault or wish; hyper ends the connection.
            Some(Err(_)) => return Err(Abandoned),
        }
    }
}

fn not_allowed(methods: &'static str) -> Answer {
    Answer::text(StatusCode::METHOD_NOT_ALLOWED, "This method is not for this.")
        .with(ALLOW, HeaderValue::from_static(methods))
}

/// The journal's view of a request.
fn entry(request: &Request<Incoming>, caller: &Caller) -> Entry {
    let fields = request.headers();
    let field = |name: HeaderName| {
        let lines: Vec<_> = fields
            .get_all(name)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        (!lines.is_empty()).then(|| bounded(&lines.join(", ")))
    };
    Entry {
        sequence: 0,
        unix_ms: 0,
        connection: caller.connection,
        client: caller.client,
        version: if request.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
        method: bounded(request.method().as_str()),
        target: bounded(&request.uri().to_string()),
        host: field(HOST),
        range: field(RANGE),
        if_none_match: field(IF_NONE_MATCH),
        if_modified_since: field(IF_MODIFIED_SINCE),
        via: field(VIA),
        x_forwarded_for: field(HeaderName::from_static("x-forwarded-for")),
        status: 0,
        content_received: 0,
        content_sent: 0,
        ending: Ending::InProgress,
    }
}

/// At most [`FIELD_OCTETS_MAX`] octets of a text.
fn bounded(text: &str) -> String {
    let mut end = text.len().min(FIELD_OCTETS_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
