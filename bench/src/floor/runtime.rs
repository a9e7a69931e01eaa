//! The floor on monoio, with rings as the edge has them.

use super::answers::{Answers, Matched};
use crate::error::BenchError;
use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};
use monoio::net::{TcpListener, TcpStream};
use std::io;
use std::sync::mpsc::SyncSender;

/// Entries of the submission queue, as the edge has them.
const RING_ENTRIES: u32 = 4096;

/// Octets of a receive buffer: a few dozen pipelined requests.
const BUFFER_OCTETS: usize = 4096;

/// Serves for ever.
///
/// # Errors
/// When there is no ring to be had.
pub(super) fn run(
    listener: &std::net::TcpListener,
    answers: &Answers,
    ready: &SyncSender<Result<(), BenchError>>,
) -> io::Result<()> {
    let mut flags = uring_of_monoio::IoUring::builder();
    flags.setup_single_issuer().setup_coop_taskrun().setup_taskrun_flag();
    let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
        .with_entries(RING_ENTRIES)
        .uring_builder(flags)
        .build()?;
    // They are sent by reference and for ever.
    let answers: &'static Answers = Box::leak(Box::new(answers.clone()));
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener.try_clone()?)?;
        let _ = ready.send(Ok(()));
        loop {
            // Out of descriptors: those that wait are accepted when others have gone.
            if let Ok((stream, _)) = listener.accept().await {
                monoio::spawn(serve(stream, answers));
            }
        }
    })
}

async fn serve(mut stream: TcpStream, answers: &'static Answers) {
    let mut matched = Matched::default();
    let mut buffer = Vec::with_capacity(BUFFER_OCTETS);
    loop {
        let (received, filled) = stream.read(buffer).await;
        buffer = filled;
        let Ok(1..) = received else { return };
        let asked = answers.asked(&mut matched, &buffer);
        for part in answers.parts(asked) {
            let (sent, _) = stream.write_all(&answers.octets()[part]).await;
            if sent.is_err() {
                return;
            }
        }
        if asked.close {
            return;
        }
        buffer.clear();
    }
}
