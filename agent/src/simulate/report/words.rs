//! Words and numbers of reports: the verdict in one sentence, counts with separators, durations.

use super::Section;
use super::summary::{OPTIMUM, times_optimum};
use crate::simulate::{Figures, Outcome};

/// The policy that the verdict is about.
pub(super) const OWN: &str = "kamscale";

/// A count with separators, as `81,204`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure that is a count, though it went through a median.
pub(super) fn whole(number: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of floats saturates"
    )]
    count(number.round() as u64)
}

/// A share, as `0.0043 %`: two digits that count, so that a small loss is not shown as none.
pub(super) fn share(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p <= 0.0 => "0 %".into(),
        p if p < 0.000_1 => "<0.0001 %".into(),
        p if p < 0.001 => format!("{p:.5} %"),
        p if p < 0.01 => format!("{p:.4} %"),
        p if p < 0.1 => format!("{p:.3} %"),
        p if p < 10.0 => format!("{p:.2} %"),
        p => format!("{p:.1} %"),
    }
}

/// Member-hours, as `340` or `4.2`.
pub(super) fn hours(hours: f64) -> String {
    if hours < 100.0 {
        format!("{hours:.1}")
    } else {
        whole(hours)
    }
}

/// A duration, as `95 s` or `12 min`.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

/// A time of the day, as `08:30`; the minute that has begun, as clocks show it.
pub(super) fn clock(of_day_s: f64) -> String {
    let minutes = (of_day_s / 60.0).floor().rem_euclid(1_440.0);
    format!("{:02.0}:{:02.0}", (minutes / 60.0).floor(), minutes % 60.0)
}

/// A policy as it stands in a sentence.
pub(super) fn display(policy: &str) -> &str {
    if policy == OWN { "Kamscale" } else { policy }
}

/// The verdict about the drawn day: what our own policy did to callers, and the best rival.
pub(super) fn verdict(drawn: &[&Outcome]) -> String {
    let Some(own) = drawn.iter().find(|run| run.policy == OWN) else {
        return best(drawn).map_or(String::new(), |best| {
            format!("{} {}.", display(&best.policy), did(&best.figures))
        });
    };
    let rivals: Vec<&Outcome> = drawn
        .iter()
        .copied()
        .filter(|run| ![OWN, OPTIMUM].contains(&run.policy.as_str()))
        .collect();
    let own_did = format!("Kamscale {}", did(&own.figures));
    let Some(rival) = best(&rivals) else {
        return format!("{own_did}.");
    };
    let name = display(&rival.policy);
    let (ours, theirs) = (harm(&own.figures), harm(&rival.figures));
    let second = match theirs.cmp(&ours) {
        std::cmp::Ordering::Greater if rivals.len() == 1 => {
            format!("{name} {}", harm_in_words(&rival.figures))
        }
        std::cmp::Ordering::Greater => {
            format!("the best rival, {name}, {}", harm_in_words(&rival.figures))
        }
        std::cmp::Ordering::Equal => {
            let equals = rivals.iter().filter(|run| harm(&run.figures) == ours);
            let names: Vec<&str> = equals.map(|run| display(&run.policy)).collect();
            format!("{} did as well", listed(&names))
        }
        std::cmp::Ordering::Less => {
            format!("{name} did better: it {}", harm_in_words(&rival.figures))
        }
    };
    format!("{own_did}; {second}.")
}

/// As `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What it cost, and which day is drawn.
pub(super) fn footing(section: &Section, drawn: &[&Outcome]) -> String {
    let cost = |run: &Outcome| {
        let times = times_optimum(section, run).map_or(String::new(), |times| {
            format!(", {times:.2} times the optimum")
        });
        let name = display(&run.policy);
        format!(
            "{name} used {} member-hours{times}",
            hours(run.figures.member_hours)
        )
    };
    let own = drawn.iter().find(|run| run.policy == OWN).or(drawn.first());
    let rivals: Vec<&Outcome> = drawn
        .iter()
        .copied()
        .filter(|run| ![OWN, OPTIMUM].contains(&run.policy.as_str()))
        .collect();
    let mut costs: Vec<String> = own.iter().map(|run| cost(run)).collect();
    if let (Some(rival), Some(own)) = (best(&rivals), own)
        && rival.policy != own.policy
    {
        costs.push(cost(rival));
    }
    let seed = section.drawn_seed();
    let day = match section.seeds().len() {
        1 => format!("Drawn is seed {seed}."),
        2 => format!("Drawn is seed {seed}, the worse of two."),
        many => format!("Drawn is seed {seed}, the median of {many}."),
    };
    format!("{}. {}{day}", costs.join("; "), worst_day(section, drawn))
}

/// What our own policy did on its worst day, if that was not the drawn one.
fn worst_day(section: &Section, drawn: &[&Outcome]) -> String {
    let runs = section.runs_of(OWN);
    let Some(worst) = runs.iter().max_by_key(|run| harm(&run.figures)) else {
        return String::new();
    };
    let as_drawn = |run: &&Outcome| run.policy == OWN && harm(&run.figures) == harm(&worst.figures);
    if drawn.iter().any(as_drawn) {
        return String::new();
    }
    format!(
        "With the worst of all seeds Kamscale {}. ",
        harm_in_words(&worst.figures)
    )
}

fn harm(figures: &Figures) -> u64 {
    figures.lost_calls + figures.cut_calls
}

/// The one that harmed the fewest callers, and of equals the cheapest.
fn best<'a>(runs: &[&'a Outcome]) -> Option<&'a Outcome> {
    runs.iter().copied().min_by(|a, b| {
        let hours = a.figures.member_hours.total_cmp(&b.figures.member_hours);
        harm(&a.figures).cmp(&harm(&b.figures)).then(hours)
    })
}

fn did(figures: &Figures) -> String {
    let offered = count(figures.offered_calls);
    let cut = cut_in_words(figures.cut_calls);
    if figures.lost_calls == 0 {
        format!("took all {offered} calls and {cut}")
    } else {
        format!(
            "lost {} of {offered} calls and {cut}",
            count(figures.lost_calls)
        )
    }
}

fn harm_in_words(figures: &Figures) -> String {
    match (figures.lost_calls, figures.cut_calls) {
        (0, 0) => "lost and cut none".into(),
        (0, cut) => format!("lost none, but {}", cut_in_words(cut)),
        (lost, 0) => format!("lost {}", count(lost)),
        (lost, cut) => format!("lost {} and {}", count(lost), cut_in_words(cut)),
    }
}

fn cut_in_words(cut_calls: u64) -> String {
    match cut_calls {
        0 => "cut none".into(),
        cut => format!("cut {}", count(cut)),
    }
}
