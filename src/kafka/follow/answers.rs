//! Commits with answers. `rdkafka` tells its context of none that was made without waiting: it
//! subscribes to events, and librdkafka makes these for a callback only that nobody can set there.

use std::ptr::NonNull;

use rdkafka::TopicPartitionList;
use rdkafka::bindings::{
    rd_kafka_commit_queue, rd_kafka_event_destroy, rd_kafka_event_error, rd_kafka_event_t,
    rd_kafka_event_topic_partition_list, rd_kafka_queue_destroy, rd_kafka_queue_new,
    rd_kafka_queue_poll, rd_kafka_queue_t, rd_kafka_resp_err_t, rd_kafka_t,
};
use rdkafka::error::RDKafkaErrorCode;

/// Where the answers to commits come in. To be dropped before its client, or never.
pub(super) struct Answers(NonNull<rd_kafka_queue_t>);

// SAFETY: librdkafka locks its queues; any thread may use one.
unsafe impl Send for Answers {}

/// The offsets that were committed, by partition, or why none was.
pub(super) type Answer = Result<Vec<(i32, i64)>, RDKafkaErrorCode>;

impl Answers {
    /// For the commits of one client. None when there is no memory.
    ///
    /// # Safety
    /// `client` is alive, and remains so for as long as this value.
    pub(super) unsafe fn of(client: *mut rd_kafka_t) -> Option<Self> {
        // SAFETY: the client is alive.
        NonNull::new(unsafe { rd_kafka_queue_new(client) }).map(Answers)
    }

    /// Begins to commit.
    ///
    /// # Safety
    /// `client` is the one that this value was made for.
    pub(super) unsafe fn commit(
        &self,
        client: *mut rd_kafka_t,
        offsets: &TopicPartitionList,
    ) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: all three are alive, and the offsets are copied.
        let error = unsafe {
            let (offsets, none) = (offsets.ptr(), std::ptr::null_mut());
            rd_kafka_commit_queue(client, offsets, self.0.as_ptr(), None, none)
        };
        if error == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            Ok(())
        } else {
            Err(error.into())
        }
    }

    /// The next answer, if one is there.
    pub(super) fn next(&self) -> Option<Answer> {
        // SAFETY: the queue is ours.
        let event = NonNull::new(unsafe { rd_kafka_queue_poll(self.0.as_ptr(), 0) })?;
        // SAFETY: the event is ours, and is not used after it is destroyed.
        unsafe {
            let answer = read(event.as_ptr());
            rd_kafka_event_destroy(event.as_ptr());
            Some(answer)
        }
    }
}

/// # Safety
/// The event is alive.
unsafe fn read(event: *mut rd_kafka_event_t) -> Answer {
    let none = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    // SAFETY: the event is alive, and so are its offsets.
    let (error, list) = unsafe {
        (rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event).as_ref())
    };
    if error != none {
        return Err(error.into());
    }
    let Some(list) = list else { return Ok(Vec::new()) };
    let count = usize::try_from(list.cnt).unwrap_or_default();
    // SAFETY: the list has so many elements.
    let elements = (0..count).map(|index| unsafe { &*list.elems.add(index) });
    Ok(elements.filter(|e| e.err == none).map(|e| (e.partition, e.offset)).collect())
}

impl Drop for Answers {
    fn drop(&mut self) {
        // SAFETY: the queue is ours, and its client is still alive.
        unsafe { rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}
