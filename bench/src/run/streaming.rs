//! One measurement of streams.

use std::process::Command;

use anyhow::Result;

use super::contestant::Contestant;
use super::measure::{Bench, LoadProcess, Sample};
use super::services::free_port;
use crate::window::Timing;
use crate::work::{Streaming, Then, Work};

/// More streams than there are subscribers, and some connections that post.
const SPARE: u64 = 1000;

impl Bench {
    pub(super) fn measure_streaming(
        &self,
        timing: Timing,
        contestant: Contestant,
        work: &Work,
        streaming: Streaming,
    ) -> Result<Sample> {
        match streaming.then {
            Then::Posts(rate) => {
                let topic = format!("bench-{}-{}", std::process::id(), free_port()?);
                self.topics.create(&topic)?;
                let measured = self.measure_streams(contestant, work, streaming, &topic, |load| {
                    load.arg(format!("--rate={rate}"));
                    load.arg(format!("--warm-up={}", timing.warm_up));
                    load.arg(format!("--seconds={}", timing.seconds));
                });
                let stored = measured.is_ok() && contestant != Contestant::Relay;
                let stored = stored.then(|| self.topics.records(&topic)).transpose();
                let deleted = self.topics.delete(&topic);
                let sample = Sample { stored: stored?, ..measured? };
                deleted?;
                Ok(sample)
            }
            Then::Resumed => {
                let archive = self.archives.of_sources(&self.topics, streaming.sources)?;
                // Sources take turns, so that each stream has missed one event.
                let after = archive.records - 1 - archive.sources;
                self.measure_streams(contestant, work, streaming, &archive.topic, |load| {
                    load.args(["--after", &format!("0-{after}"), "--missed", "1"]);
                })
            }
        }
    }

    fn measure_streams(
        &self,
        contestant: Contestant,
        work: &Work,
        streaming: Streaming,
        topic: &str,
        describe: impl Fn(&mut Command),
    ) -> Result<Sample> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let services = &self.services;
        let mut command = self.programs.command(contestant, &listen, topic, work.redis, services);
        let most = (streaming.subscribers + SPARE).to_string();
        command.env("DUAL_STREAM__LIVE__STREAMS", &most);
        command.env("DUAL_STREAM__HTTP__MAX_CONNECTIONS", &most);
        let log = format!("{contestant}-{}", work.name);
        let (process, ready) = self.start(&mut command, &listen, &log)?;
        let mut load = Command::new(super::this_program());
        load.args(["streams", "--target", &listen]);
        load.args(["--subscribers", &streaming.subscribers.to_string()]);
        load.args(["--sources", &streaming.sources.to_string()]);
        load.args(["--memory-of", &process.id().to_string()]);
        load.arg(format!("--watch=contestant={}", process.id()));
        self.watch(&mut load);
        describe(&mut load);
        let (outcome, memory) =
            LoadProcess::start(&mut load)?.finish(Some(process.id()), || Ok(()))?;
        process.stop();
        let ready = Some(ready.as_secs_f64() * 1000.0);
        Ok(Sample::new(contestant, work, outcome, memory, None, ready))
    }
}
