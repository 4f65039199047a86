//! What a client of librdkafka has to tell: delivery reports, errors, its log.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka::bindings::{
    rd_kafka_queue_cb_event_enable, rd_kafka_queue_destroy, rd_kafka_queue_get_main,
    rd_kafka_queue_length, rd_kafka_queue_t, rd_kafka_t,
};
use tokio::sync::Notify;

/// The queue of what a client has to tell. Whoever serves it is woken by librdkafka's own thread
/// when it is no longer empty, so that no thread of ours has to wait at it. To be dropped before
/// its client.
pub(super) struct Events {
    queue: NonNull<rd_kafka_queue_t>,
    /// What the callback is given a pointer to.
    _served: Arc<Notify>,
}

// SAFETY: librdkafka counts references to a queue and locks it; any thread may use it.
unsafe impl Send for Events {}
// SAFETY: as above.
unsafe impl Sync for Events {}

impl Events {
    /// The queue of a client, which notifies `served` from now on. None when librdkafka has none.
    ///
    /// # Safety
    /// `client` is alive, and remains so for as long as the queue.
    pub(super) unsafe fn of(client: *mut rd_kafka_t, served: &Arc<Notify>) -> Option<Self> {
        let served = Arc::clone(served);
        // SAFETY: the client is alive.
        let queue = NonNull::new(unsafe { rd_kafka_queue_get_main(client) })?;
        let notify = Arc::as_ptr(&served).cast_mut().cast::<c_void>();
        // SAFETY: the queue is ours, and what the callback gets lives until it is disabled.
        unsafe { rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(wake), notify) };
        // What came before nobody was told of.
        served.notify_one();
        Some(Events { queue, _served: served })
    }

    /// Whether there is nothing to serve now. What comes next wakes whoever serves it.
    pub(super) fn is_empty(&self) -> bool {
        // SAFETY: the queue is ours.
        unsafe { rd_kafka_queue_length(self.queue.as_ptr()) == 0 }
    }
}

/// Called by librdkafka, which has the queue locked, when the first event comes into it.
unsafe extern "C" fn wake(_: *mut rd_kafka_t, served: *mut c_void) {
    // SAFETY: it is the pointer from above, and the callback is disabled before that ends.
    unsafe { &*served.cast::<Notify>() }.notify_one();
}

impl Drop for Events {
    fn drop(&mut self) {
        // SAFETY: the queue is ours, and its client is still alive. Disabling waits for a callback
        // that is under way, since both have the queue locked.
        unsafe {
            rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, std::ptr::null_mut());
            rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}
