//! The Kafka record of an event: key, value and headers.

use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::native;

/// The names of the record's headers, in the order in which they are written.
pub mod header {
    /// The event's id.
    pub const ID: &str = "id";
    /// The event's `type`.
    pub const TYPE: &str = "type";
    /// The event's `source_type`.
    pub const SOURCE_TYPE: &str = "source_type";
    /// The media type of the value.
    pub const CONTENT_TYPE: &str = "content-type";
    /// W3C trace context of the request, when it had one.
    pub const TRACEPARENT: &str = "traceparent";
    /// W3C vendor trace state of the request, when it had one.
    pub const TRACESTATE: &str = "tracestate";
}

/// One event as Kafka gets it. The key is the source's id, so that the events of a source
/// keep their order; the value is the event's bytes.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// The event's id.
    pub id: &'a str,
    /// The event's `type`.
    pub kind: &'a str,
    /// The event's `source_type`.
    pub source_type: &'a str,
    /// The event's `source_id`, the record's key.
    pub source_id: &'a str,
    /// The event's bytes, the record's value.
    pub value: &'a [u8],
    /// The trace that the request belongs to.
    pub trace: TraceContext<'a>,
}

/// The W3C trace context of a request, checked, so that nothing else gets into the headers.
#[derive(Clone, Copy, Default)]
pub struct TraceContext<'a> {
    parent: Option<&'a str>,
    state: Option<&'a str>,
}

/// What a `tracestate` may measure at the most and still be propagated whole
/// (W3C Trace Context, section 3.3.1.5).
const MAX_TRACESTATE: usize = 512;

impl<'a> TraceContext<'a> {
    /// No trace.
    #[cfg(test)]
    pub(super) const NONE: Self = TraceContext { parent: None, state: None };

    /// Takes the two headers of a request when they are well-formed, and nothing otherwise:
    /// a state without its parent means nothing.
    pub fn new(traceparent: Option<&'a str>, tracestate: Option<&'a str>) -> Self {
        let parent = traceparent.filter(|value| is_traceparent(value));
        let state = tracestate.filter(|value| {
            parent.is_some() && value.len() <= MAX_TRACESTATE && value.bytes().all(is_printable)
        });
        TraceContext { parent, state }
    }

    fn len(&self) -> usize {
        usize::from(self.parent.is_some()) + usize::from(self.state.is_some())
    }
}

/// `version-traceid-parentid-flags` in lower-case hex (W3C Trace Context, section 3.2.2).
fn is_traceparent(value: &str) -> bool {
    let mut parts = value.split('-');
    let mut hex = |len| {
        parts.next().is_some_and(|part| {
            part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    hex(2) && hex(32) && hex(16) && hex(2) && parts.next().is_none()
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e)
}

impl Record<'_> {
    /// None when there is no memory for them.
    pub(super) fn headers(&self) -> Option<native::Headers> {
        let mut headers = native::Headers::with_capacity(4 + self.trace.len())?;
        headers.add(header::ID, self.id);
        headers.add(header::TYPE, self.kind);
        headers.add(header::SOURCE_TYPE, self.source_type);
        headers.add(header::CONTENT_TYPE, "application/json");
        if let Some(parent) = self.trace.parent {
            headers.add(header::TRACEPARENT, parent);
        }
        if let Some(state) = self.trace.state {
            headers.add(header::TRACESTATE, state);
        }
        Some(headers)
    }
}

/// The fields of a record of ours that its notification needs: id, type, source type, source id.
pub(super) fn identity<'m>(message: &'m BorrowedMessage<'_>) -> Option<[&'m str; 4]> {
    let headers = message.headers()?;
    // By index, not by name: the order is ours.
    let text = |index| std::str::from_utf8(headers.try_get(index)?.value?).ok();
    Some([text(0)?, text(1)?, text(2)?, std::str::from_utf8(message.key()?).ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_well_formed_trace_is_taken() {
        let trace = TraceContext::new(Some(PARENT), Some("vendor=value"));
        assert_eq!(trace.parent, Some(PARENT));
        assert_eq!(trace.state, Some("vendor=value"));
    }

    #[test]
    fn anything_else_is_left_out() {
        for bad in ["", "00-abc-def-01", &PARENT.to_uppercase(), &format!("{PARENT}-more")] {
            let trace = TraceContext::new(Some(bad), Some("vendor=value"));
            assert_eq!((trace.parent, trace.state), (None, None), "{bad}");
        }
        let long = "a".repeat(MAX_TRACESTATE + 1);
        assert_eq!(TraceContext::new(Some(PARENT), Some(&long)).state, None);
        assert_eq!(TraceContext::new(Some(PARENT), Some("a\tb")).state, None);
    }
}
