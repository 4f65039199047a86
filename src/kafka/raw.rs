//! A record as librdkafka hands it out, read where it lies.

use std::cell::OnceCell;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null, null_mut};

use rdkafka::Timestamp;
use rdkafka::bindings::{
    rd_kafka_header_cnt, rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_destroy,
    rd_kafka_message_headers, rd_kafka_message_t, rd_kafka_message_timestamp, rd_kafka_resp_err_t,
};
use rdkafka::message::{Header, Headers, Message};

/// What came out of a queue: a record, the end of a partition, or an error. Given back to librdkafka
/// when it is dropped.
pub(super) struct RawMessage {
    message: NonNull<rd_kafka_message_t>,
    /// Parsed when they are first asked for: most records are passed over by their key.
    headers: OnceCell<Option<RawHeaders>>,
}

impl RawMessage {
    /// # Safety
    /// The message came from a queue, and nobody else destroys it.
    pub(super) unsafe fn new(message: NonNull<rd_kafka_message_t>) -> Self {
        RawMessage { message, headers: OnceCell::new() }
    }

    fn fields(&self) -> &rd_kafka_message_t {
        // SAFETY: it is ours, and nothing writes to it.
        unsafe { self.message.as_ref() }
    }

    pub(super) fn error(&self) -> rd_kafka_resp_err_t {
        self.fields().err
    }

    fn read_headers(&self) -> Option<RawHeaders> {
        let mut headers = null_mut();
        // SAFETY: the message is alive; the headers that it gives live as long as it does.
        let error = unsafe { rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) };
        (error == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then_some(())?;
        let headers = NonNull::new(headers)?;
        Some(RawHeaders { headers, message: PhantomData })
    }
}

impl Drop for RawMessage {
    fn drop(&mut self) {
        // SAFETY: it is ours, and destroyed once.
        unsafe { rd_kafka_message_destroy(self.message.as_ptr()) }
    }
}

impl Message for RawMessage {
    type Headers = RawHeaders;

    fn key(&self) -> Option<&[u8]> {
        let fields = self.fields();
        // SAFETY: as long as the message lives.
        unsafe { slice(fields.key, fields.key_len) }
    }

    fn payload(&self) -> Option<&[u8]> {
        let fields = self.fields();
        // SAFETY: as above.
        unsafe { slice(fields.payload, fields.len) }
    }

    unsafe fn payload_mut(&mut self) -> Option<&mut [u8]> {
        None
    }

    fn topic(&self) -> &str {
        ""
    }

    fn partition(&self) -> i32 {
        self.fields().partition
    }

    fn offset(&self) -> i64 {
        self.fields().offset
    }

    fn timestamp(&self) -> Timestamp {
        // SAFETY: the message is alive, and a null pointer asks for no type.
        match unsafe { rd_kafka_message_timestamp(self.message.as_ptr(), null_mut()) } {
            -1 => Timestamp::NotAvailable,
            time => Timestamp::CreateTime(time),
        }
    }

    fn headers(&self) -> Option<&RawHeaders> {
        self.headers.get_or_init(|| self.read_headers()).as_ref()
    }
}

/// The bytes at a pointer; none at null, which is another thing than no bytes.
///
/// # Safety
/// The pointer is null, or so many bytes are there for as long as `'m`.
unsafe fn slice<'m>(pointer: *const c_void, len: usize) -> Option<&'m [u8]> {
    // SAFETY: as promised by the caller.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer.cast(), len) })
}

/// The headers of a [`RawMessage`], which lies around them.
pub(super) struct RawHeaders {
    headers: NonNull<rd_kafka_headers_t>,
    message: PhantomData<*const RawMessage>,
}

impl Headers for RawHeaders {
    fn count(&self) -> usize {
        // SAFETY: the message with them is alive.
        unsafe { rd_kafka_header_cnt(self.headers.as_ptr()) }
    }

    fn try_get(&self, index: usize) -> Option<Header<'_, &[u8]>> {
        let (mut name, mut value, mut size): (*const c_char, *const c_void, usize) =
            (null(), null(), 0);
        // SAFETY: the message with them is alive, and the pointers are ours to write to.
        let error = unsafe {
            rd_kafka_header_get_all(
                self.headers.as_ptr(),
                index,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            )
        };
        (error == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then_some(())?;
        // SAFETY: librdkafka ends names with a zero; they live as long as the headers.
        let name = unsafe { CStr::from_ptr(name) };
        // Anyone may write any bytes. A name that is no text is none of ours.
        let key = name.to_str().unwrap_or_default();
        // SAFETY: so many bytes are there as long as the headers live.
        Some(Header { key, value: unsafe { slice(value, size) } })
    }
}
