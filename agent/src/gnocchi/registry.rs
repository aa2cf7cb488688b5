//! The resources of this node and their series, by small numbers that the backlog can hold.
//!
//! It remembers what was last sent of each series, and which resources Gnocchi has. It must not
//! send anything.

use std::collections::HashMap;

use kamscale_shm::hash::mix;
use kamscale_shm::{ById, member_id};
use uuid::Uuid;

use super::names::{Kind, Place, Thing};

/// What is known of a resource in Gnocchi.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It has to be created.
    Missing,
    /// It is there with its metrics.
    There,
    /// Gnocchi refused to create it; tried again after that second.
    Refused(u64),
}

/// A resource of this node.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) thing: Thing,
    /// As Gnocchi knows it.
    pub(super) id: Uuid,
    pub(super) known: Known,
    /// The last second in which the node had it.
    pub(super) seen_s: u64,
    /// Its first series; the others follow, one for each metric of its kind.
    pub(super) first: u32,
}

impl Resource {
    /// Whether Gnocchi means this one.
    pub(super) fn is(&self, id: &str) -> bool {
        Uuid::try_parse(id).is_ok_and(|id| id == self.id)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Registry {
    place: Place,
    resources: Vec<Option<Resource>>,
    /// By kind, pool and name, as [`key`].
    numbers: ById<u32>,
    /// By series: its resource, and what was sent last (NaN before the first).
    series: Vec<(u32, f64)>,
    /// Resources (and their first series) whose number may be given to another of the kind.
    free: HashMap<Kind, Vec<(u32, u32)>>,
}

impl Registry {
    pub(super) fn new(instance: &str) -> Registry {
        Registry {
            place: Place {
                instance: instance.into(),
                ..Place::default()
            },
            ..Registry::default()
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Tells whose resources these are. With another node or project all ids are others.
    pub(super) fn set_place(&mut self, place: Place) {
        if self.place == place {
            return;
        }
        self.place = place;
        for resource in self.resources.iter_mut().flatten() {
            resource.id = resource.thing.id(&self.place);
            resource.known = Known::Missing;
        }
    }

    /// The number of a thing's resource, which the node has now; a new one is to be created.
    pub(super) fn see(&mut self, kind: Kind, pool: &str, name: &str, at_s: u64) -> u32 {
        self.see_by(member_id(pool, name), kind, pool, name, at_s)
    }

    /// The same for a member whose identity is known.
    pub(super) fn see_member(&mut self, id: u64, pool: &str, name: &str, at_s: u64) -> u32 {
        self.see_by(id, Kind::Member, pool, name, at_s)
    }

    fn see_by(&mut self, id: u64, kind: Kind, pool: &str, name: &str, at_s: u64) -> u32 {
        let known = self.numbers.get(&key(kind, id)).copied();
        let number = known.unwrap_or_else(|| {
            self.add(Thing {
                kind,
                pool: pool.into(),
                name: name.into(),
            })
        });
        if let Some(resource) = self.get_mut(number) {
            resource.seen_s = at_s;
        }
        number
    }

    fn add(&mut self, thing: Thing) -> u32 {
        let kind = thing.kind;
        let free = self.free.get_mut(&kind).and_then(Vec::pop);
        let (number, first) = free.unwrap_or_else(|| self.grow(kind));
        let id = member_id(&thing.pool, &thing.name);
        self.numbers.insert(key(kind, id), number);
        if let Some(slot) = self.resources.get_mut(number as usize) {
            *slot = Some(Resource {
                id: thing.id(&self.place),
                thing,
                known: Known::Missing,
                seen_s: 0,
                first,
            });
        }
        self.forget_values(first, kind);
        number
    }

    fn grow(&mut self, kind: Kind) -> (u32, u32) {
        let number = small(self.resources.len());
        let first = small(self.series.len());
        self.resources.push(None);
        for _ in kind.metrics() {
            self.series.push((number, f64::NAN));
        }
        (number, first)
    }

    pub(super) fn get(&self, number: u32) -> Option<&Resource> {
        self.resources.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Resource> {
        self.resources.get_mut(number as usize)?.as_mut()
    }

    /// The resource of a series, and which of its metrics it is.
    pub(super) fn of_series(&self, series: u32) -> Option<(&Resource, &'static str)> {
        let (number, _) = self.series.get(series as usize)?;
        let resource = self.get(*number)?;
        let metrics = resource.thing.kind.metrics();
        let metric = metrics.get((series - resource.first) as usize)?;
        Some((resource, metric))
    }

    /// Notes a value; answers whether it is another than the last.
    pub(super) fn changed(&mut self, series: u32, value: f64) -> bool {
        match self.series.get_mut(series as usize) {
            Some((_, last)) if last.to_bits() == value.to_bits() => false,
            Some((_, last)) => {
                *last = value;
                true
            }
            None => false,
        }
    }

    /// Nothing is known any more of what is there.
    pub(super) fn doubt(&mut self) {
        for resource in self.resources.iter_mut().flatten() {
            resource.known = Known::Missing;
        }
    }

    /// The resource is there: its values are to be sent whether they changed or not.
    pub(super) fn found(&mut self, number: u32) {
        let Some(resource) = self.get_mut(number) else {
            return;
        };
        resource.known = Known::There;
        let (first, kind) = (resource.first, resource.thing.kind);
        self.forget_values(first, kind);
    }

    fn forget_values(&mut self, first: u32, kind: Kind) {
        let series = self.series.iter_mut().skip(first as usize);
        for (_, last) in series.take(kind.metrics().len()) {
            *last = f64::NAN;
        }
    }

    /// Takes it out; its number is given to another later.
    pub(super) fn remove(&mut self, number: u32) {
        let slot = self.resources.get_mut(number as usize);
        let Some(Resource { thing, first, .. }) = slot.and_then(Option::take) else {
            return;
        };
        let id = member_id(&thing.pool, &thing.name);
        self.numbers.remove(&key(thing.kind, id));
        self.free
            .entry(thing.kind)
            .or_default()
            .push((number, first));
    }

    /// Those that match, by number.
    pub(super) fn numbers(&self, matches: impl Fn(&Resource) -> bool) -> Vec<u32> {
        let all = self.resources.iter().enumerate();
        all.filter(|(_, resource)| resource.as_ref().is_some_and(&matches))
            .map(|(number, _)| small(number))
            .collect()
    }
}

/// What tells things apart, without a copy of their names, by the identity that a member of that name has.
fn key(kind: Kind, id: u64) -> u64 {
    mix(id ^ kind as u64)
}

/// Numbers stay far below 2^32: each is a resource of this node.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
