//! Threads that are waited for at the end, but not forever.

use std::thread::JoinHandle;

use parking_lot::Mutex;

/// Some threads of the reader.
#[derive(Default)]
pub(super) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    /// Starts one.
    ///
    /// # Errors
    /// The system has none left.
    pub(super) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), String> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|error| format!("cannot start the thread {name}: {error}"))?;
        self.0.lock().push(thread);
        Ok(())
    }

    /// Whether all have ended.
    pub(super) fn have_ended(&self) -> bool {
        self.0.lock().iter().all(JoinHandle::is_finished)
    }

    /// Joins those that have ended, and tells of panics.
    pub(super) fn join(&self) {
        let mut threads = self.0.lock();
        for thread in threads.extract_if(.., |thread| thread.is_finished()) {
            let name = thread.thread().name().unwrap_or("reader").to_owned();
            if thread.join().is_err() {
                tracing::error!("the thread {name} ended with a panic");
            }
        }
    }
}
