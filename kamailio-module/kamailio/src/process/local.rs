//! A value that belongs to one process. Nothing here is shared between processes.

/// A cell for a `static` whose value belongs to one process: every process changes its own copy,
/// and what the main process stored before the fork is where the others start.
///
/// It can be used without a lock because Kamailio runs a module's code in one thread per process; a
/// module that started threads would break that, so it must not. Without the feature `host` every
/// thread has its own value, so that tests may run in parallel.
pub struct Local<T: 'static> {
    init: fn() -> T,
    #[cfg(feature = "host")]
    cell: cell::Cell<T>,
}

impl<T: 'static> std::fmt::Debug for Local<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl<T: 'static> Local<T> {
    /// `init` makes the value at the first use.
    pub const fn new(init: fn() -> T) -> Self {
        Self {
            init,
            #[cfg(feature = "host")]
            cell: cell::Cell::new(),
        }
    }

    /// Runs `f` on the value.
    ///
    /// # Panics
    /// When called again, for the same cell, from within `f`.
    #[inline]
    pub fn with<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(feature = "host")]
        return self.cell.with(self.init, f);
        #[cfg(not(feature = "host"))]
        threads::with(self, f)
    }
}

#[cfg(feature = "host")]
mod cell {
    #![allow(
        unsafe_code,
        reason = "one thread per process makes an unlocked cell sound"
    )]
    use std::cell::UnsafeCell;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    pub(super) struct Cell<T> {
        busy: AtomicBool,
        value: UnsafeCell<Option<T>>,
    }

    // SAFETY: Kamailio runs a module's code in one thread per process, and memory is private to the
    // process after the fork, so no two threads reach the same cell. `busy` refuses the second
    // entry of that one thread.
    unsafe impl<T> Sync for Cell<T> {}

    /// Gives the cell back even if the closure panics.
    struct Busy<'a>(&'a AtomicBool);

    impl Drop for Busy<'_> {
        #[inline(always)]
        fn drop(&mut self) {
            self.0.store(false, Relaxed);
        }
    }

    impl<T> Cell<T> {
        pub(super) const fn new() -> Self {
            Self {
                busy: AtomicBool::new(false),
                value: UnsafeCell::new(None),
            }
        }

        #[inline]
        pub(super) fn with<R>(&self, init: fn() -> T, f: impl FnOnce(&mut T) -> R) -> R {
            if self.busy.load(Relaxed) {
                refused();
            }
            self.busy.store(true, Relaxed);
            let _busy = Busy(&self.busy);
            // SAFETY: `busy` was clear and is set until this reference is gone, and there is one
            // thread.
            let value = unsafe { &mut *self.value.get() };
            f(value.get_or_insert_with(init))
        }
    }

    #[cold]
    #[inline(never)]
    fn refused() -> ! {
        panic!("a process-local value was used while it was in use");
    }
}

#[cfg(not(feature = "host"))]
mod threads {
    use super::Local;
    use std::any::Any;
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::rc::Rc;

    thread_local! {
        /// The values of this thread by the address of their cell.
        static VALUES: RefCell<HashMap<usize, Rc<dyn Any>>> = RefCell::new(HashMap::new());
    }

    pub(super) fn with<T: 'static, R>(local: &'static Local<T>, f: impl FnOnce(&mut T) -> R) -> R {
        let address = std::ptr::from_ref(local).addr();
        let known = VALUES.with_borrow(|values| values.get(&address).map(Rc::clone));
        let value = known.unwrap_or_else(|| {
            let fresh: Rc<dyn Any> = Rc::new(RefCell::new((local.init)()));
            VALUES.with_borrow_mut(|values| values.insert(address, Rc::clone(&fresh)));
            fresh
        });
        let Some(cell) = value.downcast_ref::<RefCell<T>>() else {
            unreachable!("an address belongs to one cell of one type");
        };
        let Ok(mut value) = cell.try_borrow_mut() else {
            panic!("a process-local value was used while it was in use");
        };
        f(&mut value)
    }
}

#[cfg(test)]
#[cfg(not(feature = "host"))]
mod tests {
    use super::*;

    static COUNT: Local<u32> = Local::new(|| 7);

    #[test]
    fn a_value_lasts_and_belongs_to_its_process() {
        COUNT.with(|n| *n += 1);
        assert_eq!(COUNT.with(|n| *n), 8);
        let other = std::thread::spawn(|| COUNT.with(|n| *n)).join().unwrap();
        assert_eq!(other, 7);
    }

    #[test]
    fn entering_twice_is_refused_and_the_cell_survives() {
        let twice = std::panic::catch_unwind(|| COUNT.with(|_| COUNT.with(|n| *n)));
        assert!(twice.is_err());
        assert_eq!(COUNT.with(|n| *n), 7);
    }
}
