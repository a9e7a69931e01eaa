//! What tables that were read again take over from those before them, and how those go.

use crate::answer::Tables;
use crate::steer::{Edge, Policy};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How often, and how long after each other, it is looked whether a worker still has tables that are in place no more.
const RETIRE_LOOKS_MAX: usize = 100;
const RETIRE_LOOK: Duration = Duration::from_millis(1);

/// What regions take goes on; what is not balanced any more takes all that comes.
pub(crate) fn keep_parts(before: &Policy, after: &mut Policy) {
    if after.edges.iter().all(|edge| edge.check.is_none()) {
        return;
    }
    let known: HashMap<_, _> = before.regions.iter().map(|it| (&it.name, &it.state)).collect();
    for region in &mut after.regions {
        if let Some(state) = known.get(&region.name) {
            region.state = Arc::clone(state);
        }
    }
}

/// Whether what is known of one edge is true of the other: they are asked the same.
pub(crate) fn same_place(one: &Edge, other: &Edge) -> bool {
    let place = |edge: &Edge| edge.check.as_ref().map(|it| (it.address, it.target.clone()));
    place(one) == place(other)
}

/// Frees tables that are in place no more. Not a worker shall do that, which would let queries wait meanwhile: so it
/// is seen to that none has them. One that has, has them for a batch; a transfer may take long, and is left behind.
pub(crate) fn retire(tables: Arc<Tables>) {
    for _ in 0..RETIRE_LOOKS_MAX {
        if Arc::strong_count(&tables) == 1 {
            break;
        }
        thread::sleep(RETIRE_LOOK);
    }
    drop(tables);
}

/// The edges of `before` whose state `after` does not have, and how often it had changed.
pub(crate) fn given_up(before: &Policy, after: &Policy) -> Vec<(Box<str>, u64)> {
    let goes_on: HashSet<_> = after.edges.iter().map(|edge| Arc::as_ptr(&edge.state)).collect();
    let gone = before.edges.iter().filter(|edge| !goes_on.contains(&Arc::as_ptr(&edge.state)));
    gone.map(|edge| (edge.name.clone(), edge.state.changes())).collect()
}
