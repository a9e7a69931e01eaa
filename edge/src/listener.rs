//! Accepting connections, on each core from a listener of its own.

use crate::connection::serve;
use crate::io::clock::TICK;
use crate::io::machine::Machine;
use crate::worker::Shared;
use crate::worker::Worker;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::rc::Rc;
use std::sync::Arc;

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
                let serving = serve(Rc::clone(&worker), stream, peer);
                let shared = Arc::clone(&worker.shared);
                worker.io.spawn(Counted { serving, shared });
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

pin_project_lite::pin_project! {
    /// A connection that is counted until it ends. By hand, since an `async` block has room for what it awaits twice.
    struct Counted<F> {
        #[pin]
        serving: F,
        shared: Arc<Shared>,
    }
}

impl<F: Future<Output = ()>> Future for Counted<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        ready!(this.serving.poll(context));
        this.shared.connection_ended();
        Poll::Ready(())
    }
}
