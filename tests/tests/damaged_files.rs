//! The shared files are cut, gone, or something else: Kamailio lives, routes by the last good table,
//! reports it, and uses the next good file by itself.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use kamscale_shm::layout::DesiredFile;
use kamscale_tests::{AgentSetup, Kamailio, Member, PATIENCE, RunDir, SipClient, wait_until};

use crate::damage::{MEMBERS, Site, write};
use crate::elastic::{await_table, call};
use crate::load::{marked, pids};

/// Replaces the file by one that says to be of another layout.
fn other_version(path: &Path) {
    let copy = path.with_extension("other");
    fs::copy(path, &copy).unwrap();
    write(&copy, 8, &9_u32.to_le_bytes());
    fs::rename(&copy, path).unwrap();
}

#[test]
fn a_file_that_is_cut_gone_or_something_else_is_replaced_by_the_next_good_one() {
    type Damage = fn(&Path);
    let run = RunDir::new("other files");
    let mut site = Site::start(&run);
    let cut = |path: &Path, size| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(size)
            .unwrap()
    };
    for size in [0, 127, 4096 + 5, size_of::<DesiredFile>() as u64 - 1] {
        cut(&site.desired(), size);
        site.goes_on();
        site.looked();
        site.heals(&format!("a cut to {size} bytes"));
    }
    let damages: [(&str, Damage); 5] = [
        ("its removal", |path| fs::remove_file(path).unwrap()),
        ("another version", other_version),
        ("a lost permission", |path| {
            fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        }),
        ("a fifo", |path| {
            fs::remove_file(path).unwrap();
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("a directory", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for (what, damage) in damages {
        damage(&site.desired());
        site.goes_on();
        site.looked();
        if site.desired().is_dir() {
            // No program may put a file in the place of a directory: that is for the operator.
            assert!(site.publisher.publish(&marked(site.mark, MEMBERS)).is_err());
            fs::remove_dir(site.desired()).unwrap();
        }
        site.heals(what);
    }
    site.reported("the agent's file cannot be used");
    site.end();
}

#[test]
fn an_agent_of_another_release_is_named_in_the_log() {
    let run = RunDir::new("version");
    let mut site = Site::start(&run);
    other_version(&site.desired());
    site.looked();
    site.reported("has layout 9.");
    site.heals("another version");
    site.end();
}

#[test]
fn a_cut_observed_file_costs_its_counts_and_nothing_else() {
    let run = RunDir::new("observed");
    let site = Site::start(&run);
    let path = run.shm_dir().join("default.observed");
    for size in [4096 + 5, 0] {
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(size).unwrap();
        site.load.go_on(500);
        assert_eq!(pids(&site.kamailio), site.pids);
        assert_eq!(site.status("generation"), 1);
    }
    let mut site = site;
    site.mark += 1;
    site.publisher.publish(&marked(site.mark, MEMBERS)).unwrap();
    wait_until("tables are still applied", PATIENCE, || {
        site.load.newest() == site.mark
    });
    assert_eq!(pids(&site.kamailio), site.pids);
    let totals = site.load.stop();
    assert!(totals.failures.is_empty(), "{:#?}", totals.failures);
    site.kamailio.restart();
    assert!(site.kamailio.observed("default").heartbeat_age_s < 5.0);
}

#[test]
fn the_real_agent_puts_a_good_file_in_the_place_of_a_damaged_one() {
    let run = RunDir::new("agent heals");
    let one = Member::start(run.endpoint());
    let kamailio = Kamailio::minimal(&run).start();
    let uri = one.uri();
    let queue =
        format!("[pools.queue]\n[[pools.queue.members]]\nname = \"one\"\nuri = \"{uri}\"\n");
    let agent = AgentSetup::new(&run, &queue).start();
    await_table(&kamailio, &agent);
    let client = SipClient::new(&run);
    let path = run.shm_dir().join("default.desired");
    let damages: [fn(&Path); 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| {
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(0)
                .unwrap()
        },
        |path| write(path, 0, &[0xff; 128]),
    ];
    for damage in damages {
        let before = agent.cli(&["status"])["generation"].clone();
        damage(&path);
        wait_until("the agent has published it again", PATIENCE, || {
            agent.cli(&["status"])["generation"].as_u64() > before.as_u64()
        });
        await_table(&kamailio, &agent);
        let (live, _) = call(&client, &kamailio, "queue-1");
        assert_eq!(live.bye(), 200);
    }
    let events = agent.events();
    let tables = events
        .iter()
        .filter(|e| e["event"] == "generation_published");
    assert!(tables.count() > 3, "each damage was answered by a table");
}
