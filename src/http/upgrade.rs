//! Connections that are handed over to another protocol, or streams of one.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use hyper::upgrade::OnUpgrade;

use super::open::Open;
use super::quiet::{Quiet, UnderWay};
use super::unread::Unread;

/// What the new owner holds until it is done: with it the connection has its place among those that
/// are open, and the end of the service waits for it.
#[derive(Clone)]
pub(super) struct Handover(Arc<Kept>);

struct Kept {
    unread: Unread,
    _open: Arc<Open>,
    _under_way: Option<UnderWay>,
}

impl Handover {
    /// Goes along with a request whose connection, or stream, can be handed over.
    pub(super) fn offer<B>(
        request: &mut Request<B>,
        (open, unread): (&Arc<Open>, &Unread),
        quiet: Option<&Quiet>,
    ) {
        if request.extensions().get::<OnUpgrade>().is_some() {
            let kept = Kept {
                unread: unread.clone(),
                _open: Arc::clone(open),
                _under_way: quiet.map(Quiet::request),
            };
            request.extensions_mut().insert(Handover(Arc::new(kept)));
        }
    }

    /// How long the client may take for a piece of what it is sent.
    pub(super) fn limit(&self) -> Duration {
        self.0.unread.limit()
    }

    /// Cuts a connection that stays open without it: that of an HTTP/2 stream.
    pub(super) fn cut(&self) {
        self.0.unread.cut();
    }
}
