//! What the sink holds between a push and its sending, and what is to be done about resources.
//!
//! It must not send anything.

use super::backlog::Backlog;
use super::measures::{Before, measures};
use super::names::{Kind, Place, Thing};
use super::registry::{Known, Registry};
use crate::cloud::CloudError;
use crate::nodes::{MemberCalls, NodeReport};

/// So many members are created before the next measures are sent.
const CREATE_MEMBERS: usize = 100;
/// A resource that Gnocchi refused is tried again after so long.
const REFUSED_S: u64 = 60;
/// What is gone from the node so long is deleted in Gnocchi, a few at a time: its history is of use
/// to nobody, and every question about members would read it. Longer than the backlog reaches back.
const FORGET_S: u64 = 2 * 3600;
const FORGET: usize = 8;

/// All of it, behind one lock that is never held while somebody is asked.
#[derive(Debug)]
pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) before: Before,
    pub(super) backlog: Backlog,
    pub(super) newest_s: u64,
    pub(super) sent: u64,
    pub(super) problem: Option<String>,
}

impl State {
    pub(super) fn new(instance: &str) -> State {
        State {
            registry: Registry::new(instance),
            before: Before::default(),
            backlog: Backlog::default(),
            newest_s: 0,
            sent: 0,
            problem: None,
        }
    }

    /// Takes a report; answers whether it counts.
    pub(super) fn push(&mut self, report: &NodeReport, members: &mut MemberCalls<'_>) -> bool {
        let place = self.registry.place();
        if place.node != report.node || place.pool != report.pool {
            let place = Place {
                node: report.node.clone(),
                pool: report.pool.clone(),
                ..place.clone()
            };
            self.registry.set_place(place);
        }
        let Some(second) = measures(&mut self.registry, &mut self.before, report, members) else {
            return false;
        };
        self.newest_s = second.at_s;
        self.backlog.push(second);
        true
    }

    /// What is to be created now, the most important last: it is taken from the end.
    pub(super) fn missing(&self) -> Vec<(u32, Thing)> {
        let wanted = |known: Known| match known {
            Known::Missing => true,
            Known::There => false,
            Known::Refused(until_s) => self.newest_s >= until_s,
        };
        let of = |members: bool| {
            self.registry
                .numbers(|it| wanted(it.known) && (it.thing.kind == Kind::Member) == members)
        };
        let members = of(true).into_iter().take(CREATE_MEMBERS);
        let numbers = members.chain(of(false));
        let things = numbers.filter_map(|number| {
            let thing = self.registry.get(number)?.thing.clone();
            Some((number, thing))
        });
        things.collect()
    }

    /// Notes what came of a creation; an error if others need not be tried.
    pub(super) fn created(
        &mut self,
        number: u32,
        result: Result<(), CloudError>,
    ) -> Result<(), CloudError> {
        match result {
            Ok(()) => self.registry.found(number),
            Err(CloudError::Refused {
                status: 400,
                what,
                message,
                ..
            }) => {
                tracing::warn!(
                    what,
                    message,
                    "Gnocchi refuses a resource: it is not measured"
                );
                let until_s = self.newest_s + REFUSED_S;
                if let Some(resource) = self.registry.get_mut(number) {
                    resource.known = Known::Refused(until_s);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    pub(super) fn forgotten(&self) -> Vec<(u32, Kind, String)> {
        let numbers = self
            .registry
            .numbers(|it| it.seen_s + FORGET_S < self.newest_s);
        let some = numbers.into_iter().take(FORGET);
        some.filter_map(|number| {
            let resource = self.registry.get(number)?;
            Some((number, resource.thing.kind, resource.id.to_string()))
        })
        .collect()
    }
}
