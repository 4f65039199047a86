//! Who reads what, and in which manner.

use super::reader::{Manner, Plan};
use super::wanted::Wanted;
use crate::harness::load::traffic::{KINDS, SHARED};

/// Readers of two types of sources.
pub fn plans([a, b]: &[String; 2]) -> Vec<Plan> {
    let plan = |name, manner, wanted| Plan { name, wanted, manner, from_beginning: false };
    let from_beginning = |plan| Plan { from_beginning: true, ..plan };
    let shared = || Wanted::source(a, SHARED);
    // Writers' own sources have their numbers.
    let several = Wanted::sources(a, &[SHARED, "0/1", "0/2", "10/3"]);
    let several = Wanted {
        sources: [several.sources, Wanted::source(b, SHARED).sources].concat(),
        ..several
    };
    let both = Wanted { source_types: vec![b.clone()], ..shared() };
    vec![
        plan("one source, steadily", Manner::Steady, shared()),
        plan("one source, in pieces", Manner::Cuts, shared()),
        plan("several sources, in pieces", Manner::Cuts, several),
        plan("one source and a type, late", Manner::Lags, both),
        plan("a type, whole, steadily", Manner::Steady, Wanted::all_of(a).whole()),
        from_beginning(plan(
            "some types of events, in pieces",
            Manner::Cuts,
            Wanted::all_of(a).only(KINDS[1]),
        )),
        plan("everything, steadily", Manner::Steady, Wanted::everything()),
        from_beginning(plan("everything, in pieces", Manner::Cuts, Wanted::everything())),
        plan("everything, whole, late", Manner::Lags, Wanted::everything().whole()),
        plan("everything, whole, slowly", Manner::Stalls, Wanted::everything().whole()),
        plan("a type, whole, slowly", Manner::Stalls, Wanted::all_of(b).whole()),
        plan("one source, anew with recent ones", Manner::BeginsAnew { recent: 10 }, shared()),
        plan("everything, anew", Manner::BeginsAnew { recent: 0 }, Wanted::everything()),
        plan("everything, away for long", Manner::GoesAway, Wanted::everything()),
    ]
}
