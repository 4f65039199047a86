//! What processes cost, from /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of times in /proc/PID/stat: 100 a second for user space on all of Linux.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of all of the process's threads so far, also of those that ended.
pub fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    parse_cpu(&stat).context("cannot read /proc/PID/stat")
}

fn parse_cpu(stat: &str) -> Option<Duration> {
    // The name may hold blanks and parentheses; the fields behind it do not.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user + system))
}

/// The most resident memory that the process ever had, in KiB.
pub fn peak_kib(pid: u32) -> Result<u64> {
    memory_kib(pid, "VmHWM:")
}

/// Its resident memory now, in KiB.
pub fn resident_kib(pid: u32) -> Result<u64> {
    memory_kib(pid, "VmRSS:")
}

fn memory_kib(pid: u32, name: &str) -> Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .with_context(|| format!("no {name} in /proc/{pid}/status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_parentheses_do_not_confuse() {
        let stat = "7 (a) (b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(parse_cpu(stat), Some(Duration::from_secs(2)));
    }

    #[test]
    fn this_process_takes_memory() {
        let pid = std::process::id();
        assert!(peak_kib(pid).unwrap() >= resident_kib(pid).unwrap());
    }
}
