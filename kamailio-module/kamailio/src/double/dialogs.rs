//! The dialogs of the double: one word per Call-ID.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The dialog module of the double; clones share the dialogs.
#[derive(Clone, Debug, Default)]
pub struct Dialogs(Option<Arc<Loaded>>);

#[derive(Debug)]
struct Loaded {
    ended: fn(&AtomicUsize),
    words: Mutex<HashMap<Vec<u8>, Arc<AtomicUsize>>>,
}

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

    /// The word of a dialog, if there is one.
    pub fn word(&self, call_id: &[u8]) -> Option<Arc<AtomicUsize>> {
        self.words()?.get(call_id).map(Arc::clone)
    }

    /// How many dialogs there are.
    pub fn len(&self) -> usize {
        self.words().map_or(0, |words| words.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a dialog: `ended` gets its word twice, as for a BYE and the destruction after it.
    /// False: there is none.
    pub fn end_call(&self, call_id: &[u8]) -> bool {
        let word = self.words().and_then(|mut words| words.remove(call_id));
        let (Some(word), Some(loaded)) = (word, &self.0) else {
            return false;
        };
        (loaded.ended)(&word);
        (loaded.ended)(&word);
        true
    }

    /// The word of a dialog, which `create` allows to be a new one.
    pub(super) fn find(&self, call_id: &[u8], create: bool) -> Option<Arc<AtomicUsize>> {
        let mut words = self.words()?;
        if create && !words.contains_key(call_id) {
            words.insert(call_id.to_vec(), Arc::default());
        }
        words.get(call_id).map(Arc::clone)
    }

    fn words(&self) -> Option<MutexGuard<'_, HashMap<Vec<u8>, Arc<AtomicUsize>>>> {
        let loaded = self.0.as_deref()?;
        Some(loaded.words.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
