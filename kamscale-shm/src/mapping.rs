//! Files seen as memory: the one place of this crate that handles raw addresses.
//!
//! A mapped file that somebody cuts short would end the reader by SIGBUS. The handler here puts
//! zeroed pages of the process's own under the hole instead: the reader then sees a file that is
//! not valid, and keeps what it has.

#![allow(
    unsafe_code,
    reason = "mapping files and answering SIGBUS need raw addresses"
)]

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::mem::size_of;
use std::sync::OnceLock;

use memmap2::{MmapOptions, MmapRaw, UncheckedAdvice};

use crate::layout::AllAtomic;
use crate::sync::{AtomicU64, Ordering};

/// A file of at least `size_of::<T>()` bytes, seen as a `T`.
#[derive(Debug)]
pub(crate) struct Mapped<T: AllAtomic> {
    raw: MmapRaw,
    guarded: Option<usize>,
    what: PhantomData<T>,
}

impl<T: AllAtomic> Mapped<T> {
    /// Maps the file; the caller has checked its length. Stores through a mapping that is not
    /// `writable` fault: a stray write shows at once instead of harming the other side.
    pub(crate) fn new(file: &File, writable: bool) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        options.len(size_of::<T>());
        let raw = if writable {
            options.map_raw(file)?
        } else {
            options.map_raw_read_only(file)?
        };
        let guarded = guard_range(raw.as_ptr() as usize, raw.len());
        Ok(Self {
            raw,
            guarded,
            what: PhantomData,
        })
    }

    /// The file's content.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: the mapping is page aligned (no `T` asks for more than 4096), as long as `T`,
        // and lives as long as `self`. `T: AllAtomic`, so any bytes are valid and changes by
        // another process are atomic accesses to atomics.
        unsafe { &*self.raw.as_ptr().cast::<T>() }
    }
}

impl<T: AllAtomic> Mapped<T> {
    /// Takes the pages out of this process, for who looks seldom. What was stored is in the file, and
    /// comes back when it is touched.
    pub(crate) fn release(&self) {
        // SAFETY: the mapping is a shared one of a file, so nothing stored is lost; where the handler
        // put pages of the process's own, zeros come back, and any bytes of a `T` are valid.
        let advised = unsafe { self.raw.unchecked_advise(UncheckedAdvice::DontNeed) };
        // Without it they stay, which is no harm.
        let _ = advised;
    }
}

impl<T: AllAtomic> Drop for Mapped<T> {
    fn drop(&mut self) {
        if let Some(entry) = self.guarded {
            GUARDED[entry].start.store(0, Ordering::Release);
        }
    }
}

/// Address ranges in which SIGBUS is answered. A fixed few: the handler may not allocate.
struct Range {
    start: AtomicU64,
    length: AtomicU64,
}

const RANGES: usize = 64;
static GUARDED: [Range; RANGES] = [const {
    Range {
        start: AtomicU64::new(0),
        length: AtomicU64::new(0),
    }
}; RANGES];
/// What handled SIGBUS before us.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Enters a range; `None` if the table is full (the mapping then works, unguarded).
fn guard_range(start: usize, length: usize) -> Option<usize> {
    PREVIOUS.get_or_init(install);
    GUARDED.iter().position(|range| {
        range
            .start
            // A claim first (1 is no mapping's address), so that two threads never share an entry.
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed)
            .map(|_| {
                range.length.store(length as u64, Ordering::Relaxed);
                range.start.store(start as u64, Ordering::Release);
            })
            .is_ok()
    })
}

/// Installs the handler and returns the one before it.
fn install() -> libc::sigaction {
    // SAFETY: a sigaction of zeros is the default action with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: likewise.
    let mut previous: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_sigbus as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: both point to sigactions of this frame; the handler only does what a handler may.
    unsafe { libc::sigaction(libc::SIGBUS, &raw const action, &raw mut previous) };
    previous
}

/// Puts zeroed pages under a hole in one of our mappings; hands every other SIGBUS on.
extern "C" fn on_sigbus(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid siginfo to an SA_SIGINFO handler.
    let info_ref = unsafe { &*info };
    // SAFETY: the signal is SIGBUS, for which the kernel fills in the address.
    let address = unsafe { info_ref.si_addr() } as u64;
    for range in &GUARDED {
        let start = range.start.load(Ordering::Acquire);
        let length = range.length.load(Ordering::Relaxed);
        if start > 1 && (start..start + length).contains(&address) {
            let page = address & !4095;
            // SAFETY: the page lies within a mapping of ours, which no Rust object but its own
            // atomics uses; private zeroed pages are valid values of them. mmap is a plain system
            // call, allowed in a handler.
            let put = unsafe {
                libc::mmap(
                    page as *mut libc::c_void,
                    usize::try_from(start + length - page).unwrap_or(4096),
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE,
                    -1,
                    0,
                )
            };
            if put != libc::MAP_FAILED {
                return;
            }
        }
    }
    hand_on(signal, info, context);
}

/// Does what would have been done without us.
fn hand_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = PREVIOUS.get().map_or(libc::SIG_DFL, |p| p.sa_sigaction);
    let with_info = PREVIOUS
        .get()
        .is_some_and(|p| p.sa_flags & libc::SA_SIGINFO != 0);
    if previous == libc::SIG_DFL || previous == libc::SIG_IGN || !with_info {
        // SAFETY: restoring the default action; the faulting access then ends the process.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: somebody installed this address as an SA_SIGINFO handler, so it has this signature.
    let handler: Handler = unsafe { std::mem::transmute(previous) };
    handler(signal, info, context);
}
