//! Accepting connections, on each core from a listener of its own.

use crate::connection::serve;
use crate::io::clock::TICK;
use crate::io::machine::Machine;
use crate::worker::Worker;
use std::rc::Rc;

/// Accepts until the edge drains. At the limit of connections more are left in the listen queue.
pub(crate) async fn accept_all<M: Machine>(worker: Rc<Worker<M>>, listener: M::Listener) {
    while !worker.shared.is_draining() {
        if !worker.shared.connection_begins() {
            worker.io.sleep(TICK).await;
            continue;
        }
        match worker.io.accept(&listener).await {
            Ok((stream, peer)) => {
                worker.counters().connections_accepted.increment();
                let worker = Rc::clone(&worker);
                worker.io.clone().spawn(async move {
                    serve(Rc::clone(&worker), stream, peer).await;
                    worker.shared.connection_ended();
                });
            }
            Err(_) => {
                worker.shared.connection_ended();
                if !worker.shared.is_draining() {
                    // For want of descriptors or memory, or a client that was gone at once.
                    worker.counters().accept_errors.increment();
                    worker.io.sleep(TICK).await;
                }
            }
        }
    }
}
