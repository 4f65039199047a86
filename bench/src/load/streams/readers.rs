//! Those who follow, on two threads.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, bail, ensure};
use memchr::memmem;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;

use super::blocks::Blocks;
use super::{Shared, Streams};
use crate::load::questions::get;
use crate::load::tally::{SharedTally, Tally};

const THREADS: u64 = 2;
/// Streams that a thread opens at one time.
const OPENED_AT_ONCE: usize = 64;
const SCRATCH: usize = 64 * 1024;
const READY: &[u8] = b"event: ready";
/// How answers begin that are not 200.
const REFUSED: [&[u8]; 2] = [b"HTTP/1.1 4", b"HTTP/1.1 5"];

pub struct Readers {
    threads: Vec<JoinHandle<Result<Tally>>>,
    stop: watch::Sender<bool>,
}

/// What the subscribers of a thread share.
#[derive(Clone)]
struct Common {
    streams: Rc<Streams>,
    shared: Arc<Shared>,
    tally: SharedTally,
    opening: Rc<Semaphore>,
    /// What is read goes through it: a buffer each would be more memory than what is measured.
    scratch: Rc<RefCell<Vec<u8>>>,
}

impl Readers {
    pub fn start(streams: &Streams, shared: &Arc<Shared>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let start = |thread| {
            let (streams, shared, stopped) = (streams.clone(), Arc::clone(shared), stopped.clone());
            std::thread::spawn(move || run_thread(streams, shared, thread, stopped))
        };
        Readers { threads: (0..THREADS).map(start).collect(), stop }
    }

    /// Closes all streams.
    pub fn stop(self) -> Result<Tally> {
        self.stop.send_replace(true);
        let mut tally = Tally::new();
        for thread in self.threads {
            tally.add(&thread.join().map_err(|_| anyhow!("a reader panicked"))??);
        }
        Ok(tally)
    }
}

fn run_thread(
    streams: Streams,
    shared: Arc<Shared>,
    thread: u64,
    mut stopped: watch::Receiver<bool>,
) -> Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let subscribers = streams.subscribers;
    let common = Common {
        streams: Rc::new(streams),
        shared,
        tally: SharedTally::default(),
        opening: Rc::new(Semaphore::new(OPENED_AT_ONCE)),
        scratch: Rc::new(RefCell::new(vec![0; SCRATCH])),
    };
    for number in (thread..subscribers).step_by(THREADS as usize) {
        let common = common.clone();
        local.spawn_local(async move {
            // A stream that ends before it is told to is one that fails.
            if follow(&common, number).await.is_err() {
                common.tally.failed(0);
            }
        });
    }
    runtime.block_on(local.run_until(stopped.wait_for(|stop| *stop)))?;
    drop(local);
    Ok(common.tally.take())
}

/// Follows one source until the thread drops it.
async fn follow(common: &Common, number: u64) -> Result<()> {
    let mut opening = Some(common.opening.acquire().await?);
    let stream = common.ask(number).await?;
    let mut follower = Follower { is_ready: false, missed: common.streams.missed, is_open: false };
    let mut blocks = Blocks::default();
    loop {
        stream.readable().await?;
        let scratch = &mut *common.scratch.borrow_mut();
        let length = match stream.try_read(scratch) {
            Ok(0) => bail!("the stream ended"),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        let piece = &scratch[..length];
        ensure!(
            follower.is_open || !REFUSED.iter().any(|head| piece.starts_with(head)),
            "the stream is refused"
        );
        blocks.take(piece, |block| common.see(block, &mut follower));
        if follower.is_open {
            // The next one may open.
            drop(opening.take());
        }
    }
}

/// How far a stream is.
struct Follower {
    is_ready: bool,
    missed: u64,
    is_open: bool,
}

impl Common {
    async fn ask(&self, number: u64) -> Result<TcpStream> {
        let streams = &self.streams;
        let mut stream = TcpStream::connect(&streams.target).await.context("cannot connect")?;
        let source = number % streams.sources;
        let after = streams.after.as_ref().map(|after| format!("&after={after}"));
        let path = format!(
            "/events/stream?source_type=user&source_id=u-{source:04}{}",
            after.unwrap_or_default()
        );
        stream.write_all(&get(&path, &streams.target, "text/event-stream")).await?;
        Ok(stream)
    }

    fn see(&self, block: &[u8], follower: &mut Follower) {
        if let Some(posted) = self.shared.clock.read(block) {
            if follower.is_open {
                self.shared.delivered.fetch_add(1, Ordering::Relaxed);
                if let Some(window) = self.shared.window.get() {
                    self.tally.stored(1, posted, *window);
                }
            } else {
                follower.missed = follower.missed.saturating_sub(1);
            }
        } else if memmem::find(block, READY).is_some() {
            follower.is_ready = true;
        }
        if !follower.is_open && follower.is_ready && follower.missed == 0 {
            follower.is_open = true;
            self.shared.open.fetch_add(1, Ordering::Relaxed);
        }
    }
}
