//! The subscriptions of one connection. Each that has something has its turn, one item at a time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::{AbortHandle, ready};
use futures_util::stream::{self, SelectAll};
use futures_util::{FutureExt, Stream, StreamExt};

use super::super::asked::{self, Limits};
use super::requests::{Refused, impossible};
use crate::live::{Form, Hub, Item, Refusal, Request, Seat};
use crate::reader::Reader;

/// What has come of a subscription.
pub(super) struct News {
    pub(super) name: Arc<str>,
    pub(super) form: Form,
    pub(super) item: Result<Item, Refusal>,
}

pub(super) struct Follows {
    seat: Seat,
    reader: Reader,
    live: Hub,
    open: HashMap<Arc<str>, Open>,
    streams: SelectAll<Pin<Box<dyn Stream<Item = News> + Send>>>,
}

struct Open {
    ends: AbortHandle,
    /// How many sources it names.
    sources: usize,
}

impl Follows {
    pub(super) fn new(seat: Seat, reader: Reader, live: Hub) -> Self {
        Follows { seat, reader, live, open: HashMap::new(), streams: SelectAll::new() }
    }

    /// What may be asked for.
    pub(super) fn limits(&self) -> Limits<'_> {
        Limits::of(&self.live, &self.reader)
    }

    /// Begins a subscription.
    pub(super) fn add(&mut self, name: String, request: Request) -> Result<(), Refused> {
        let form = request.form;
        let sources = asked::names(&request.selection);
        if let Some((member, detail)) = self.refusal(&name, sources) {
            return Err(impossible(name, member, detail));
        }
        let name: Arc<str> = name.into();
        let told = Arc::clone(&name);
        let items = items(self.seat.clone(), self.reader.clone(), request);
        let news = items.map(move |item| News { name: Arc::clone(&told), form, item });
        let (news, ends) = stream::abortable(news);
        self.streams.push(Box::pin(news));
        self.open.insert(name, Open { ends, sources });
        Ok(())
    }

    /// Ends a subscription: nothing of it comes any more.
    pub(super) fn remove(&mut self, name: String) -> Result<String, Refused> {
        match self.open.remove(name.as_str()) {
            Some(open) => {
                open.ends.abort();
                Ok(name)
            }
            None => {
                let detail = "is the name of none that is open".to_owned();
                Err(impossible(name, "subscription", detail))
            }
        }
    }

    /// What has come; waits for it. None when nothing is followed.
    pub(super) async fn next(&mut self) -> Option<News> {
        let news = self.streams.next().await?;
        if news.item.is_err() {
            self.open.remove(&news.name);
        }
        Some(news)
    }

    /// What has come already.
    pub(super) fn more(&mut self) -> Option<News> {
        self.next().now_or_never().flatten()
    }

    fn refusal(&self, name: &str, sources: usize) -> Option<(&'static str, String)> {
        let limits = self.live.settings();
        let (most, most_sources) = (limits.subscriptions, limits.sources);
        let taken: usize = self.open.values().map(|open| open.sources).sum();
        if self.open.contains_key(name) {
            return Some(("subscription", "is open already; unsubscribe it first".to_owned()));
        }
        if self.open.len() >= most {
            let detail =
                format!("is one more than the {most} of a connection; follow more with one");
            return Some(("subscription", detail));
        }
        (taken + sources > most_sources).then(|| {
            let left = most_sources - taken;
            let detail = format!(
                "names {sources}, and {left} of {most_sources} are left on this connection; follow \
                 a whole source_type, or open another one"
            );
            ("sources", detail)
        })
    }
}

/// All that a subscription brings, or why there is none.
fn items(
    seat: Seat,
    reader: Reader,
    request: Request,
) -> impl Stream<Item = Result<Item, Refusal>> + Send {
    let begun = async move { seat.subscribe(&reader, request).await };
    stream::once(begun).flat_map(|begun| match begun {
        Ok(subscription) => stream::unfold(subscription, |mut subscription| async move {
            let item = subscription.next().await?;
            Some((Ok(item), subscription))
        })
        .left_stream(),
        Err(refusal) => stream::once(ready(Err(refusal))).right_stream(),
    })
}
