//! Reports of hand-made runs: the table's text, the JSON's shape, and what the page must never hold.

use super::*;
use crate::simulate::{Figures, Mark, Point};

mod course;

fn outcome(policy: &str, seed: u64, lost: u64, cut: u64, hours: f64) -> Outcome {
    course::outcome(
        policy,
        seed,
        Figures {
            offered_calls: 81_204,
            lost_calls: lost,
            lost_share: summary::decimal(lost) / 81_204.0,
            cut_calls: cut,
            crashed_calls: 0,
            member_hours: hours,
            actions: 48,
            reversals_15min: cut / 10,
            surge_to_capacity_s: None,
            least_member_hours: 250.0,
        },
    )
}

fn three_policies() -> Report {
    let mut outcomes = Vec::new();
    for (seed, more) in [(1, 0), (2, 3), (3, 9)] {
        let hours = f64::from(u32::try_from(more).unwrap());
        outcomes.push(outcome("kamscale", seed, more, 0, 340.0 + hours));
        outcomes.push(outcome("jitsi", seed, 1_310 + more, 44, 300.0));
        outcomes.push(outcome("optimum", seed, 0, 0, 260.0));
    }
    report(outcomes)
}

fn report(outcomes: Vec<Outcome>) -> Report {
    let about = About {
        name: "diurnal".into(),
        title: "A working day".into(),
        starts_at_s: 0.0,
    };
    let policies = [
        ("kamscale", "The plan function"),
        ("jitsi", "<b>Thresholds</b> & \"grace\""),
    ];
    let policies = policies.map(|(name, title)| (name.to_owned(), title.to_owned()));
    Report::new(vec![about], policies.into(), outcomes)
}

#[test]
fn the_table_shows_median_and_worst_of_each_policy() {
    let text = three_policies().table();
    let expected = "\
diurnal: A working day
81,204 calls offered, median (worst) of 3 seeds
POLICY            LOST SHARE  CUT CALLS  MEMBER-HOURS    X OPTIMUM  ACTIONS  REVERSALS  SURGE TO CAPACITY
kamscale  0.0037 % (0.011 %)      0 (0)     343 (349)  1.32 (1.34)  48 (48)      0 (0)                  -
jitsi        1.62 % (1.62 %)    44 (44)     300 (300)  1.15 (1.15)  48 (48)      4 (4)                  -
optimum            0 % (0 %)      0 (0)     260 (260)  1.00 (1.00)  48 (48)      0 (0)                  -
";
    assert_eq!(text, expected);
}

#[test]
fn one_seed_has_no_worst_and_without_the_optimum_there_is_no_ratio() {
    let mut one = outcome("kamscale", 7, 0, 0, 40.25);
    one.figures.surge_to_capacity_s = Some(95.0);
    let text = report(vec![one]).table();
    let row = text.lines().last().unwrap();
    let cells: Vec<&str> = row
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect();
    assert_eq!(
        cells,
        ["kamscale", "0 %", "0", "40.2", "-", "48", "0", "95 s"]
    );
    assert!(text.contains("calls offered, seed 7"), "{text}");
}

#[test]
fn json_has_all_figures_of_each_run_and_the_summary() {
    let value = three_policies().json();
    let scenario = &value["scenarios"][0];
    assert_eq!(scenario["name"], "diurnal");
    assert_eq!(scenario["runs"].as_array().unwrap().len(), 9);
    assert_eq!(scenario["runs"][3]["seed"], 2);
    assert_eq!(scenario["runs"][3]["figures"]["lost_calls"], 3);
    assert_eq!(scenario["summary"][0]["policy"], "kamscale");
    assert_eq!(scenario["summary"][0]["lost_calls"]["worst"], 9.0);
    assert_eq!(scenario["summary"][0]["member_hours"]["median"], 343.0);
    assert_eq!(
        scenario["summary"][1]["surge_to_capacity_s"],
        serde_json::Value::Null
    );
}

#[test]
fn the_verdict_names_both_sides_honestly() {
    let verdict = |ours: (u64, u64), theirs: (u64, u64)| {
        let runs = [
            outcome("kamscale", 1, ours.0, ours.1, 1.0),
            outcome("jitsi", 1, theirs.0, theirs.1, 1.0),
            outcome("talk", 1, 50_000, 0, 1.0),
            outcome("optimum", 1, 0, 0, 1.0),
        ];
        words::verdict(&runs.iter().collect::<Vec<_>>())
    };
    assert_eq!(
        verdict((3, 0), (1_310, 0)),
        "Kamscale lost 3 of 81,204 calls and cut none; the best rival, jitsi, lost 1,310."
    );
    assert_eq!(
        verdict((0, 0), (0, 12)),
        "Kamscale took all 81,204 calls and cut none; the best rival, jitsi, lost none, but cut 12."
    );
    assert_eq!(
        verdict((0, 0), (0, 0)),
        "Kamscale took all 81,204 calls and cut none; jitsi did as well."
    );
    assert!(verdict((50_000, 0), (50_000, 0)).ends_with("jitsi and talk did as well."));
    assert_eq!(
        verdict((30, 2), (7, 1)),
        "Kamscale lost 30 of 81,204 calls and cut 2; jitsi did better: it lost 7 and cut 1."
    );
}

#[test]
fn the_day_that_is_drawn_is_the_median_and_the_same_for_all() {
    let drawn = &three_policies().scenarios[0];
    assert_eq!(drawn.drawn_seed(), 2);
    assert!(drawn.drawn().iter().all(|run| run.seed == 2));
    assert_eq!(drawn.drawn().len(), 3);
}

#[test]
fn the_page_loads_nothing_from_anywhere() {
    let page = three_policies().html();
    for outside in [
        "http:", "https:", "//fonts", "src=", "@import", "url(", "<link",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
    assert_eq!(page.matches("<figure").count(), 3);
    assert_eq!(page.matches("role=\"img\"").count(), 3);
}

#[test]
fn text_from_outside_cannot_become_markup() {
    let mut run = outcome("<script>alert(1)</script>", 1, 0, 0, 1.0);
    run.marks.push(Mark {
        t_s: 60.0,
        what: "</svg><img>".into(),
        count: 1,
        reason: "\"quoted\" & <b>bold</b>\u{1}".into(),
    });
    run.marks.push(Mark {
        t_s: 90.0,
        what: "boot".into(),
        count: 2,
        reason: "x".repeat(1_000) + "</title>",
    });
    let jitsi = outcome("jitsi", 1, 0, 0, 1.0);
    let page = report(vec![run, jitsi]).html();
    for forbidden in [
        "<script>alert",
        "</svg><img>",
        "<b>bold",
        "\u{1}",
        "<b>Thresholds",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("&lt;b&gt;Thresholds&lt;/b&gt; &amp; &quot;grace&quot;"));
    assert!(page.contains("xxx…"));
}

#[test]
fn a_day_of_seven_policies_stays_below_two_megabytes() {
    let names = [
        "kamscale",
        "talk",
        "aodh",
        "hpa",
        "target_tracking",
        "jitsi",
        "optimum",
    ];
    let outcomes = names.iter().map(|name| {
        let mut run = outcome(name, 1, 5_000, 300, 300.0);
        run.marks = (0..1_440_u32)
            .map(|minute| Mark {
                t_s: f64::from(minute) * 60.0,
                what: ["boot", "drain", "remove"][minute as usize % 3].into(),
                count: 1,
                reason: "calls 3120 of 4000 (78 %); 20 active; wanted 23; adding 3".into(),
            })
            .collect();
        run
    });
    let page = report(outcomes.collect()).html();
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn a_run_without_points_is_drawn_too() {
    let mut empty = outcome("kamscale", 1, 0, 0, 0.0);
    empty.points = Vec::<Point>::new();
    empty.duration_s = 0.0;
    assert!(report(vec![empty]).html().contains("<figure"));
}

#[test]
fn the_axis_tells_hours_and_days_as_people_write_them() {
    let hours = |duration_h: f64, from_h: f64| {
        let mut run = outcome("kamscale", 1, 0, 0, 1.0);
        run.duration_s = duration_h * 3_600.0;
        let mut report = report(vec![run]);
        report.scenarios[0].about.starts_at_s = from_h * 3_600.0;
        let page = report.html();
        let labels = page.split("<g class=\"hours\">").nth(1).unwrap();
        let labels = labels.split("</g>").next().unwrap().split("</text>");
        let labels: Vec<String> = labels
            .filter_map(|label| label.rsplit('>').next())
            .map(str::to_owned)
            .collect();
        labels.join(" ").trim().to_owned()
    };
    assert_eq!(
        hours(24.0, 0.0),
        "00:00 03:00 06:00 09:00 12:00 15:00 18:00 21:00 24:00"
    );
    assert_eq!(hours(1.0, 8.25), "08:20 08:30 08:40 08:50 09:00 09:10");
    assert_eq!(
        hours(8.0, 20.0),
        "20:00 21:00 22:00 23:00 00:00 01:00 02:00 03:00 04:00"
    );
    assert_eq!(hours(72.0, 8.0), "12:00 day 2 12:00 day 3 12:00 day 4");
    assert_eq!(hours(24.0 * 31.0, 0.0), "day 1 day 8 day 15 day 22 day 29");
}
