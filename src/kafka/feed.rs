//! Partitions that are being read, all into one queue.
//!
//! librdkafka's simple consumer, by its own functions: a partition starts and stops at any offset
//! without a group, without an assignment of all others, and without a wait. (`rdkafka` offers
//! `assign`, which aborts the process when it is called again and again, librdkafka's issue 5573,
//! and `seek`, which may take a second.)

use std::collections::BTreeSet;
use std::ptr::{NonNull, null_mut};
use std::time::Duration;

use rdkafka::bindings::{
    RD_KAFKA_OFFSET_BEGINNING, RD_KAFKA_OFFSET_TAIL_BASE, rd_kafka_consume_batch_queue,
    rd_kafka_consume_start_queue, rd_kafka_consume_stop, rd_kafka_last_error, rd_kafka_message_t,
    rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_t, rd_kafka_resp_err_t as RespErr,
};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;

use super::candidate::Candidate;
use super::consumer::{LogConsumer, Unavailable};
use super::log_record::LogRecord;
use super::raw::RawMessage;
use super::stored::StoredEvent;
use crate::event::{Selection, Source};

/// How many records are taken from the queue in one go.
const BATCH: usize = 1000;

/// Where the reading of a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At an offset.
    Offset(i64),
    /// Where the log begins.
    Beginning,
    /// So many records before the end; at most at offset 0, which the log may no longer have.
    Last(i32),
}

/// Something of a partition that is being read.
pub enum Item<'m> {
    /// The next record.
    Record(LogItem<'m>),
    /// There is nothing more yet; what comes next will have this offset, or a later one.
    End {
        /// The partition.
        partition: i32,
        /// Where it ends.
        offset: i64,
    },
    /// The log does not have this offset: it begins later, or ends before. Nothing more comes of
    /// the partition before it is started anew. It may be the answer to an earlier start.
    OutOfRange {
        /// The partition.
        partition: i32,
    },
    /// The partition cannot be read.
    Failed {
        /// The partition.
        partition: i32,
        /// Why, in librdkafka's words.
        why: String,
    },
}

/// A record, whose content is looked at only where it matters.
pub struct LogItem<'m>(&'m RawMessage);

impl LogItem<'_> {
    /// Its partition.
    pub fn partition(&self) -> i32 {
        self.0.partition()
    }

    /// Its offset.
    pub fn offset(&self) -> i64 {
        self.0.offset()
    }

    /// Its timestamp, in milliseconds since 1970.
    pub fn time(&self) -> i64 {
        self.0.timestamp().to_millis().unwrap_or_default()
    }

    /// How many bytes key and value have.
    pub fn size(&self) -> usize {
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        len(self.0.key()) + len(self.0.payload())
    }

    /// The event in it. None where it is another program's record.
    pub fn event(&self) -> Option<StoredEvent> {
        LogRecord::of(self.0)?.event()
    }

    /// The event that it may be, its value not looked at. None where it is surely none.
    pub fn candidate(&self) -> Option<Candidate> {
        LogRecord::of(self.0)?.candidate()
    }

    /// The event in it, if it is one of this source.
    pub fn event_of(&self, source: &Source) -> Option<StoredEvent> {
        if self.0.key() != Some(source.id().as_bytes()) {
            return None;
        }
        LogRecord::of(self.0).filter(|record| record.is_of(source))?.event()
    }

    /// The event in it, if it is among these.
    pub fn event_among(&self, selection: &Selection) -> Option<StoredEvent> {
        if !selection.may_have(self.0.key()?) {
            return None;
        }
        LogRecord::of(self.0).filter(|record| record.is_among(selection))?.event()
    }
}

/// Reads partitions of a consumer's topic. A partition is read by one feed at a time.
pub struct Feed<'c> {
    consumer: &'c LogConsumer,
    queue: NonNull<rd_kafka_queue_t>,
    started: BTreeSet<i32>,
    batch: Vec<*mut rd_kafka_message_t>,
}

impl<'c> Feed<'c> {
    /// A feed of no partition yet.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn new(consumer: &'c LogConsumer) -> Result<Self, Unavailable> {
        // SAFETY: the client is alive, and outlives the feed, which borrows it.
        let queue = NonNull::new(unsafe { rd_kafka_queue_new(consumer.native()) });
        let queue = queue.ok_or_else(|| Unavailable("no queue".to_owned()))?;
        let batch = vec![null_mut(); BATCH];
        Ok(Feed { consumer, queue, started: BTreeSet::new(), batch })
    }

    /// Starts to read a partition, or starts it anew. What comes is only what lies behind: records
    /// of an earlier start are gone.
    ///
    /// # Errors
    /// librdkafka does not take the partition or the offset.
    pub fn start(&mut self, partition: i32, from: From) -> Result<(), Unavailable> {
        self.stop(partition);
        let offset = match from {
            From::Offset(offset) => offset,
            From::Beginning => RD_KAFKA_OFFSET_BEGINNING.into(),
            From::Last(count) => i64::from(RD_KAFKA_OFFSET_TAIL_BASE) - i64::from(count),
        };
        let topic = self.consumer.topic().as_ptr();
        // SAFETY: topic and queue are alive and of the same client.
        let failed =
            unsafe { rd_kafka_consume_start_queue(topic, partition, offset, self.queue.as_ptr()) };
        if failed != 0 {
            // SAFETY: it reads a variable of this thread.
            let code = RDKafkaErrorCode::from(unsafe { rd_kafka_last_error() });
            return Err(Unavailable(code.to_string()));
        }
        self.started.insert(partition);
        Ok(())
    }

    /// Reads it no more, if it was read.
    pub fn stop(&mut self, partition: i32) {
        if self.started.remove(&partition) {
            // SAFETY: topic and client are alive, and the partition was started. It waits for
            // librdkafka's main thread only, never for a broker.
            unsafe { rd_kafka_consume_stop(self.consumer.topic().as_ptr(), partition) };
        }
    }

    /// Shows what has come, and waits so long for something when there is nothing. Returns how
    /// much that was.
    pub fn take(&mut self, wait: Duration, mut see: impl FnMut(Item<'_>)) -> usize {
        let mut count = self.fill(0, BATCH);
        if count == 0 && !wait.is_zero() {
            // Asked for more than one, librdkafka waits for all of them.
            count = self.fill(wait.as_millis().clamp(1, 60_000) as i32, 1);
        }
        for message in self.batch[..count].iter().filter_map(|message| NonNull::new(*message)) {
            // SAFETY: it came from the queue, and is seen here once.
            let message = unsafe { RawMessage::new(message) };
            see(item(&message));
        }
        count
    }

    fn fill(&mut self, wait_ms: i32, most: usize) -> usize {
        // SAFETY: the queue is alive, and the batch has room for so many.
        let count = unsafe {
            rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                wait_ms,
                self.batch.as_mut_ptr(),
                most.min(self.batch.len()),
            )
        };
        usize::try_from(count).unwrap_or(0)
    }
}

impl Drop for Feed<'_> {
    fn drop(&mut self) {
        for partition in std::mem::take(&mut self.started) {
            // SAFETY: as in `stop`.
            unsafe { rd_kafka_consume_stop(self.consumer.topic().as_ptr(), partition) };
        }
        // SAFETY: it is ours, and the client is alive.
        unsafe { rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

fn item(message: &RawMessage) -> Item<'_> {
    let partition = message.partition();
    match message.error() {
        RespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Item::Record(LogItem(message)),
        RespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
            Item::End { partition, offset: message.offset() }
        }
        RespErr::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
        | RespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => Item::OutOfRange { partition },
        error => Item::Failed { partition, why: RDKafkaErrorCode::from(error).to_string() },
    }
}
