//! Who reads what, and in which manner.

use super::log::RECENT;
use super::reader::{Manner, Over, Plan};
use super::subscription::First;
use super::wanted::Wanted;
use crate::harness::load::traffic::{KINDS, SHARED};

/// Readers of two types of sources.
pub fn plans(source_types: &[String; 2]) -> Vec<Plan> {
    streams(source_types).into_iter().chain(sockets(source_types)).collect()
}

fn shared([a, _]: &[String; 2]) -> Wanted {
    Wanted::source(a, SHARED)
}

fn several([a, b]: &[String; 2]) -> Wanted {
    // Writers' own sources have their numbers.
    let several = Wanted::sources(a, &[SHARED, "0/1", "0/2", "10/3"]);
    Wanted { sources: [several.sources, Wanted::source(b, SHARED).sources].concat(), ..several }
}

fn both([a, b]: &[String; 2]) -> Wanted {
    Wanted { source_types: vec![b.clone()], ..Wanted::source(a, SHARED) }
}

fn streams(types: &[String; 2]) -> Vec<Plan> {
    let plan = |name: &str, manner, wanted| Plan {
        over: Over::Stream,
        manner,
        first: First::Now,
        follows: vec![(name.to_owned(), wanted)],
    };
    let from_beginning = |plan| Plan { first: First::Beginning, ..plan };
    let anew = |recent, plan| Plan { first: First::Anew { recent }, ..plan };
    let ([a, b], everything) = (types, Wanted::everything);
    vec![
        plan("one source, steadily", Manner::Steady, shared(types)),
        plan("one source, in pieces", Manner::Cuts, shared(types)),
        plan("several sources, in pieces", Manner::Cuts, several(types)),
        plan("one source and a type, late", Manner::Lags, both(types)),
        plan("a type, whole, steadily", Manner::Steady, Wanted::all_of(a).whole()),
        from_beginning(plan(
            "some types of events, in pieces",
            Manner::Cuts,
            Wanted::all_of(a).only(KINDS[1]),
        )),
        plan("everything, steadily", Manner::Steady, everything()),
        from_beginning(plan("everything, in pieces", Manner::Cuts, everything())),
        plan("everything, whole, late", Manner::Lags, everything().whole()),
        plan("everything, whole, slowly", Manner::Stalls, everything().whole()),
        plan("a type, whole, slowly", Manner::Stalls, Wanted::all_of(b).whole()),
        anew(RECENT, plan("one source, anew with recent ones", Manner::Cuts, shared(types))),
        anew(0, plan("everything, anew", Manner::Cuts, everything())),
        plan("everything, away for long", Manner::GoesAway, everything()),
    ]
}

/// The first of each stays, the others come and go.
fn sockets(types: &[String; 2]) -> Vec<Plan> {
    let plan = |name: &str, manner, first, follows: Vec<(&str, Wanted)>| {
        let named = |(what, wanted)| (format!("a WebSocket, {name}: {what}"), wanted);
        let follows = follows.into_iter().map(named).collect();
        Plan { over: Over::Socket, manner, first, follows }
    };
    let ([a, b], everything) = (types, Wanted::everything);
    vec![
        plan(
            "steadily",
            Manner::Steady,
            First::Now,
            vec![
                ("one source", shared(types)),
                ("one source and a type", both(types)),
                ("a type, whole", Wanted::all_of(a).whole()),
                ("everything", everything()),
            ],
        ),
        plan(
            "in pieces",
            Manner::Cuts,
            First::Beginning,
            vec![
                ("some types of events", Wanted::all_of(a).only(KINDS[1])),
                ("one source", shared(types)),
                ("everything, whole", everything().whole()),
            ],
        ),
        plan(
            "late",
            Manner::Lags,
            First::Now,
            vec![("a type, whole", Wanted::all_of(b).whole()), ("several sources", several(types))],
        ),
        plan(
            "slowly",
            Manner::Stalls,
            First::Now,
            vec![
                ("everything, whole", everything().whole()),
                ("one source, whole", shared(types).whole()),
            ],
        ),
        plan(
            "anew with recent ones",
            Manner::Cuts,
            First::Anew { recent: RECENT },
            vec![("several sources", several(types)), ("a type", Wanted::all_of(b))],
        ),
        plan(
            "away for long",
            Manner::GoesAway,
            First::Now,
            vec![("everything", everything()), ("one source", shared(types))],
        ),
    ]
}
