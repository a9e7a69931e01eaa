//! What the figures mean for the goals.

use super::Cell;
use crate::goal::{Against, Goal};
use crate::metric::Metric;
use crate::peer::Peer;
use serde::Serialize;

/// A goal of a case that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoalFound {
    /// Name of the case.
    pub case: &'static str,
    /// The figure it is about.
    pub metric: Metric,
    /// What is asked for, in words.
    pub goal: String,
    /// The same as a number.
    pub bound: f64,
    /// What was found: a figure, or a quotient of two; `None` when one of them is missing.
    pub found: Option<f64>,
    /// Whether that reaches the goal.
    pub reached: Option<bool>,
    /// The figure as it is told.
    #[serde(skip)]
    pub told: String,
    #[serde(skip)]
    pub(super) source: Goal,
}

/// Those of `goals` whose cases are among `cells`.
pub(super) fn found(goals: &[Goal], cells: &[Cell]) -> Vec<GoalFound> {
    let figure = |metric: Metric| {
        move |case: &str, peer: Peer| {
            let cell = cells.iter().find(|cell| cell.case == case && cell.peer == peer)?;
            cell.figures.as_ref()?.median(metric)
        }
    };
    let measured = |goal: &&Goal| cells.iter().any(|cell| cell.case == goal.case);
    goals
        .iter()
        .filter(measured)
        .map(|goal| {
            let found = goal.quotient(figure(goal.metric));
            let told = match (found, goal.against) {
                (None, _) => "-".to_owned(),
                (Some(found), Against::Itself) => goal.metric.told(found),
                (Some(found), Against::Peer(_) | Against::Best(_) | Against::Case(_)) => {
                    format!("{found:.2}")
                }
            };
            GoalFound {
                case: goal.case,
                metric: goal.metric,
                goal: goal.words(),
                bound: goal.value(),
                found,
                reached: found.map(|found| goal.is_reached(found)),
                told,
                source: *goal,
            }
        })
        .collect()
}

impl GoalFound {
    /// `reached`, `missed`, or `not measured`.
    pub(super) fn verdict(&self) -> &'static str {
        match self.reached {
            Some(true) => "reached",
            Some(false) => "missed",
            None => "not measured",
        }
    }

    /// The figure of lastmile that would just reach it, when it is of `metric`, and what it is measured by.
    pub(super) fn mark(&self, metric: Metric, cells: &[Cell]) -> Option<f64> {
        if self.metric != metric {
            return None;
        }
        let of = |peer: Peer| {
            let cell = cells.iter().find(|cell| cell.case == self.case && cell.peer == peer)?;
            cell.figures.as_ref()?.median(metric)
        };
        let by = match self.source.against {
            Against::Itself => 1.0,
            Against::Peer(peer) => of(peer)?,
            Against::Best(peers) => peers.iter().filter_map(|peer| of(*peer)).reduce(f64::min)?,
            Against::Case(_) => {
                // By another case's figure, which is the quotient's denominator.
                of(Peer::Lastmile)? / self.found?
            }
        };
        Some(self.bound * by)
    }
}
