//! By feature demand: everyone books the same hour. Rooms fill the conference pool above its threshold; a second server comes;
//! new rooms open there; the hour is over, the emptier server drains, waits for its last room, and goes. The queue goes on
//! as if nothing happened. Owns who calls when; what is judged stands in `judge`.

use std::time::Duration;

use serde_json::json;

use crate::phones::{OFFICE, Play};
use crate::story::{PATIENCE, Story};

/// Offices: who books, who is in meetings all day, who calls the queue.
pub(crate) const OFFICES: u32 = 3;
const BOOKERS: u32 = 0;
const REGULARS: u32 = 1;
const CUSTOMERS: u32 = 2;
/// Guests of a room.
const GUESTS: u32 = 3;
/// A meeting of the hour that everyone books. One ends and another begins until the hour is over, however long a server boots.
const MEETING: Duration = Duration::from_secs(40);
/// A meeting that began before the second server came and lasts longer than the hour, and some that begin on it: whichever
/// drains waits for its last room.
const LONG: Duration = Duration::from_secs(150);
const LATE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(15);
/// Shares of one server's capacity.
const BOOKED: f64 = 0.70;
const REGULAR: f64 = 0.12;
const LATE_BOOKED: f64 = 0.30;

/// From beginning to end, or to the newcomer's first rooms if something was killed for good.
pub(crate) fn play(story: &mut Story<'_>) -> Result<(), String> {
    let before = story.await_active(1)?;
    let capacity = {
        let now = story.watcher.now();
        let first = now
            .members("conference")
            .next()
            .map(|(_, m)| f64::from(m.capacity));
        first
            .filter(|c| *c > 0.0)
            .ok_or("the conference pool has no member with a capacity")?
    };
    begin(story, capacity)?;
    let guests = (BOOKED * capacity).ceil();
    story.note(
        "everyone books",
        json!({"guests": guests, "capacity": capacity}),
    );
    book(
        story,
        "room-hour",
        BOOKERS,
        guests / MEETING.as_secs_f64(),
        MEETING,
        f64::INFINITY,
    )?;
    story.await_crossing(|_, _| Ok(()))?;
    let long = f64::from(GUESTS);
    book(story, "room-long", REGULARS, long, LONG, long)?;
    story.inject()?;
    let came = story.await_newcomer(&before)?;
    let (late, host) = ((LATE_BOOKED * capacity).ceil(), came.host.clone());
    book(story, "room-late", BOOKERS, late / 10.0, LATE, late)?;
    story
        .watcher
        .until(&format!("rooms open on {}", came.name), PATIENCE, |now| {
            now.rooms.get(&host).filter(|open| **open > 0).map(|_| ())
        })?;
    story.note(
        "rooms open on the newcomer",
        json!(story.watcher.now().rooms),
    );
    if story.ends_early() {
        return Ok(());
    }
    let two = story.active();
    // Nobody comes any more, and nobody is hung up on.
    story.phones.farewell("room-hour")?;
    story.note("the hour is over", json!(story.watcher.now().rooms));
    story.await_departure(&two, before.len())
}

/// The phones are registered; the queue is called at an even pace, and some rooms are always open.
fn begin(story: &mut Story<'_>, capacity: f64) -> Result<(), String> {
    for office in 0..OFFICES {
        let what = Play {
            scenario: "world-register",
            office,
            rate: 12.0,
            talk: SHORT,
            times: None,
        };
        story.phones.start(&format!("phones-{office}"), what, &[])?;
    }
    story.await_registered((OFFICES * OFFICE) as usize)?;
    for office in 0..OFFICES {
        story.phones.pace(&format!("phones-{office}"), 1.0)?;
    }
    let what = Play {
        scenario: "world-call",
        office: CUSTOMERS,
        rate: 0.5,
        talk: Duration::from_secs(6),
        times: None,
    };
    story
        .phones
        .start("queue-even", what, &["queue-support".to_owned()])?;
    let rate = REGULAR * capacity / SHORT.as_secs_f64();
    book(story, "room-regular", REGULARS, rate, SHORT, f64::INFINITY)
}

/// So many guests altogether come into rooms of their own, one after the other.
fn book(
    story: &mut Story<'_>,
    name: &str,
    office: u32,
    rate: f64,
    talk: Duration,
    guests: f64,
) -> Result<(), String> {
    let of = name.trim_start_matches("room-");
    let rooms: Vec<String> = (0..3000)
        .map(|guest| format!("conf-{of}{}", guest / GUESTS))
        .collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small whole number"
    )]
    let times = guests.is_finite().then_some(guests as u32);
    let what = Play {
        scenario: "world-call",
        office,
        rate,
        talk,
        times,
    };
    story.phones.start(name, what, &rooms)
}
