//! What an offset can be.

use dual_stream::cursor::Cursor;
use dual_stream::reader::Found;

use crate::rig::{Log, Record, now};

fn cursor(partition: i32, offset: i64) -> Cursor {
    Cursor::new(partition, offset).unwrap()
}

#[tokio::test]
async fn an_event_comes_back_as_it_was_written() {
    let log = Log::create(2, &[]).await;
    let time = now() - 1_234;
    let at = log.write_one(Record::event(1, "owner/repo", "ä-1").at(time)).await;
    let rig = log.reader().start().await;
    let event = rig.event(at).await;
    assert_eq!(event.cursor(), at);
    assert_eq!((event.id(), event.kind()), ("ä-1", "push"));
    assert_eq!((event.source_type(), event.source_id()), ("repo", "owner/repo"));
    assert_eq!((event.content_type(), event.time()), ("application/json", time));
    assert_eq!(Some(event.value().to_vec()), Record::event(1, "owner/repo", "ä-1").value);
    rig.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let log = Log::create(2, &[]).await;
    let foreign = [
        Record::event(0, "a", "0"),
        // No headers; no value; no key; no JSON; a header missing.
        Record { headers: Vec::new(), ..Record::event(0, "a", "1") },
        Record { value: None, ..Record::event(0, "a", "2") },
        Record { key: None, ..Record::event(0, "a", "3") },
        Record::event(0, "a", "4").value("{"),
        Record { headers: vec![("id", "5".to_owned())], ..Record::event(0, "a", "5") },
        Record::event(0, "a", "6"),
        Record::event(0, "a", "7"),
    ];
    log.write(&foreign).await;
    log.delete_before(0, 1).await;
    for memory in [true, false] {
        let builder = log.reader();
        let rig = if memory { builder } else { builder.without_memory() }.start().await;
        let cursors: Vec<_> = (0..10).map(|offset| cursor(0, offset)).collect();
        let mut found = rig.reader.events(&cursors).await.into_iter();
        assert_eq!(found.next(), Some(Ok(Found::Removed { earliest: 1 })));
        for _ in 1..6 {
            assert_eq!(found.next(), Some(Ok(Found::NoEvent)));
        }
        for id in ["6", "7"] {
            let Some(Ok(Found::Event(event))) = found.next() else { panic!("event {id}") };
            assert_eq!(event.id(), id);
        }
        for _ in 8..10 {
            assert_eq!(found.next(), Some(Ok(Found::NotYet)));
        }
        for (at, expected) in [
            (cursor(0, 0), Found::Removed { earliest: 1 }),
            (cursor(0, 1), Found::NoEvent),
            (cursor(0, 8), Found::NotYet),
            (cursor(0, 9), Found::NotYet),
            (cursor(0, i64::MAX), Found::NotYet),
            (cursor(1, 0), Found::NotYet),
            (cursor(2, 0), Found::NoPartition { count: 2 }),
            (cursor(i32::MAX, 0), Found::NoPartition { count: 2 }),
        ] {
            assert_eq!(rig.reader.event(at).await, Ok(expected), "{at}");
        }
        rig.stop().await;
    }
}

#[tokio::test]
async fn many_cursors_are_answered_in_their_order_and_more_than_once() {
    let log = Log::create(3, &[]).await;
    let records: Vec<_> =
        (0..600).map(|n| Record::event(n % 3, &format!("s{}", n % 7), &n.to_string())).collect();
    let cursors = log.write(&records).await;
    let rig = log.reader().without_memory().start().await;
    let asked: Vec<_> = (0..500).map(|_| fastrand::usize(0..600)).collect();
    let found = rig.reader.events(&asked.iter().map(|n| cursors[*n]).collect::<Vec<_>>()).await;
    for (n, found) in asked.iter().zip(found) {
        let Ok(Found::Event(event)) = found else { panic!("{n}: {found:?}") };
        assert_eq!(event.id(), n.to_string());
    }
    rig.stop().await;
}
