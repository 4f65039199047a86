//! What is read, from where, and how far.

use crate::command::{Tail, assert_same};
use crate::harness::kafka;
use crate::log::{Log, Record, a_moment};

#[tokio::test]
async fn every_event_is_a_line_with_its_cursor_and_time_and_the_rest_can_be_had_from_the_position_told()
 {
    let log = Log::new(3).await;
    let pretty = "{\n  \"id\": \"a\",\n  \"n\": 12345678901234567890\n}";
    let time = 1_793_534_400_007;
    let first = Record::event("owner/repo", "a").value(pretty).partition(1).time(time);
    log.write([first]).await;

    let tail = Tail::run(&log, &[]).await.succeeds();
    assert_eq!(tail.lines.len(), 1);
    assert_eq!(tail.lines[0]["cursor"], "1-0");
    assert_eq!(tail.lines[0]["time"], "2026-11-01T12:00:00.007Z");
    assert_eq!(tail.lines[0]["event"]["n"].to_string(), "12345678901234567890");
    assert_eq!(tail.position(), "0-none,1-0,2-none");

    let more = log.events("more", 50).await;
    let rest = Tail::run(&log, &["--from", &tail.position()]).await.succeeds();
    assert_same(&rest.ids(), &more);
    let nothing = Tail::run(&log, &["--from", &rest.position()]).await.succeeds();
    assert_eq!((nothing.lines.len(), nothing.position()), (0, rest.position()));
}

#[tokio::test]
async fn without_follow_it_ends_at_the_end_as_it_was_at_the_start() {
    let log = Log::new(2).await;
    let ids = log.events("a", 100).await;
    let writes = async {
        for round in 0..20 {
            log.events(&format!("later-{round}"), 50).await;
        }
    };
    let (tail, ()) = tokio::join!(Tail::run(&log, &[]), writes);
    let tail = tail.succeeds();
    let found = tail.ids();
    assert!(ids.iter().all(|id| found.contains(id)), "{found:?}");

    let rest = Tail::run(&log, &["--from", &tail.position()]).await.succeeds();
    let later = (0..20).flat_map(|round| (0..50).map(move |n| format!("later-{round}-{n}")));
    assert_same(&[found, rest.ids()].concat(), &ids.into_iter().chain(later).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_empty_log_gives_nothing_and_says_so_of_each_partition() {
    let log = Log::new(2).await;
    let tail = Tail::run(&log, &[]).await.succeeds();
    assert_eq!((tail.lines.len(), tail.position().as_str()), (0, "0-none,1-none"));
}

#[tokio::test]
async fn only_the_events_of_a_source() {
    let log = Log::new(3).await;
    log.events("a", 200).await;
    let mut of_another_type = Record::event("owner/7", "other");
    of_another_type.headers[2].1 = "user".to_owned();
    log.write([of_another_type]).await;
    let tail = Tail::run(&log, &["--source", "repo:owner/7"]).await.succeeds();
    let expected: Vec<_> = (0..10).map(|round| format!("a-{}", round * 20 + 7)).collect();
    assert_eq!(tail.ids(), expected, "in their order");
}

#[tokio::test]
async fn of_a_source_only_the_partitions_are_read_in_which_it_may_be() {
    let log = Log::new(1).await;
    log.events("old", 200).await;
    kafka::add_partitions(&log.brokers, &log.topic, 8).await;
    let log = Log::of(&log);
    log.events("new", 200).await;
    let arguments = ["--source", "repo:owner/7"];
    let expected = (0..10).map(|round| round * 20 + 7);
    let expected: Vec<_> =
        expected.flat_map(|n| [format!("old-{n}"), format!("new-{n}")]).collect();

    let unknown = Tail::run(&log, &arguments).await.succeeds();
    assert_same(&unknown.ids(), &expected);
    let known = [("DUAL_STREAM__KAFKA__PARTITION_COUNTS", "1")];
    let known = Tail::reading(Tail::unread(&log, &arguments, &known)).end().await.succeeds();
    assert_same(&known.ids(), &expected);
    assert_eq!(known.position().split(',').count(), 2, "{}", known.position());
}

#[tokio::test]
async fn follow_goes_on_and_from_end_begins_with_what_is_new() {
    let log = Log::new(3).await;
    log.events("old", 10).await;
    let all = Tail::start(&log, &["--follow"]);
    let new = Tail::start(&log, &["--follow", "--from", "end"]);
    all.has(10).await;
    // Where the end was is asked before anything is read; that it has been nobody says.
    a_moment().await;
    let ids = log.events("new", 10).await;
    all.has(20).await;
    new.has(10).await;
    assert_same(&new.ids(), &ids);
    let (all, new) = (all.stop().await.succeeds(), new.stop().await.succeeds());
    assert_eq!(all.position(), new.position());
}

#[tokio::test]
async fn from_a_time_begins_with_the_first_event_that_is_not_older() {
    let log = Log::new(2).await;
    let noon = 1_793_534_400_000;
    let records = (0..10).map(|number| {
        let record = Record::event("owner/repo", &format!("a-{number}"));
        record.time(noon + number * 1000).partition((number % 2) as i32)
    });
    log.write(records).await;
    for from in ["2026-11-01T12:00:06.500Z", "time:2026-11-01T14:00:06.500+02:00"] {
        let tail = Tail::run(&log, &["--from", from]).await.succeeds();
        assert_same(&tail.ids(), &["a-7", "a-8", "a-9"].map(str::to_owned));
    }
    let none = Tail::run(&log, &["--from", "2030-01-01T00:00:00Z"]).await.succeeds();
    assert_eq!((none.lines.len(), none.position().as_str()), (0, "0-4,1-4"));
}

#[tokio::test]
async fn limit_ends_after_so_many_and_the_next_run_goes_on() {
    let log = Log::new(3).await;
    let ids = log.events("a", 95).await;
    let (mut found, mut position) = (Vec::new(), "beginning".to_owned());
    for _ in 0..9 {
        let arguments = ["--limit", "10", "--from", &position, "--follow"];
        let tail = Tail::run(&log, &arguments).await.succeeds();
        position = tail.position();
        assert_eq!(tail.lines.len(), 10);
        found.extend(tail.ids());
    }
    let tail = Tail::run(&log, &["--from", &position]).await.succeeds();
    found.extend(tail.ids());
    assert_same(&found, &ids);
}

#[tokio::test]
async fn a_partition_that_is_added_is_followed_from_its_beginning() {
    let log = Log::new(1).await;
    log.events("old", 5).await;
    let tail = Tail::start(&log, &["--follow", "--from", "end"]);
    a_moment().await;
    kafka::add_partitions(&log.brokers, &log.topic, 2).await;
    let fresh = Log::of(&log);
    let new = Record::event("owner/repo", "new").partition(1);
    fresh.write([new]).await;
    tail.has(1).await;
    let tail = tail.stop().await.succeeds();
    assert_eq!((tail.ids(), tail.position().as_str()), (vec!["new".to_owned()], "0-4,1-0"));
}

#[tokio::test]
async fn a_position_that_the_log_does_not_hold_is_refused() {
    let log = Log::new(2).await;
    let record = |number: i32| Record::event("owner/repo", &format!("a-{number}")).partition(0);
    log.write((0..10).map(record)).await;
    kafka::delete_records(&log.brokers, &log.topic, 0, 5).await;

    let removed = Tail::run(&log, &["--from", "0-2"]).await;
    assert_eq!(removed.status.code(), Some(1));
    assert!(removed.errors.contains("it begins at 0-5 now"), "{}", removed.errors);
    let beyond = Tail::run(&log, &["--from", "0-10"]).await;
    assert_eq!(beyond.status.code(), Some(1));
    assert!(beyond.errors.contains("ends before 10"), "{}", beyond.errors);

    let came_and_went = Tail::run(&log, &["--from", "0-none"]).await;
    assert_eq!(came_and_went.status.code(), Some(1));
    assert!(came_and_went.errors.contains("leave 0-none out"), "{}", came_and_went.errors);

    let edge = Tail::run(&log, &["--from", "0-4"]).await.succeeds();
    assert_eq!(edge.lines.len(), 5);
    let from_the_beginning = Tail::run(&log, &[]).await.succeeds();
    assert_eq!(from_the_beginning.lines.len(), 5);
}

#[tokio::test]
async fn a_wrong_option_is_named_with_the_mend() {
    let log = Log::new(1).await;
    for (arguments, mend) in [
        (["--source", "repo"], "the type, a colon and the id"),
        (["--source", "re po:1"], "A-Z a-z 0-9"),
        (["--from", "yesterday"], "2026-11-01T00:00:00Z"),
        (["--group", ""], "a group has a name"),
    ] {
        let tail = Tail::run(&log, &arguments).await;
        assert_eq!(tail.status.code(), Some(2));
        assert!(tail.errors.contains(mend), "{}", tail.errors);
    }
}
