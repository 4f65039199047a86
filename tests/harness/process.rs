//! Child processes that end with the test.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process that is killed when it is dropped.
pub struct Process {
    child: Child,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        Process { child }
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32);
        kill(pid, signal).expect("the process is there");
    }

    /// Stops it in its tracks, and returns when all of its threads stand.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let tasks = format!("/proc/{}/task", self.child.id());
        let stands =
            |stat: String| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'));
        while !std::fs::read_dir(&tasks)
            .expect("the process is there")
            .flatten()
            .all(|task| std::fs::read_to_string(task.path().join("stat")).is_ok_and(stands))
        {
            std::thread::yield_now();
        }
    }

    /// Waits for the end, and fails when it does not come.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "the process still runs after {limit:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Memory in KiB, by its name in `/proc/PID/status`.
    pub fn memory_kib(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with(name)).expect("its name");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process takes SIGKILL, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
