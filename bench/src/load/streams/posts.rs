//! Events that are posted while others follow, at a fixed rate.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Result, anyhow};
use tokio::task::LocalSet;

use super::{Shared, Streams};
use crate::load::connection::Connection;
use crate::load::pace::Pace;
use crate::load::{Template, write_digits};

const CONNECTIONS: u64 = 16;
const PAYLOAD: usize = 500;

/// What became of the posts.
#[derive(Default)]
pub struct Posted {
    pub acknowledged: u64,
    /// By status; 0 for a connection that broke.
    pub failed: BTreeMap<u16, u64>,
    /// Those that were due and never sent.
    pub unsent: u64,
}

pub struct Posts {
    poster: JoinHandle<Result<Posted>>,
    pacer: JoinHandle<u64>,
}

/// Posts until the window ends.
pub fn start(streams: &Streams, shared: &Arc<Shared>, pace: Pace) -> Posts {
    let end = shared.window.get().map_or_else(Instant::now, |window| window.end);
    let (streams, shared, own_pace) = (streams.clone(), Arc::clone(shared), pace.clone());
    Posts {
        poster: std::thread::spawn(move || run(streams, shared, own_pace)),
        pacer: std::thread::spawn(move || {
            pace.run(end);
            pace.unsent() as u64
        }),
    }
}

impl Posts {
    pub fn join(self) -> Result<Posted> {
        let unsent = self.pacer.join().map_err(|_| anyhow!("the pacer panicked"))?;
        let posted = self.poster.join().map_err(|_| anyhow!("the poster panicked"))??;
        Ok(Posted { unsent, ..posted })
    }
}

fn run(streams: Streams, shared: Arc<Shared>, pace: Pace) -> Result<Posted> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let streams = Rc::new(streams);
    let posters: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let (shared, pace) = (Arc::clone(&shared), pace.clone());
            let poster = Poster::new(Rc::clone(&streams), shared, number);
            local.spawn_local(poster.post(pace))
        })
        .collect();
    runtime.block_on(local.run_until(async {
        let mut all = Posted::default();
        for poster in posters {
            let posted = poster.await?;
            all.acknowledged += posted.acknowledged;
            for (status, count) in posted.failed {
                *all.failed.entry(status).or_default() += count;
            }
        }
        Ok(all)
    }))
}

/// One connection.
struct Poster {
    streams: Rc<Streams>,
    shared: Arc<Shared>,
    template: Template,
    head: String,
    next: u64,
    posted: Posted,
}

impl Poster {
    fn new(streams: Rc<Streams>, shared: Arc<Shared>, number: u64) -> Self {
        let template = Template::new(PAYLOAD, true);
        let head = format!(
            "POST /events HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            streams.target,
            template.json.len()
        );
        Poster { streams, shared, template, head, next: number, posted: Posted::default() }
    }

    async fn post(mut self, pace: Pace) -> Posted {
        while let Ok(mut connection) = Connection::open(&self.streams.target).await {
            match self.post_on(&mut connection, &pace).await {
                Ok(()) => return self.posted,
                Err(_) => *self.posted.failed.entry(0).or_default() += 1,
            }
        }
        self.posted
    }

    async fn post_on(&mut self, connection: &mut Connection, pace: &Pace) -> Result<()> {
        while let Some(due) = pace.next().await {
            let request = self.request(due);
            match connection.ask(&request).await? {
                200 | 201 => self.posted.acknowledged += 1,
                status => *self.posted.failed.entry(status).or_default() += 1,
            }
        }
        Ok(())
    }

    /// Each source is as often as any other.
    fn request(&mut self, due: Instant) -> Vec<u8> {
        let head = self.head.len();
        let mut request = [self.head.as_bytes(), self.template.json.as_bytes()].concat();
        let event = &mut request[head..];
        if let Some(digits) = self.template.id_digits.clone() {
            self.shared.clock.stamp(&mut event[digits], due, self.next);
        }
        let source = self.next % self.streams.sources;
        write_digits(&mut event[self.template.source_digits.clone()], source, 10);
        self.next += CONNECTIONS;
        request
    }
}
