//! Child processes that end with their owner.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const STOP_GRACE: Duration = Duration::from_secs(5);
const CHECK: Duration = Duration::from_millis(10);

/// Killed when dropped.
pub struct Process {
    pub child: Child,
}

impl Process {
    pub fn start(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Process { child: child.with_context(|| format!("cannot start {program}"))? })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.id().try_into()?), signal)?)
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and makes it when it does not.
    pub fn stop(mut self) {
        let deadline = Instant::now() + STOP_GRACE;
        if self.signal(Signal::SIGTERM).is_ok() {
            while !self.has_ended() && Instant::now() < deadline {
                std::thread::sleep(CHECK);
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process takes SIGKILL, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
