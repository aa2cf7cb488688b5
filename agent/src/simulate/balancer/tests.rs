//! What is promised of balancers: the index finds what a search would find.

use proptest::prelude::*;

use super::super::random::Purpose;
use super::*;

fn balancers(count: u8, placement: Placement, share_s: f64) -> Balancers {
    let balancing = Balancing {
        count,
        placement,
        share_s,
        tries: 3,
    };
    Balancers::new(&balancing, Stream::new(1, Purpose::Balancers))
}

/// What can happen to a few members, seen by two balancers.
#[derive(Debug, Clone)]
enum Change {
    Serves(u32),
    Leaves(u32),
    Begins(u8, u32),
    Ends(u8, u32),
    Clears(u32),
    Shares(u8),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let slot = 0u32..6;
    let one = prop_oneof![
        3 => slot.clone().prop_map(Change::Serves),
        1 => slot.clone().prop_map(Change::Leaves),
        8 => (0u8..2, slot.clone()).prop_map(|(balancer, slot)| Change::Begins(balancer, slot)),
        4 => (0u8..2, slot.clone()).prop_map(|(balancer, slot)| Change::Ends(balancer, slot)),
        1 => slot.prop_map(Change::Clears),
        2 => (0u8..2).prop_map(Change::Shares),
    ];
    prop::collection::vec(one, 1..200)
}

/// The same without an index: calls by balancer and slot, and what each balancer was told last.
#[derive(Debug, Default)]
struct Plain {
    serving: Vec<u32>,
    known: [bool; 6],
    calls: [[u32; 6]; 2],
    others: [[u32; 6]; 2],
}

impl Plain {
    fn total(&self, slot: usize) -> u32 {
        self.calls[0][slot] + self.calls[1][slot]
    }

    fn seen(&self, balancer: usize, slot: usize) -> u32 {
        self.calls[balancer][slot] + self.others[balancer][slot]
    }

    /// Everybody knows the same.
    fn told(&mut self, slot: usize) {
        for balancer in 0..2 {
            self.others[balancer][slot] = self.calls[1 - balancer][slot];
        }
    }

    /// Carries out a change in both; leaves out what cannot happen.
    fn happen(&mut self, balancers: &mut Balancers, change: &Change) {
        match *change {
            Change::Serves(slot) if !self.serving.contains(&slot) => {
                self.serving.push(slot);
                self.known[slot as usize] = true;
                self.told(slot as usize);
                balancers.add(slot, self.total(slot as usize));
            }
            Change::Leaves(slot) if self.serving.contains(&slot) => {
                self.serving.retain(|serving| *serving != slot);
                balancers.remove(slot);
            }
            Change::Begins(balancer, slot) if self.serving.contains(&slot) => {
                self.calls[usize::from(balancer)][slot as usize] += 1;
                balancers.note(balancer, slot, true);
            }
            Change::Ends(balancer, slot)
                if self.calls[usize::from(balancer)][slot as usize] > 0 =>
            {
                self.calls[usize::from(balancer)][slot as usize] -= 1;
                balancers.note(balancer, slot, false);
            }
            Change::Clears(slot) if self.known[slot as usize] => {
                self.calls[0][slot as usize] = 0;
                self.calls[1][slot as usize] = 0;
                self.told(slot as usize);
                balancers.clear(slot);
            }
            Change::Shares(balancer) => {
                let own = usize::from(balancer);
                self.others[own] = self.calls[1 - own];
                balancers.share(balancer, |slot| self.total(slot as usize));
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn each_balancer_finds_the_least_loaded_of_what_it_knows(changes in changes()) {
        let mut plain = Plain::default();
        let mut balancers = balancers(2, Placement::LeastCalls, 1.0);
        for change in &changes {
            plain.happen(&mut balancers, change);
            for balancer in 0..2 {
                let mut left = plain.serving.clone();
                let mut tried = Vec::new();
                for _ in 0..3 {
                    let seen = |slot: &u32| plain.seen(balancer.into(), *slot as usize);
                    let least = left.iter().map(seen).min();
                    let chosen = balancers.choose(balancer, &tried);
                    prop_assert_eq!(chosen.as_ref().map(seen), least);
                    prop_assert!(chosen.is_none_or(|slot| left.contains(&slot)));
                    left.retain(|slot| Some(*slot) != chosen);
                    tried.extend(chosen);
                }
            }
        }
    }
}

#[test]
fn round_robin_takes_its_turns_and_passes_over_who_was_tried() {
    let mut balancers = balancers(1, Placement::RoundRobin, 1.0);
    assert_eq!(balancers.choose(0, &[]), None);
    for slot in 0..3 {
        balancers.add(slot, 0);
    }
    let turns: Vec<_> = (0..4).map(|_| balancers.choose(0, &[])).collect();
    assert_eq!(turns, [Some(0), Some(1), Some(2), Some(0)]);
    assert_eq!(balancers.choose(0, &[1]), Some(2));
    assert_eq!(balancers.choose(0, &[0, 1, 2]), None);
    balancers.remove(0);
    assert_eq!(balancers.choose(0, &[2]), Some(1));
}

#[test]
fn two_choices_avoid_the_fuller_one_and_find_the_last_that_was_not_tried() {
    let mut balancers = balancers(1, Placement::TwoChoices, 1.0);
    assert_eq!(balancers.choose(0, &[]), None);
    for slot in 0..10 {
        balancers.add(slot, slot);
    }
    let fullest = (0..1000)
        .filter(|_| balancers.choose(0, &[]) == Some(9))
        .count();
    // Only if both draws hit it: one in a hundred.
    assert!(fullest < 40, "{fullest}");
    let tried: Vec<u32> = (0..9).collect();
    assert_eq!(balancers.choose(0, &tried), Some(9));
    assert_eq!(balancers.choose(0, &(0..10).collect::<Vec<_>>()), None);
}

#[test]
fn balancers_that_share_at_once_are_as_one() {
    assert_eq!(balancers(4, Placement::LeastCalls, 0.0).to_share(), 0);
    assert_eq!(balancers(1, Placement::LeastCalls, 1.0).to_share(), 0);
    assert_eq!(balancers(4, Placement::LeastCalls, 1.0).to_share(), 4);
}
