//! Standard output, and how much of it its reader has taken.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The most that a pipe takes without blocking when it says that it is ready: `PIPE_BUF`.
const PIPE_PIECE: usize = 4096;

/// Where lines go. A pipe is never waited for longer than asked: a member of a group has to answer
/// it whatever its reader does.
pub(super) struct Output {
    file: File,
    is_pipe: bool,
    written: u64,
}

impl Output {
    /// A descriptor that is open for writing.
    ///
    /// # Errors
    /// The system does not say what it is.
    pub(super) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let file = File::from(descriptor);
        let is_pipe = file.metadata()?.file_type().is_fifo();
        Ok(Output { file, is_pipe, written: 0 })
    }

    /// Standard output, without the buffer that Rust's has.
    ///
    /// # Errors
    /// It is closed.
    pub(super) fn stdout() -> io::Result<Self> {
        Self::new(io::stdout().as_fd().try_clone_to_owned()?)
    }

    /// Writes as much as goes at once, after waiting for room for so long at the most. Gives how
    /// many bytes that was.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when the reader is gone, and others.
    pub(super) fn write(&mut self, bytes: &[u8], wait: Duration) -> io::Result<usize> {
        if bytes.is_empty() || !self.is_ready(wait)? {
            return Ok(0);
        }
        let most = if self.is_pipe { PIPE_PIECE } else { bytes.len() };
        match self.file.write(&bytes[..bytes.len().min(most)]) {
            Ok(written) => {
                self.written += written as u64;
                Ok(written)
            }
            // Somebody has made it non-blocking.
            Err(error) if is_passing(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Fails when the reader is gone, though there be nothing to write.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`].
    pub(super) fn check(&self) -> io::Result<()> {
        self.is_ready(Duration::ZERO).map(drop)
    }

    fn is_ready(&self, wait: Duration) -> io::Result<bool> {
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let mut output = [PollFd::new(&self.file, PollFlags::OUT)];
        match poll(&mut output, Some(&wait)) {
            Err(rustix::io::Errno::INTR) => return Ok(false),
            polled => polled?,
        };
        let ready = output[0].revents();
        if ready.contains(PollFlags::ERR) && self.is_pipe {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(!ready.is_empty())
    }

    /// How many bytes have been written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// How many bytes the reader has taken out of the pipe. What is no pipe has taken all.
    pub(super) fn taken(&self) -> u64 {
        if !self.is_pipe {
            return self.written;
        }
        // Where a system does not say how much lies in a pipe, what was written counts.
        let unread = rustix::io::ioctl_fionread(&self.file).unwrap_or(0);
        self.written.saturating_sub(unread)
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn what_lies_in_the_pipe_is_not_taken() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut output = Output::new(writer.into()).unwrap();
        assert_eq!(output.write(b"twelve bytes", NOW).unwrap(), 12);
        assert_eq!((output.written, output.taken()), (12, 0));
        reader.read_exact(&mut [0; 7]).unwrap();
        assert_eq!(output.taken(), 7);
    }

    #[test]
    fn a_full_pipe_takes_nothing_and_nobody_waits_for_it() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut output = Output::new(writer.into()).unwrap();
        let bytes = [b'x'; 100_000];
        while output.write(&bytes, NOW).unwrap() > 0 {}
        let full = output.written;
        assert!(full >= 4096);
        reader.read_exact(&mut [0; 8192]).unwrap();
        assert!(output.write(&bytes, NOW).unwrap() > 0);
        assert!(output.written > full);
    }

    #[test]
    fn a_reader_that_is_gone_is_noticed_and_has_not_taken_the_rest() {
        let (reader, writer) = io::pipe().unwrap();
        let mut output = Output::new(writer.into()).unwrap();
        output.check().unwrap();
        output.write(b"lost", NOW).unwrap();
        drop(reader);
        assert_eq!(output.check().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let error = output.write(b"more", NOW).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(output.taken(), 0);
    }

    #[test]
    fn a_file_takes_everything() {
        let file = tempfile::tempfile().unwrap();
        let mut output = Output::new(file.into()).unwrap();
        assert_eq!(output.write(&[b'x'; 100_000], NOW).unwrap(), 100_000);
        assert_eq!(output.taken(), 100_000);
    }
}
