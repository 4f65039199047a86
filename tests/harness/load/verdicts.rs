//! From an answer to the verdict on each of its events, and whether the answer is of one piece.

use serde_json::Value;

use super::connection::Answer;
use super::journal::Verdict;

/// The verdict on the event that was posted alone.
pub fn of_single(answer: &Answer) -> Result<Verdict, String> {
    match answer.status.as_u16() {
        201 => Ok(Verdict::Stored(cursor(&answer.body)?)),
        _ => of_refusal(answer),
    }
}

/// The verdicts on the events of a batch, in order.
pub fn of_batch(answer: &Answer, ids: &[String]) -> Result<Vec<Verdict>, String> {
    let Some(results) = answer.body["results"].as_array() else {
        return Ok(vec![of_refusal(answer)?; ids.len()]);
    };
    if results.len() != ids.len() {
        return Err(format!("{} results for {} events", results.len(), ids.len()));
    }
    let verdicts = results.iter().zip(ids).map(|(item, id)| of_item(item, id));
    let verdicts = verdicts.collect::<Result<Vec<_>, _>>()?;
    agrees(answer, &verdicts)?;
    Ok(verdicts)
}

fn of_item(item: &Value, id: &str) -> Result<Verdict, String> {
    if item["id"] != *id {
        return Err(format!("the result of {id} is {item}"));
    }
    match item["status"].as_str() {
        Some("stored") => Ok(Verdict::Stored(cursor(item)?)),
        Some("not_stored") => Ok(Verdict::NotStored),
        Some("unknown") => Ok(Verdict::Unknown),
        _ => Err(format!("no outcome: {item}")),
    }
}

/// A status says something of all events, and must not say more than their results do.
fn agrees(answer: &Answer, verdicts: &[Verdict]) -> Result<(), String> {
    let has = |wanted: fn(&Verdict) -> bool| verdicts.iter().any(wanted);
    let stored = has(|verdict| matches!(verdict, Verdict::Stored(_)));
    let not_stored = has(|verdict| *verdict == Verdict::NotStored);
    let unknown = has(|verdict| *verdict == Verdict::Unknown);
    let expected = match (stored, not_stored, unknown) {
        (true, false, false) => &[201][..],
        (true, ..) => &[207],
        (false, _, true) => &[504],
        (false, _, false) => &[503, 413],
    };
    let status = answer.status.as_u16();
    if expected.contains(&status) {
        return Ok(());
    }
    Err(format!("status {status} for results with stored: {stored}, unknown: {unknown}"))
}

fn of_refusal(answer: &Answer) -> Result<Verdict, String> {
    match answer.status.as_u16() {
        503 if answer.retry_after.is_none() => Err("503 without Retry-After".into()),
        503 | 413 | 408 => Ok(Verdict::NotStored),
        504 => Ok(Verdict::Unknown),
        status => Err(format!("status {status}: {}", answer.body)),
    }
}

fn cursor(body: &Value) -> Result<Option<dual_stream::cursor::Cursor>, String> {
    match &body["cursor"] {
        Value::Null => Ok(None),
        text => {
            let cursor = text.as_str().and_then(|text| text.parse().ok());
            cursor.map(Some).ok_or_else(|| format!("no cursor: {body}"))
        }
    }
}
