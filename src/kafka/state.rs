//! The state of the cluster and of the topic's partitions, as far as writing needs it.

use rdkafka::metadata::{MetadataPartition, MetadataTopic};

/// The state of the cluster as far as writing needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterState {
    /// Not reached yet since the start, or the topic is not there yet.
    Starting {
        /// What is missing and what to do.
        detail: String,
    },
    /// The topic, or a part of it, can be written to.
    Up(Partitions),
    /// Was up, and is not now.
    Down {
        /// What is wrong.
        detail: String,
        /// The partitions, when the cluster answers and none of them can be written to.
        partitions: Option<Partitions>,
    },
}

impl ClusterState {
    /// Whether it makes sense to hand records to the producer.
    pub fn takes_writes(&self) -> bool {
        matches!(self, ClusterState::Up(_))
    }

    /// Whether the cluster answers, and has the topic: then it can be read from, even where nothing
    /// can be written.
    pub fn is_reachable(&self) -> bool {
        self.partitions().is_some()
    }

    /// The partitions, when the cluster has told of them.
    pub fn partitions(&self) -> Option<Partitions> {
        match self {
            ClusterState::Starting { .. } => None,
            ClusterState::Up(partitions) => Some(*partitions),
            ClusterState::Down { partitions, .. } => *partitions,
        }
    }
}

/// The partitions of the topic, and how many of them take no writes just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partitions {
    /// How many there are.
    pub total: usize,
    /// How many have no leader.
    pub leaderless: usize,
    /// How many have a leader, and fewer in-sync replicas than a write needs. None while
    /// `min.insync.replicas` is not known.
    pub under_min_isr: usize,
    /// The fewest in-sync replicas among those.
    fewest_in_sync: usize,
    /// The topic's `min.insync.replicas`, or 0 while it is not known.
    min_isr: usize,
}

impl Partitions {
    /// What the cluster says of the topic, held against its `min.insync.replicas`.
    pub(super) fn of(topic: &MetadataTopic, min_isr: Option<usize>) -> Self {
        let led = |partition: &&MetadataPartition| partition.leader() >= 0;
        let in_sync: Vec<_> =
            topic.partitions().iter().filter(led).map(|partition| partition.isr().len()).collect();
        Self::count(topic.partitions().len(), &in_sync, min_isr.unwrap_or(0))
    }

    /// From the in-sync replicas of each partition that has a leader.
    fn count(total: usize, in_sync: &[usize], min_isr: usize) -> Self {
        let under = || in_sync.iter().copied().filter(|replicas| *replicas < min_isr);
        Partitions {
            total,
            leaderless: total - in_sync.len(),
            under_min_isr: under().count(),
            fewest_in_sync: under().min().unwrap_or(0),
            min_isr,
        }
    }

    /// Whether not a single partition can be written to.
    pub(super) fn none_takes_writes(self) -> bool {
        self.leaderless + self.under_min_isr == self.total
    }

    /// What is wrong with some of them, if anything.
    pub fn detail(self) -> Option<String> {
        let mut faults = Vec::new();
        if self.leaderless > 0 {
            faults.push((self.leaderless, "no leader".to_owned()));
        }
        if self.under_min_isr > 0 {
            let Partitions { fewest_in_sync, min_isr, .. } = self;
            let fault = format!(
                "fewer in-sync replicas ({fewest_in_sync}) than min.insync.replicas ({min_isr})"
            );
            faults.push((self.under_min_isr, fault));
        }
        let sentence = |(index, (count, fault)): (usize, (usize, String))| {
            let of =
                if index == 0 { format!(" of {} partitions", self.total) } else { String::new() };
            format!("{count}{of} {} {fault}", if count == 1 { "has" } else { "have" })
        };
        let sentences: Vec<_> = faults.into_iter().enumerate().map(sentence).collect();
        (!sentences.is_empty()).then(|| sentences.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(total: usize, in_sync: &[usize], min_isr: usize) -> String {
        Partitions::count(total, in_sync, min_isr).detail().unwrap_or_default()
    }

    #[test]
    fn partitions_that_take_no_writes_are_told_by_what_they_lack() {
        assert_eq!(detail(3, &[3, 3, 2], 2), "");
        assert_eq!(detail(6, &[3, 3, 3, 3], 2), "2 of 6 partitions have no leader");
        assert_eq!(
            detail(6, &[3, 3, 3, 1], 2),
            "2 of 6 partitions have no leader, \
             1 has fewer in-sync replicas (1) than min.insync.replicas (2)"
        );
        assert_eq!(
            detail(2, &[1, 2], 3),
            "2 of 2 partitions have fewer in-sync replicas (1) than min.insync.replicas (3)"
        );
    }

    #[test]
    fn none_takes_writes_when_each_lacks_something() {
        assert!(Partitions::count(2, &[1], 2).none_takes_writes());
        assert!(!Partitions::count(2, &[2], 2).none_takes_writes());
    }

    #[test]
    fn without_a_known_minimum_only_leaders_count() {
        let partitions = Partitions::count(2, &[1, 1], 0);
        assert_eq!((partitions.under_min_isr, partitions.none_takes_writes()), (0, false));
    }
}
