//! Measurements as a client sees them, from a host of a lab: our own clients, on plain sockets, with the monotonic
//! clock.
//!
//! * [`request`]: what is asked for, and where.
//! * [`fetch`]: one GET at a time; [`stream`]: one for a while; [`crowd`]: many at once.
//! * [`socket`]: what the kernels at both ends say of connections.

pub mod crowd;
pub mod fetch;
pub mod request;
pub mod socket;
pub mod stream;

use super::error::WanError;
use super::host::Host;
use super::keeper::go_first;
use super::lab::Lab;
use super::program::end_of;
use super::scenario::{Connection, FigureName, Kind, Measure};
use fetch::{Fetched, Wire};
use request::Request;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a measured program may take.
const PROGRAM_TIME_MAX: Duration = Duration::from_secs(600);

/// Between two looks whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Between two looks whether to stop, where nothing else is waited for.
const STOP_EVERY: Duration = Duration::from_millis(100);

/// What one measurement found.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Figures; none that a failure leaves without a meaning.
    pub figures: Vec<(FigureName, f64)>,
    /// What went wrong, for each request with which something did.
    pub failures: Vec<String>,
    /// Octets of content that came.
    pub octets: u64,
}

/// Measures the same thing again and again.
#[derive(Debug)]
pub struct Client<'a> {
    measure: &'a Measure,
    host: Host,
    /// `None` for a program.
    request: Option<Request>,
    /// `None` without warming.
    warming: Option<Request>,
    kept: Option<Wire>,
    /// The lab's.
    stop: Arc<AtomicBool>,
}

impl<'a> Client<'a> {
    /// One at its host, which has not done anything yet.
    ///
    /// # Errors
    /// A host that there is not.
    pub fn new(lab: &Lab, measure: &'a Measure) -> Result<Self, WanError> {
        let request = |url| Request::new(lab, url, &measure.fields);
        Ok(Self {
            measure,
            host: lab.host(&measure.from)?.clone(),
            request: measure.kind.url().map(request).transpose()?,
            warming: match measure.warm {
                0 => None,
                _ => measure.warming().map(request).transpose()?,
            },
            kept: None,
            stop: lab.stop(),
        })
    }

    /// Fetches what is to be fetched before: over the connection that is kept if one is, otherwise over new ones.
    ///
    /// # Errors
    /// The first fetch that fails; [`WanError::Stopped`].
    pub fn warm(&mut self) -> Result<(), WanError> {
        let failed = |what: String| WanError::Measurement(format!("warming: {what}"));
        if let (Kind::Fetch { connection: Connection::Kept, .. }, Some(request)) =
            (&self.measure.kind, &self.request)
        {
            let mut wire = self.on_host(|| Wire::connect(request))?.map_err(failed)?;
            // Used once, as if by another measurement.
            wire.get(request).map_err(failed)?;
            self.kept = Some(wire);
        }
        let Some(request) = self.warming.clone() else { return Ok(()) };
        for _ in 0..self.measure.warm {
            stop_of(&self.stop)?;
            match &mut self.kept {
                Some(wire) => wire.get(&request).map_err(failed)?,
                None => self.on_host(|| fetch::once(&request, &mut |_| ()))?.map_err(failed)?,
            };
        }
        Ok(())
    }

    /// Does what comes before a measurement but is no part of it: the first of two objects.
    ///
    /// # Errors
    /// If it fails; [`WanError::Stopped`].
    pub fn prepare(&mut self) -> Result<Vec<(FigureName, f64)>, WanError> {
        let Kind::Fetch { connection: Connection::Idle(pause), .. } = &self.measure.kind else {
            return Ok(Vec::new());
        };
        let Some(request) = &self.request else { return Ok(Vec::new()) };
        let failed = |what: String| WanError::Measurement(format!("the first object: {what}"));
        let mut wire = self.on_host(|| Wire::connect(request))?.map_err(failed)?;
        let first = wire.get(request).map_err(failed)?;
        self.kept = Some(wire);
        let until = Instant::now() + *pause;
        while Instant::now() < until {
            stop_of(&self.stop)?;
            std::thread::sleep(STOP_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(vec![(FigureName::First, ms(first.last_byte))])
    }

    /// Measures once. `before_close` is called when all has come and the connection still is there.
    ///
    /// # Errors
    /// When the operating system refuses something; [`WanError::Stopped`]. What goes wrong with a request is in the
    /// reading.
    pub fn measure(
        &mut self,
        lab: &Lab,
        before_close: &mut (dyn FnMut() + Send),
    ) -> Result<Reading, WanError> {
        let Some(request) = self.request.clone() else { return self.program(lab) };
        let stop = Arc::clone(&self.stop);
        let reading = match &self.measure.kind {
            Kind::Fetch { connection: Connection::New, .. } => {
                let fetched = self.on_host(|| fetch::once(&request, &mut |_| before_close()))?;
                Ok(of_fetch(fetched))
            }
            Kind::Fetch { connection: Connection::Kept | Connection::Idle(_), .. } => {
                Ok(self.over_kept(&request, before_close))
            }
            Kind::Crowd { clients, within, wait, .. } => {
                self.on_host(|| crowd::measure(&request, *clients, *within, *wait, &stop))?
            }
            Kind::Stream { time, .. } => {
                let time = *time;
                self.on_host(|| stream::measure(&request, time, &stop, before_close))
            }
            Kind::Connect { .. } => {
                let wire = self.on_host(|| Wire::connect(&request))?;
                before_close();
                Ok(match wire {
                    Ok(wire) => Reading {
                        figures: vec![(FigureName::Connect, ms(wire.connect))],
                        ..Reading::default()
                    },
                    Err(what) => Reading { failures: vec![what], ..Reading::default() },
                })
            }
            Kind::Program { .. } => self.program(lab),
        };
        // What ended for this reason is no reading.
        stop_of(&self.stop)?;
        reading
    }

    /// A connection on which a request fails is kept no longer, and there is no other: one without its past would not
    /// be what is measured.
    fn over_kept(&mut self, request: &Request, before_close: &mut dyn FnMut()) -> Reading {
        let Some(mut wire) = self.kept.take() else {
            return of_fetch(Err("the connection that was kept has ended".to_owned()));
        };
        let fetched = self.get(&mut wire, request);
        if fetched.is_ok() {
            before_close();
            if matches!(self.measure.kind, Kind::Fetch { connection: Connection::Kept, .. }) {
                self.kept = Some(wire);
            }
        }
        of_fetch(fetched)
    }

    /// On a connection that is there, by a thread like those that make new ones.
    fn get(&self, wire: &mut Wire, request: &Request) -> Result<Fetched, String> {
        self.on_host(|| wire.get(request)).map_err(|error| error.to_string())?
    }

    fn program(&self, lab: &Lab) -> Result<Reading, WanError> {
        let Kind::Program { run } = &self.measure.kind else { return Ok(Reading::default()) };
        let mut command = lab.command(run)?;
        // A file without a name.
        let said = tempfile::tempfile().map_err(WanError::io("a file for what a program says"))?;
        for set in [Command::stdout, Command::stderr] {
            set(&mut command, said.try_clone().map_err(WanError::io(run))?);
        }
        let began = Instant::now();
        let mut process = lab.spawn(&self.measure.from, command)?;
        let mut reading = Reading::default();
        let failed = |what: String| format!("{run}: {what}; it said:\n{}", end_of(&said));
        loop {
            match process.try_wait().map_err(WanError::io(run))? {
                Some(status) if status.success() => {
                    reading.figures.push((FigureName::Time, ms(began.elapsed())));
                    return Ok(reading);
                }
                Some(status) => {
                    reading.failures.push(failed(status.to_string()));
                    return Ok(reading);
                }
                None if began.elapsed() > PROGRAM_TIME_MAX => {
                    reading.failures.push(failed(format!("not ended in {PROGRAM_TIME_MAX:?}")));
                    return Ok(reading);
                }
                None => {
                    stop_of(&self.stop)?;
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        }
    }

    fn on_host<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, WanError> {
        // On a thread of its own.
        let entered = self.host.namespace.run(|| {
            go_first();
            Ok(work())
        });
        entered.map_err(WanError::io(format!("host {}", self.host.name)))
    }
}

fn stop_of(stop: &AtomicBool) -> Result<(), WanError> {
    if stop.load(Ordering::Relaxed) { Err(WanError::Stopped) } else { Ok(()) }
}

fn of_fetch(fetched: Result<Fetched, String>) -> Reading {
    match fetched {
        Ok(it) => {
            let connect = it.connect.map(|time| (FigureName::Connect, ms(time)));
            let others = [
                (FigureName::FirstByte, ms(it.first_byte)),
                (FigureName::LastByte, ms(it.last_byte)),
            ];
            Reading {
                figures: connect.into_iter().chain(others).collect(),
                failures: Vec::new(),
                octets: it.octets,
            }
        }
        Err(what) => Reading { failures: vec![what], ..Reading::default() },
    }
}

/// In milliseconds.
pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
