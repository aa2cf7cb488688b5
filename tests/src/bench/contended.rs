//! How long one selection takes when nothing changes, and while tables are published all the time: 8 workers
//! under requests, each request tells how long its selection took.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kamscale_shm::Publisher;
use serde_json::{Value, json};

use super::figures::Goal;
use super::{cost, pools, published, script};
use crate::client::SipClient;
use crate::kamailio::Kamailio;
use crate::message::SipMessage;
use crate::report::{Figure, Report};
use crate::run::RunDir;

const WORKERS: usize = 8;
/// The machine has two cores: more callers only wait for each other.
const CALLERS: usize = 4;
/// Members of the pool.
const MEMBERS: usize = 10;
const PUBLICATIONS_PER_S: u32 = 1000;
/// Quiet and busy times take turns, so that what else the machine does hits both.
const TURNS: u32 = 4;
const TURN: Duration = Duration::from_millis(1500);
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two requests to a worker: busy, but not more than the machine can do, or the figure would say
/// how processes wait for each other.
const PACE: Duration = Duration::from_micros(500);

/// One socket, hence one worker, for each of the addresses.
fn config(list: &std::path::Path, more: &[SocketAddr]) -> String {
    let head = script::head(1, list, "modparam(\"kamscale\", \"failover\", 0)\n");
    let listens: String = more.iter().map(|a| format!("listen=udp:{a}\n")).collect();
    format!(
        "{listens}{head}request_route {{\n\
         \t$var(began) = $TV(Sn);\n\
         \tks_select_dst(\"{}\", \"round_robin\");\n\
         \t$var(answer) = $var(began) + \" \" + $TV(Sn);\n\
         \tsl_send_reply(\"200\", \"$var(answer)\");\n\texit;\n}}\n",
        pools::name(MEMBERS)
    )
}

/// Callers, each with its share of the workers, one request at a time, until they are told to stop.
struct Callers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<f64>>>,
}

impl Callers {
    fn start(run: &RunDir, targets: &[SocketAddr]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = targets.chunks(targets.len().div_ceil(CALLERS)).map(|mine| {
            let (client, stop, mine) = (SipClient::new(run), Arc::clone(&stop), mine.to_vec());
            std::thread::spawn(move || {
                let mut took = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    // A request to each of its workers, so that they run at the same time.
                    for target in &mine {
                        let request = client.request("OPTIONS", &format!("sip:{target}"));
                        client.send(&request, *target);
                    }
                    let replies = mine.iter().filter_map(|_| client.receive(PATIENCE));
                    took.extend(replies.filter_map(|reply| selection_us(&reply)));
                    // The pace of the requests, not a wait for anything.
                    std::thread::sleep(PACE);
                }
                took
            })
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    fn end(self) -> Vec<f64> {
        self.stop.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads.flat_map(|t| t.join().unwrap_or_default()).collect()
    }
}

/// Microseconds, by Kamailio's clock.
fn selection_us(reply: &SipMessage) -> Option<f64> {
    let mut times = reply.start_line().split(' ').skip(2);
    let mut time = || super::bed::microseconds(times.next()?);
    let (began, ended) = (time()?, time()?);
    Some(ended - began)
}

/// Publishes another table so many times a second, for so long; how many were published.
fn publish(publisher: &mut Publisher, time: Duration) -> u32 {
    let (began, mut published) = (Instant::now(), 0);
    let mut table = pools::table(&[MEMBERS]);
    while began.elapsed() < time {
        published += 1;
        table.pools[0].members[0].weight = 50 + u16::try_from(published % 50).unwrap_or(0);
        let done = publisher.publish(&table);
        done.unwrap_or_else(|e| panic!("publishing: {e}"));
        let due = Duration::from_secs(1) / PUBLICATIONS_PER_S * published;
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
    published
}

/// Of sorted values, the one below which this share of them is.
fn quantile(values: &[f64], share: f64) -> f64 {
    let count = cost::number(u64::try_from(values.len()).unwrap_or(0));
    let at = usize::try_from(cost::whole(count * share)).unwrap_or(0);
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// What a selection takes, in microseconds.
struct Taken {
    p50: f64,
    p99: f64,
    p999: f64,
    selections: usize,
}

impl Taken {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            p50: quantile(&values, 0.5),
            p99: quantile(&values, 0.99),
            p999: quantile(&values, 0.999),
            selections: values.len(),
        }
    }

    fn value(&self) -> Value {
        json!({
            "p50_us": self.p50, "p99_us": self.p99, "p999_us": self.p999,
            "selections": self.selections,
        })
    }
}

/// The figure.
pub fn selections(report: &mut Report) {
    eprintln!("bench: selections while tables are published");
    let (run, other) = (RunDir::new("contended"), RunDir::new("elsewhere"));
    let mut publisher = published(&run, &pools::table(&[MEMBERS]));
    let mut elsewhere = published(&other, &pools::table(&[MEMBERS]));
    let list = run.write("dispatcher.list", pools::dispatcher_list(&[MEMBERS]));
    let more: Vec<SocketAddr> = (1..WORKERS).map(|_| run.endpoint()).collect();
    let kamailio = Kamailio::with_text(&run, &config(&list, &more)).start();
    let targets: Vec<SocketAddr> = std::iter::once(kamailio.sip()).chain(more).collect();
    let mut taken = [const { Vec::new() }; 3];
    let mut tables = 0;
    for _ in 0..TURNS {
        let [quiet, busy, control] = &mut taken;
        let callers = Callers::start(&run, &targets);
        // The length of the measurement, not a wait for anything.
        std::thread::sleep(TURN);
        quiet.extend(callers.end());
        let callers = Callers::start(&run, &targets);
        tables += publish(&mut publisher, TURN);
        busy.extend(callers.end());
        let callers = Callers::start(&run, &targets);
        let _: u32 = publish(&mut elsewhere, TURN);
        control.extend(callers.end());
    }
    let workers = kamailio.observed(super::INSTANCE).workers;
    let applied: u64 = workers.iter().map(|w| w.applied).sum();
    let [quiet, busy, control] = taken.map(Taken::of);
    let goal = Goal::AtMost(2.0);
    let ratio = |is: &Taken| goal.ratio(Some(is.p999), Some(quiet.p999));
    let how = format!(
        "p99.9 of a selection {} against {} us when nothing changes (p99 {} and {}, p50 {} and {}), the two \
         looks at the clock included; {WORKERS} workers on {} cores, {tables} tables of {MEMBERS} members in \
         {:.0} s, applied {applied} times",
        busy.p999,
        quiet.p999,
        busy.p99,
        quiet.p99,
        busy.p50,
        quiet.p50,
        std::thread::available_parallelism().map_or(1, usize::from),
        (TURN * TURNS).as_secs_f64(),
    );
    let name = "select.contended.p999";
    report.figure(
        Figure::new(name, ratio(&busy), "ratio")
            .target(&goal.text(), goal.is_met(ratio(&busy)))
            .sides(busy.value(), quiet.value())
            .how(how),
    );
    report.figure(
        Figure::new(&format!("{name}.elsewhere"), ratio(&control), "ratio")
            .sides(control.value(), quiet.value())
            .how(
                "the same publisher at work for another Kamailio: nothing changes here, so this is what \
                 sharing the cores costs",
            ),
    );
}
