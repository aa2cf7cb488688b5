//! kill -9 between real processes, at random moments, on either side and on both: what loom cannot
//! see (invariant 4). The tables, counters and overrides must come through, and whoever is started
//! again goes on.
//!
//! The test binary starts itself: a *role* is a test that does nothing unless the environment
//! chooses it. `KAMSCALE_KILL_ROUNDS` makes it longer, `KAMSCALE_KILL_SEED` repeats the delays.

#![cfg(test)]

mod checker;
mod desired_file;
mod generation;
mod kamailio;
mod killing;
mod moments;
mod process;
mod publisher;
mod reader;
mod watcher;

use std::time::Duration;

use desired_file::Raw;
use killing::{Killed, kill_publisher, live_and_die};
use moments::{Draw, await_some, rounds};
use process::{Process, in_role};
use watcher::{Watcher, assert_resident_rows};

const INSTANCE: &str = "k";

#[test]
fn role_publisher() {
    if let Some(dir) = in_role("role_publisher") {
        publisher::run(&dir);
    }
}

#[test]
fn role_reader() {
    if let Some(dir) = in_role("role_reader") {
        reader::run(&dir);
    }
}

#[test]
fn role_kamailio() {
    if let Some(dir) = in_role("role_kamailio") {
        kamailio::run(&dir);
    }
}

#[test]
fn a_publisher_killed_at_any_moment_leaves_whole_tables_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut draw = Draw::announced("publisher killed");
    let mut readers = [(); 2].map(|()| Process::start("role_reader", dir.path()));
    let mut publisher = Process::start("role_publisher", dir.path());
    let raw = await_some("the first table", || {
        Raw::of(dir.path()).filter(|raw| raw.generation() > 0)
    });
    let mut killed = Killed::default();
    for _ in 0..rounds(48) {
        kill_publisher(publisher, &raw, &mut draw, &mut killed);
        publisher = Process::start("role_publisher", dir.path());
        if draw.below(2) == 0 {
            for reader in &mut readers {
                await_some("a newer generation at a reader after a restart", || {
                    (reader.ask()[0] > killed.generation).then_some(())
                });
            }
        }
    }
    for reader in &mut readers {
        await_some(
            "a newer generation at a reader after the last restart",
            || (reader.ask()[0] > killed.generation).then_some(()),
        );
    }
    let file = Raw::of(dir.path()).unwrap().identity();
    assert_eq!(
        file,
        raw.identity(),
        "a restart made a new file, and so forgot the table"
    );
    publisher.end();
    println!("{killed:?}; generation {} at the end", raw.generation());
    for reader in readers {
        let report = reader.end();
        println!(
            "a reader: {} tables applied and checked, {} torn",
            report[1], report[2]
        );
    }
}

#[test]
fn a_kamailio_killed_at_any_moment_leaves_right_counters_and_the_operators_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut draw = Draw::announced("kamailio killed");
    let mut watcher = Watcher::default();
    let lives = rounds(48);
    for _ in 0..lives {
        live_and_die(dir.path(), &mut watcher, &mut draw);
    }
    let kamailio = Process::start("role_kamailio", dir.path());
    watcher.after_birth(dir.path());
    kamailio.end();
    let last = watcher.look(dir.path()).unwrap();
    assert!(last.closed, "one that ended in order does not say so");
    let (boots, snapshots) = (watcher.boots.len(), watcher.snapshots);
    println!("{lives} kills, {boots} boot ids, {snapshots} snapshots");
}

#[test]
fn both_sides_killed_at_any_moment_find_each_other_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut draw = Draw::announced("both killed");
    let (mut watcher, mut killed) = (Watcher::default(), Killed::default());
    let mut publisher = Process::start("role_publisher", dir.path());
    let raw = await_some("the first table", || {
        Raw::of(dir.path()).filter(|raw| raw.generation() > 0)
    });
    for _ in 0..rounds(30) {
        let mut kamailio = Process::start("role_kamailio", dir.path());
        watcher.after_birth(dir.path());
        kamailio.tell("go");
        let (first, both) = (draw.below(2) == 0, draw.below(3) == 0);
        if first || both {
            kill_publisher(publisher, &raw, &mut draw, &mut killed);
            if !both {
                // Kamailio goes on by the last table; the next agent is heard.
                publisher = Process::start("role_publisher", dir.path());
                await_some("the next agent's table in Kamailio", || {
                    (kamailio.ask()[0] > killed.generation).then_some(())
                });
            } else {
                publisher = Process::start("role_publisher", dir.path());
            }
        } else {
            await_some("the agent's table in a new Kamailio", || {
                (kamailio.ask()[0] > 0).then_some(())
            });
        }
        draw.wait_up_to(Duration::from_millis(10));
        kamailio.kill();
        killed.kamailios += 1;
        watcher.after_death(dir.path());
        assert_resident_rows(watcher.last.as_ref().unwrap());
    }
    publisher.end();
    let (boots, end) = (watcher.boots.len(), raw.generation());
    println!(
        "{killed:?}; {boots} boot ids, {} snapshots, generation {end}",
        watcher.snapshots
    );
}
