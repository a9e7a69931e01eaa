//! Metrics of routes. Of a prefix that has no route of its own, what the route says that leads there.

use super::{Reading, is, may_administer, unreadable};
use crate::knobs::RouteMetric;
use crate::route::{Metrics, Prefix, Route, list};
use std::io;
use std::time::Duration;

/// The prefixes that are meant: `wanted`, or the default routes that there are, and `more`.
pub(super) fn instances(wanted: &[Prefix], more: &[Prefix]) -> Vec<String> {
    let mut meant = if wanted.is_empty() { defaults() } else { wanted.to_vec() };
    let unmeant: Vec<_> = more.iter().filter(|prefix| !meant.contains(prefix)).collect();
    meant.extend(unmeant);
    meant.iter().map(ToString::to_string).collect()
}

fn defaults() -> Vec<Prefix> {
    let mut defaults: Vec<Prefix> = list()
        .unwrap_or_default()
        .iter()
        .map(Route::destination)
        .filter(|prefix| prefix.bits() == 0)
        .collect();
    defaults.sort_unstable();
    defaults.dedup();
    defaults
}

pub(super) fn read(metric: RouteMetric, instance: &str) -> Reading {
    let found = prefix(instance).and_then(|prefix| Ok((prefix, list()?)));
    let (prefix, routes) = match found {
        Ok(found) => found,
        Err(error) => return unreadable(&error),
    };
    let Some(route) = leading_to(&routes, prefix) else {
        return Reading::Absent(format!("no route leads to {prefix}"));
    };
    if let Some(why) = route.obstacle() {
        return Reading::Absent(format!("{}: {why}", route.destination()));
    }
    let is_own = route.destination() == prefix;
    let text = match metric {
        RouteMetric::Own => if is_own { "yes" } else { "no" }.to_owned(),
        metric => shown(metric, &route.metrics()),
    };
    is(text, may_administer())
}

pub(super) fn write(metric: RouteMetric, instance: &str, value: &str) -> io::Result<()> {
    let prefix = prefix(instance)?;
    let routes = list()?;
    let route = leading_to(&routes, prefix)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no route to {prefix}")))?;
    if let Some(why) = route.obstacle() {
        let why = format!("{}: {why}", route.destination());
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let is_own = route.destination() == prefix;
    match (metric, value) {
        (RouteMetric::Own, "no") if is_own => route.remove(),
        (RouteMetric::Own, "no") => Ok(()),
        (RouteMetric::Own, _) if is_own => Ok(()),
        (RouteMetric::Own, _) => route.clone().narrowed(prefix).replace(),
        _ if !is_own => {
            let why = format!("{prefix} has no route of its own");
            Err(io::Error::new(io::ErrorKind::NotFound, why))
        }
        (metric, value) => {
            let metrics = changed(metric, route.metrics(), value)?;
            route.clone().with(&metrics).replace()
        }
    }
}

/// The route for exactly this prefix, or else the longest around it; the first of several, which the kernel prefers.
fn leading_to(routes: &[Route], prefix: Prefix) -> Option<&Route> {
    let contains = |route: &&Route| {
        let wider = route.destination();
        wider.address().is_ipv4() == prefix.address().is_ipv4()
            && wider.bits() <= prefix.bits()
            && Prefix::new(prefix.address(), wider.bits()) == Some(wider)
    };
    // Of equals, `max_by_key` takes the last.
    routes.iter().rev().filter(contains).max_by_key(|route| route.destination().bits())
}

fn shown(metric: RouteMetric, metrics: &Metrics) -> String {
    let number = |value: Option<u32>| value.unwrap_or(0).to_string();
    match metric {
        RouteMetric::Own => String::new(),
        RouteMetric::Initcwnd => number(metrics.initcwnd),
        RouteMetric::Initrwnd => number(metrics.initrwnd),
        RouteMetric::RtoMin => metrics.rto_min.map_or(0, |time| time.as_millis()).to_string(),
        RouteMetric::Congestion => metrics.congestion.clone().unwrap_or_else(|| "none".to_owned()),
        RouteMetric::QuickAck => number(metrics.quick_ack.map(u32::from)),
    }
}

fn changed(metric: RouteMetric, mut metrics: Metrics, value: &str) -> io::Result<Metrics> {
    let number = || {
        let number: Result<u32, _> = value.parse();
        number.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    };
    // The kernel knows no metric of 0: it is the same as none.
    let some = |number: u32| (number > 0).then_some(number);
    match metric {
        RouteMetric::Own => {}
        RouteMetric::Initcwnd => metrics.initcwnd = some(number()?),
        RouteMetric::Initrwnd => metrics.initrwnd = some(number()?),
        RouteMetric::RtoMin => {
            metrics.rto_min = some(number()?).map(|ms| Duration::from_millis(ms.into()));
        }
        RouteMetric::Congestion => {
            metrics.congestion = (value != "none").then(|| value.to_owned());
        }
        RouteMetric::QuickAck => metrics.quick_ack = some(number()?).map(|_| true),
    }
    Ok(metrics)
}

fn prefix(instance: &str) -> io::Result<Prefix> {
    instance.parse().map_err(|error: String| io::Error::new(io::ErrorKind::InvalidInput, error))
}
