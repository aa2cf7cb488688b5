//! The role of the agent, as far as shared memory sees it: its publisher.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kamscale_shm::{Observer, Publisher};

use crate::INSTANCE;
use crate::generation::table_of;
use crate::process::obey;

/// Publishes as fast as it can, over whatever an earlier one left.
pub(crate) fn run(dir: &Path) {
    let published = Arc::new(AtomicU64::new(0));
    let orders = obey({
        let published = Arc::clone(&published);
        move || vec![published.load(Ordering::Relaxed)]
    });
    let mut publisher = Publisher::open(dir, INSTANCE).unwrap();
    if publisher.generation() > 0 {
        let mut found = publisher.published().unwrap().clone();
        found.pools.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(
            found,
            table_of(publisher.generation()),
            "not what the dead one published"
        );
    }
    let mut observer: Option<Observer> = None;
    while !orders.stop() {
        if !observer.as_ref().is_some_and(Observer::is_current) {
            observer = Observer::open(dir, INSTANCE).ok();
        }
        if let Some(observer) = observer
            .as_ref()
            .filter(|_| publisher.generation().is_multiple_of(64))
        {
            publisher.learn(&observer.snapshot());
        }
        let next = publisher.generation() + 1;
        assert_eq!(publisher.publish(&table_of(next)).unwrap(), next);
        publisher.beat();
        published.store(next, Ordering::Relaxed);
    }
}
