//! `kamscale.publications`: what the agent's last publications changed, as it wrote that down beside
//! its tables. This process may have seen none of them: it looks at tables only when it is asked.

use kamailio::rpc::{Args, Fault, Value};
use kamscale_shm::history::{Change, Publication};
use kamscale_shm::limits::HISTORY_SLOTS;

use crate::report::{int, word};
use crate::server::Server;
use crate::worker::Worker;

/// Publications of one answer without being asked for more.
const COUNT: usize = 10;
/// Bytes of changes in one answer, as jsonrpcs writes them: less than what a datagram carries. What
/// has no room is counted as left out.
const MAX_BYTES: usize = 96 << 10;
/// What jsonrpcs writes around the five texts of a change, and blanks and ends of lines.
const BYTES_AROUND: usize = 110;

/// `kamscale.publications [COUNT]`: newest first.
///
/// # Errors
/// 400 for a COUNT that is no number from 1 to [`HISTORY_SLOTS`].
pub fn publications(
    server: &Server,
    worker: &mut Worker,
    args: &mut Args<'_>,
) -> Result<Value, Fault> {
    let count = match args.optional() {
        None => COUNT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| (1..=HISTORY_SLOTS).contains(count))
            .ok_or_else(|| {
                let text = format!("COUNT is {text}: a number from 1 to {HISTORY_SLOTS}");
                Fault::bad_request(text)
            })?,
    };
    worker.refresh(server);
    let found = worker.publications(count);
    let mut left = MAX_BYTES;
    let mut publication = |one: &Publication| {
        let has_room = |change: &&Change| {
            let texts = [&change.pool, &change.member, &change.from, &change.to];
            let bytes = BYTES_AROUND + texts.map(String::len).iter().sum::<usize>();
            let fits = bytes <= left;
            left = if fits { left - bytes } else { 0 };
            fits
        };
        let told: Vec<Value> = one
            .changes
            .iter()
            .take_while(has_room)
            .map(change)
            .collect();
        report(one, told)
    };
    Ok(Value::List(found.iter().map(&mut publication).collect()))
}

fn report(one: &Publication, told: Vec<Value>) -> Value {
    Value::Struct(vec![
        (c"generation", int(one.generation)),
        (c"time_s", int(one.time_s)),
        (c"total", int(one.total)),
        (c"left_out", int(one.total.saturating_sub(told.len()))),
        (c"changes", Value::List(told)),
    ])
}

fn change(one: &Change) -> Value {
    Value::Struct(vec![
        (c"pool", word(&one.pool)),
        (c"member", word(&one.member)),
        (c"what", word(one.what.name())),
        (c"from", word(&one.from)),
        (c"to", word(&one.to)),
    ])
}
