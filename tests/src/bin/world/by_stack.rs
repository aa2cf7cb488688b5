//! By stack: the biggest customer's network comes back. Its offices register, call and watch busy lamps again, all at once,
//! until the CCP tier is above its threshold; a third CCP comes, takes its share, and goes when the flood is over. Owns who
//! calls when; what is judged stands in `judge`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::phones::{OFFICE, Play, user};
use crate::story::{PATIENCE, Story};

/// Who is there all day.
const STEADY: [u32; 2] = [0, 1];
/// The customer's offices.
const FLOOD: std::ops::Range<u32> = 2..10;
/// Offices altogether.
pub(crate) const OFFICES: u32 = FLOOD.end;
/// The tier shall be so far above its threshold that one moment's luck does not end the flood's rise.
const ENOUGH: f64 = 0.62;
/// Of one office, in a second.
const REGISTRATIONS: f64 = 5.0;
const CALLS: f64 = 0.4;
const WATCHES: f64 = 0.4;
/// Registrations of an office after the flood, in a second.
const QUIET: f64 = 0.2;
/// What an office brings is seen in the tier's load only after a while.
const WAVE: Duration = Duration::from_secs(2);
const TALK: Duration = Duration::from_secs(8);
/// Calls after which a newcomer has more than luck.
const SHARE: u64 = 8;

/// When all offices are there and the tier still has room, phones register so much oftener, up to the last of these; and so
/// much less often when it has none: the tier is to be busy, not drowned.
const OFTENER: f64 = 1.25;
const OFTENEST: f64 = 6.0;

/// What has not come yet.
struct Flood {
    waves: Vec<Wave>,
    last: Instant,
    pace: f64,
}

/// One step of the flood.
#[derive(Clone, Copy)]
enum Wave {
    Register(u32),
    Call(u32),
    Watch(u32),
}

impl Flood {
    fn new() -> Self {
        Self {
            waves: waves(),
            last: Instant::now(),
            pace: 1.0,
        }
    }

    /// One wave more, if the tier has room for it; less of what is there, if not.
    fn rise(&mut self, story: &mut Story<'_>, load: f64) -> Result<(), String> {
        if self.last.elapsed() < WAVE {
            return Ok(());
        }
        self.last = Instant::now();
        let has_room = load < ENOUGH;
        let ready = self.waves.iter().position(|wave| may_begin(story, *wave));
        if let Some(at) = ready.filter(|_| has_room) {
            return flood(story, self.waves.remove(at));
        }
        let pace = if has_room {
            self.pace * OFTENER
        } else {
            self.pace / OFTENER
        };
        let pace = pace.clamp(1.0, OFTENEST);
        if (pace - self.pace).abs() < 0.01 {
            return Ok(());
        }
        self.pace = pace;
        story.phones.pace("phones-flood", REGISTRATIONS * pace)
    }
}

/// From beginning to end, or to the newcomer's first calls if something was killed for good.
pub(crate) fn play(story: &mut Story<'_>) -> Result<(), String> {
    let before = story.await_active(2)?;
    begin(story)?;
    let mut flood = Flood::new();
    story.note(
        "flood begins",
        json!({"offices": FLOOD.len(), "subscribers": FLOOD.len() * OFFICE as usize}),
    );
    let mut next = |story: &mut Story<'_>, load: f64| flood.rise(story, load);
    story.await_crossing(&mut next)?;
    story.inject()?;
    // What is above the threshold for one look only is no flood yet.
    let end = Instant::now() + PATIENCE;
    while story.watcher.now().members("ccp").count() <= before.len() && Instant::now() < end {
        let load = story.kind.load(&story.watcher.now()).unwrap_or(0.0);
        next(story, load)?;
        std::thread::sleep(Duration::from_millis(500));
    }
    let came = story.await_newcomer(&before)?;
    let name = came.name.clone();
    story
        .watcher
        .until(&format!("{name} takes its share"), PATIENCE, |now| {
            let mut members = now.members("ccp");
            members
                .any(|(n, m)| *n == name && m.calls_total >= SHARE)
                .then_some(())
        })?;
    story.note(
        "newcomer has its share",
        json!(story.watcher.now().pools.get("ccp")),
    );
    let three = story.active();
    story.note("flood ends", json!(null));
    for callers in ["call-flood", "watch-flood"] {
        story.phones.hush(callers);
    }
    // Phones answer until the last call to them is over: hushed, their sipp would end with its own last REGISTER.
    story.phones.pace("phones-flood", QUIET)?;
    story.phones.farewell("call-flood")?;
    story.phones.stop("watch-flood");
    story.phones.stop("phones-flood");
    if story.ends_early() {
        return Ok(());
    }
    story.await_departure(&three, 2)
}

/// Everyday traffic, and everybody of it is registered before the first call.
fn begin(story: &mut Story<'_>) -> Result<(), String> {
    for office in STEADY {
        let name = format!("phones-steady-{office}");
        let what = Play {
            scenario: "world-register",
            office,
            rate: REGISTRATIONS * 3.0,
            talk: TALK,
            times: None,
        };
        story.phones.start(&name, what, &[])?;
    }
    let all = STEADY.len() * OFFICE as usize;
    story.await_registered(all)?;
    for office in STEADY {
        // From now on as often as phones do that nothing has happened to.
        story.phones.pace(&format!("phones-steady-{office}"), 1.0)?;
        call(story, &format!("call-steady-{office}"), office, CALLS / 2.0)?;
    }
    Ok(())
}

/// The first offices register; when they are there, they call, too, while the next ones register.
fn waves() -> Vec<Wave> {
    let mut waves = Vec::new();
    for office in FLOOD {
        waves.push(Wave::Register(office));
        if office >= FLOOD.start + 2 {
            waves.push(Wave::Call(office - 2));
            waves.push(Wave::Watch(office - 2));
        }
    }
    for office in FLOOD.end - 2..FLOOD.end {
        waves.push(Wave::Call(office));
    }
    waves
}

/// Only who is registered is called: all of an office, before its first call.
fn may_begin(story: &Story<'_>, wave: Wave) -> bool {
    let Wave::Call(office) = wave else {
        return true;
    };
    let ledger = story.ledger();
    let is_there = |phone| ledger.registered.contains_key(&user(office, phone));
    (0..OFFICE).all(is_there)
}

fn flood(story: &mut Story<'_>, wave: Wave) -> Result<(), String> {
    match wave {
        Wave::Register(office) => {
            let what = Play {
                scenario: "world-register",
                office,
                rate: REGISTRATIONS,
                talk: TALK,
                times: None,
            };
            story
                .phones
                .start(&format!("phones-flood-{office}"), what, &[])
        }
        Wave::Call(office) => call(story, &format!("call-flood-{office}"), office, CALLS),
        Wave::Watch(office) => {
            let what = Play {
                scenario: "world-watch",
                office,
                rate: WATCHES,
                talk: Duration::from_secs(30),
                times: None,
            };
            let watched: Vec<String> = (0..OFFICE)
                .map(|phone| user(office, (phone + 1) % OFFICE))
                .collect();
            story
                .phones
                .start(&format!("watch-flood-{office}"), what, &watched)
        }
    }
}

/// Phones of an office call each other.
fn call(story: &mut Story<'_>, name: &str, office: u32, rate: f64) -> Result<(), String> {
    let callees: Vec<String> = (0..OFFICE)
        .map(|phone| user(office, (phone + OFFICE / 2) % OFFICE))
        .collect();
    let what = Play {
        scenario: "world-call",
        office,
        rate,
        talk: TALK,
        times: None,
    };
    story.phones.start(name, what, &callees)
}
