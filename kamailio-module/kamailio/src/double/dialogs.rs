//! The dialogs of the double: by Call-ID, with one word for each pass of the call.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Acquire};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The dialog module of the double; clones share the dialogs.
#[derive(Clone, Debug, Default)]
pub struct Dialogs(Option<Arc<Loaded>>);

#[derive(Debug)]
struct Loaded {
    ended: fn(&AtomicUsize),
    words: Mutex<Words>,
}

/// Of each dialog, the newest one last.
type Words = HashMap<Vec<u8>, Vec<Arc<AtomicUsize>>>;

impl Dialogs {
    /// A server without the dialog module.
    pub const fn absent() -> Self {
        Self(None)
    }

    /// A server with it, bound as by `dialog::bind(ended)`.
    pub fn bound(ended: fn(&AtomicUsize)) -> Self {
        Self(Some(Arc::new(Loaded {
            ended,
            words: Mutex::default(),
        })))
    }

    /// The newest word of a dialog, if there is one.
    pub fn word(&self, call_id: &[u8]) -> Option<Arc<AtomicUsize>> {
        self.words()?.get(call_id)?.last().map(Arc::clone)
    }

    /// How many dialogs there are.
    pub fn len(&self) -> usize {
        self.words().map_or(0, |words| words.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a dialog: `ended` gets its words twice, as for a BYE and the destruction after it.
    /// False: there is none.
    pub fn end_call(&self, call_id: &[u8]) -> bool {
        let words = self.words().and_then(|mut words| words.remove(call_id));
        let (Some(words), Some(loaded)) = (words, &self.0) else {
            return false;
        };
        words.iter().for_each(|word| (loaded.ended)(word));
        words.iter().for_each(|word| (loaded.ended)(word));
        true
    }

    /// The newest word of a dialog of which `mine` is true; else a new one if `create` allows that (of a
    /// new dialog, too), or the newest.
    pub(super) fn find(
        &self,
        call_id: &[u8],
        create: bool,
        mine: impl Fn(usize) -> bool,
    ) -> Option<Arc<AtomicUsize>> {
        let mut words = self.words()?;
        if create {
            let words = words.entry(call_id.to_vec()).or_default();
            if !words.iter().any(|word| mine(word.load(Acquire))) {
                words.push(Arc::default());
            }
        }
        let words = words.get(call_id)?;
        let found = words.iter().rfind(|word| mine(word.load(Acquire)));
        found.or(words.last()).map(Arc::clone)
    }

    fn words(&self) -> Option<MutexGuard<'_, Words>> {
        let loaded = self.0.as_deref()?;
        Some(loaded.words.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
