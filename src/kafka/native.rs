//! What librdkafka is told of each record, without the copies and the lock that `rdkafka` adds: it
//! copies the name and the value of each header once more, and has the topic looked up by its name,
//! under the lock of the whole client.

use std::ffi::{CString, c_void};
use std::ptr::NonNull;

use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_header_add, rd_kafka_headers_destroy, rd_kafka_headers_new,
    rd_kafka_headers_t, rd_kafka_last_error, rd_kafka_producev, rd_kafka_resp_err_t, rd_kafka_t,
    rd_kafka_topic_destroy, rd_kafka_topic_new, rd_kafka_topic_t, rd_kafka_vtype_t,
};
use rdkafka::error::RDKafkaErrorCode;

/// `RD_KAFKA_PARTITION_UA`: the partitioner decides.
const ANY_PARTITION: i32 = -1;

/// A topic as librdkafka knows it. To be dropped before its client.
pub(super) struct Topic(NonNull<rd_kafka_topic_t>);

// SAFETY: librdkafka counts references to a topic and locks what it changes in it; any thread may
// use it.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Topic {
    /// The topic of a client, with the client's settings.
    ///
    /// # Safety
    /// `client` is alive, and remains so for as long as the topic.
    pub(super) unsafe fn new(
        client: *mut rd_kafka_t,
        name: &str,
    ) -> Result<Self, RDKafkaErrorCode> {
        let name = CString::new(name).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
        // SAFETY: the client is alive, the name ends with a zero, and no configuration is given.
        let topic = unsafe { rd_kafka_topic_new(client, name.as_ptr(), std::ptr::null_mut()) };
        // SAFETY: it reads a variable of this thread.
        NonNull::new(topic).map(Topic).ok_or_else(|| unsafe { rd_kafka_last_error() }.into())
    }
}

impl Topic {
    /// For librdkafka's functions.
    pub(super) fn as_ptr(&self) -> *mut rd_kafka_topic_t {
        self.0.as_ptr()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and its client is still alive.
        unsafe { rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

/// The headers of a record.
pub(super) struct Headers(NonNull<rd_kafka_headers_t>);

impl Headers {
    /// Room for so many. None when there is no memory.
    pub(super) fn with_capacity(count: usize) -> Option<Self> {
        // SAFETY: it only allocates.
        NonNull::new(unsafe { rd_kafka_headers_new(count) }).map(Headers)
    }

    /// Adds one; librdkafka copies name and value.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        // SAFETY: the headers are ours, and the lengths are those of what the pointers point to.
        // It fails for headers that are read-only, which those of a message on its way are.
        unsafe {
            rd_kafka_header_add(
                self.0.as_ptr(),
                name.as_ptr().cast(),
                name.len() as isize,
                value.as_ptr().cast(),
                value.len() as isize,
            )
        };
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: they are ours as long as no record took them.
        unsafe { rd_kafka_headers_destroy(self.0.as_ptr()) }
    }
}

/// Queues a record, of which librdkafka copies key and value. `opaque` comes back with its report,
/// unless there is an error.
///
/// # Safety
/// `client` is alive, and the topic is its own.
pub(super) unsafe fn produce(
    client: *mut rd_kafka_t,
    topic: &Topic,
    key: &[u8],
    value: &[u8],
    headers: Headers,
    opaque: *mut c_void,
) -> Result<(), RDKafkaErrorCode> {
    use rd_kafka_vtype_t as tag;
    // SAFETY: each tag is followed by the arguments that `RD_KAFKA_V_…` of rdkafka.h names for it,
    // in C's types, and END closes the list. Client and topic are alive, and the slices outlive the
    // call.
    let error = unsafe {
        rd_kafka_producev(
            client,
            tag::RD_KAFKA_VTYPE_RKT,
            topic.as_ptr(),
            tag::RD_KAFKA_VTYPE_PARTITION,
            ANY_PARTITION,
            tag::RD_KAFKA_VTYPE_MSGFLAGS,
            RD_KAFKA_MSG_F_COPY,
            tag::RD_KAFKA_VTYPE_VALUE,
            value.as_ptr(),
            value.len(),
            tag::RD_KAFKA_VTYPE_KEY,
            key.as_ptr(),
            key.len(),
            tag::RD_KAFKA_VTYPE_OPAQUE,
            opaque,
            tag::RD_KAFKA_VTYPE_HEADERS,
            headers.0.as_ptr(),
            tag::RD_KAFKA_VTYPE_END,
        )
    };
    if error != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(error.into());
    }
    // The record has them now.
    std::mem::forget(headers);
    Ok(())
}
