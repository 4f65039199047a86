//! Members of a consumer group.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::command::{Tail, assert_same};
use crate::harness::eventually;
use crate::log::{Log, a_moment};

#[tokio::test]
async fn a_group_goes_on_where_it_was() {
    let log = Log::new(3).await;
    let group = ["--group", "billing"];
    let first = log.events("a", 100).await;
    assert_same(&Tail::run(&log, &group).await.succeeds().ids(), &first);
    assert!(Tail::run(&log, &group).await.succeeds().lines.is_empty());
    let second = log.events("b", 100).await;
    // It holds for a group that is new only.
    let again = ["--group", "billing", "--from", "beginning"];
    assert_same(&Tail::run(&log, &again).await.succeeds().ids(), &second);
    let other = Tail::run(&log, &["--group", "other", "--limit", "5"]).await.succeeds();
    assert_eq!(other.lines.len(), 5);
    assert_eq!(Tail::run(&log, &["--group", "other"]).await.succeeds().lines.len(), 195);
}

#[tokio::test]
async fn a_group_that_began_at_the_end_misses_nothing_that_comes_while_it_is_away() {
    let log = Log::new(3).await;
    log.events("old", 30).await;
    let group = ["--group", "billing", "--from", "end"];
    assert!(Tail::run(&log, &group).await.succeeds().lines.is_empty());
    let ids = log.events("new", 30).await;
    assert_same(&Tail::run(&log, &group).await.succeeds().ids(), &ids);
}

#[tokio::test]
async fn killed_again_and_again_it_gives_every_event_at_least_once() {
    let log = Log::new(3).await;
    let arguments = ["--follow", "--group", "billing"];
    let (mut written, mut seen, mut lines) = (BTreeSet::new(), BTreeSet::new(), 0);
    for round in 0..4 {
        // Members that are gone without a word are waited for.
        let fast = [("DUAL_STREAM__KAFKA__OPTIONS__SESSION_TIMEOUT_MS", "6000")];
        let tail = Tail::reading(Tail::unread(&log, &arguments, &fast));
        written.extend(log.events(&format!("a-{round}"), 2000).await);
        tail.has(1000).await;
        let more = format!("b-{round}");
        let (more, killed) = tokio::join!(log.events(&more, 2000), tail.kill());
        written.extend(more);
        lines += killed.lines.len();
        seen.extend(killed.ids());
    }
    let last = Tail::run(&log, &["--group", "billing"]).await.succeeds();
    lines += last.lines.len();
    seen.extend(last.ids());
    assert!(seen == written, "{} of {} events", seen.len(), written.len());
    println!("{} events in {lines} lines", written.len());
}

#[tokio::test]
async fn two_members_share_the_partitions_and_what_goes_in_order_comes_once() {
    let log = Log::new(6).await;
    let arguments = ["--follow", "--group", "billing"];
    let one = Tail::start(&log, &arguments);
    let mut written = log.events("alone", 600).await;
    one.has(600).await;
    let two = Tail::start(&log, &arguments);
    // Until the second one gets some, all goes to the first.
    let mut round = 0;
    eventually("the second member gets some", async || {
        written.extend(log.events(&format!("round-{round}"), 60).await);
        round += 1;
        (!two.ids().is_empty()).then_some(())
    })
    .await;
    written.extend(log.events("both", 600).await);
    let all = written.len();
    eventually("all is there", async || {
        (one.lines().len() + two.lines().len() >= all).then_some(())
    })
    .await;
    let alone = one.lines().len();
    assert!(alone < all, "both have something to do");
    let two = two.stop().await.succeeds();
    written.extend(log.events("alone-again", 600).await);
    one.has(alone + 600).await;
    a_moment().await;
    let one = one.stop().await.succeeds();
    assert_same(&[one.ids(), two.ids()].concat(), &written);
}

#[tokio::test]
async fn a_member_that_was_frozen_comes_back_and_nothing_is_lost() {
    let log = Log::new(4).await;
    let arguments = ["--follow", "--group", "billing"];
    let short = [("DUAL_STREAM__KAFKA__OPTIONS__SESSION_TIMEOUT_MS", "6000")];
    let start = || Tail::reading(Tail::unread(&log, &arguments, &short));
    let (one, two) = (start(), start());
    let mut written = Vec::new();
    let mut round = 0;
    eventually("both have something to do", async || {
        written.extend(log.events(&format!("round-{round}"), 60).await);
        round += 1;
        (!one.ids().is_empty() && !two.ids().is_empty()).then_some(())
    })
    .await;
    one.signal(Signal::SIGSTOP);
    written.extend(log.events("frozen", 600).await);
    eventually("the other one has all", async || {
        let seen: BTreeSet<_> = one.ids().into_iter().chain(two.ids()).collect();
        (seen.len() == written.len()).then_some(())
    })
    .await;
    one.signal(Signal::SIGCONT);
    let before = one.lines().len();
    eventually("it is a member again", async || {
        written.extend(log.events(&format!("later-{round}"), 60).await);
        round += 1;
        (one.lines().len() > before).then_some(())
    })
    .await;
    // The one that goes leaves what it has to the other.
    let one = one.stop().await.succeeds();
    written.extend(log.events("last", 600).await);
    eventually("all is there", async || {
        let seen: BTreeSet<_> = one.ids().into_iter().chain(two.ids()).collect();
        (seen.len() == written.len()).then_some(())
    })
    .await;
    two.stop().await.succeeds();
}
