//! One word per dialog, kept by the dialog module, and the end of the dialog.
//!
//! The word is the `param` of our own callback entry (`modules/dialog/dlg_cb.c`): the entry is one
//! block of shared memory that lives as long as the dialog, and `run_dlg_callbacks` passes the
//! address of exactly that member. So there is no record to allocate, to find or to free. Nothing
//! here touches the request or the reply of a callback: they may be NULL or FAKED_REPLY.
#![allow(
    unsafe_code,
    reason = "binds the dialog module and walks a dialog's callbacks"
)]

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use kamailio_sys as sys;

use crate::SipMessage;
use crate::guard::guard;
use crate::message::{Message, Method, Route};

const ENDS: u32 =
    sys::DLGCB_FAILED | sys::DLGCB_TERMINATED | sys::DLGCB_EXPIRED | sys::DLGCB_DESTROY;

/// The dialog module is not loaded (before or after this one does not matter), or is bound already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the dialog module is not loaded")
    }
}

impl std::error::Error for Absent {}

type Manage =
    unsafe extern "C" fn(*mut sys::sip_msg, *mut std::ffi::c_char, *mut std::ffi::c_char) -> c_int;

type Load = unsafe extern "C" fn(*mut sys::dlg_binds) -> c_int;

struct Bound {
    register: unsafe extern "C" fn(
        *mut sys::dlg_cell,
        c_int,
        sys::dialog_cb,
        *mut std::ffi::c_void,
        sys::param_free_cb,
    ) -> c_int,
    find: unsafe extern "C" fn(*mut sys::sip_msg) -> *mut sys::dlg_cell,
    release: unsafe extern "C" fn(*mut sys::dlg_cell),
    manage: Manage,
    callbacks: Callbacks,
}

/// What a module wants to hear of its dialogs, in whichever process (timer and main process included).
#[derive(Clone, Copy, Debug)]
pub struct Callbacks {
    /// A call came to nothing, before `ended` hears of it: the status that its caller got from another
    /// side. What the server made up itself (a timeout, a reply of the script, the 500 that tm sends in
    /// place of a last 503) is not told.
    pub failed: fn(&AtomicUsize, u16),
    /// A dialog failed, ended, expired or is destroyed: at least once, up to several times, so it must
    /// take what it needs from the word with a swap.
    ///
    /// It may run inside [`Message::with_call`], when that gives back the last reference to a dialog
    /// that another process has ended: it must not use a `process::Local` that is held around that call.
    pub ended: fn(&AtomicUsize),
    /// A call for which [`Message::on_answer`] asked is answered: its word, the note, and the address that
    /// the answer came from.
    pub answered: fn(&AtomicUsize, usize, SocketAddr),
}

static BOUND: OnceLock<Bound> = OnceLock::new();

/// Binds the dialog module; call it once, in `Module::init`.
pub fn bind(callbacks: Callbacks) -> Result<(), Absent> {
    let load = export(c"load_dlg").ok_or(Absent)?;
    let manage = export(c"dlg_manage").ok_or(Absent)?;
    let mut binds = MaybeUninit::<sys::dlg_binds>::zeroed();
    // SAFETY: the real type of load_dlg (modules/dialog/dlg_load.h); all exports share one.
    let load = unsafe { std::mem::transmute::<Manage, Load>(load) };
    // SAFETY: fills the table.
    let loaded = unsafe { load(binds.as_mut_ptr()) };
    if loaded < 0 {
        return Err(Absent);
    }
    // SAFETY: zeroed before, and a table of optional functions: every content is valid.
    let binds = unsafe { binds.assume_init() };
    let bound = Bound {
        register: binds.register_dlgcb.ok_or(Absent)?,
        find: binds.get_dlg.ok_or(Absent)?,
        release: binds.release_dlg.ok_or(Absent)?,
        manage,
        callbacks,
    };
    BOUND.set(bound).map_err(|_| Absent)
}

fn export(name: &'static CStr) -> Option<Manage> {
    // SAFETY: reads the name and looks through the loaded modules.
    unsafe { sys::find_export(name.as_ptr().cast_mut(), 0, 0) }
}

/// Gives the reference back that the dialog module took for us.
struct Dialog<'a> {
    cell: *mut sys::dlg_cell,
    bound: &'a Bound,
}

impl Drop for Dialog<'_> {
    fn drop(&mut self) {
        // SAFETY: `find` took the reference, and this is the only place that gives it back.
        unsafe { (self.bound.release)(self.cell) };
    }
}

impl Dialog<'_> {
    fn find<'a>(bound: &'a Bound, message: &mut SipMessage<'_>) -> Option<Dialog<'a>> {
        // SAFETY: the message is the core's own; the function parses what it needs, and takes a
        // reference.
        let cell = unsafe { (bound.find)(message.as_ptr()) };
        (!cell.is_null()).then_some(Dialog { cell, bound })
    }

    /// Whether it is over, and only waits for its memory to be given back.
    fn has_ended(&self) -> bool {
        // SAFETY: we hold a reference, so the dialog is there; the dialog module itself reads the
        // state without its lock (`dlg_new_dialog`).
        let state = unsafe { (*self.cell).state };
        state == sys::DLG_STATE_DELETED
    }

    /// The word of our newest entry with this callback.
    fn word(&self, of: Callback) -> Option<&AtomicUsize> {
        // SAFETY: we hold a reference, so the dialog is there.
        unsafe { word(self.cell, of, |_| true) }
    }

    /// The newest word of a call that is not in use, or that `mine` knows.
    fn word_of_pass(&self, mine: impl Fn(usize) -> bool) -> Option<&AtomicUsize> {
        let is = |value| value == 0 || mine(value);
        // SAFETY: as above.
        unsafe { word(self.cell, on_end, is) }
    }

    fn register(&self, types: u32, callback: Callback) -> Option<()> {
        // SAFETY: the callback has the declared type, and without a free function the param may be
        // any word.
        let done = unsafe {
            (self.bound.register)(
                self.cell,
                types as c_int,
                Some(callback),
                std::ptr::null_mut(),
                None,
            )
        };
        (done == 0).then_some(())
    }
}

/// The word of our newest entry with this callback in a dialog's list whose value `is` so.
///
/// # Safety
/// The dialog must be there for `'a`.
unsafe fn word<'a>(
    cell: *mut sys::dlg_cell,
    of: Callback,
    is: impl Fn(usize) -> bool,
) -> Option<&'a AtomicUsize> {
    // SAFETY: the dialog is there.
    let mut entry = unsafe { (*cell).cbs.first };
    while !entry.is_null() {
        // SAFETY: entries are only ever added in front, and freed with the dialog.
        let callback = unsafe { (*entry).callback };
        if callback.is_some_and(|f| std::ptr::fn_addr_eq(f, of)) {
            // SAFETY: as above; only the address is taken.
            let param = unsafe { &raw mut (*entry).param };
            // SAFETY: an aligned word of shared memory that lives as long as the dialog; only
            // this crate reads or writes the param of this entry, and only as an atomic.
            let word = unsafe { AtomicUsize::from_ptr(param.cast()) };
            if is(word.load(Ordering::Acquire)) {
                return Some(word);
            }
        }
        // SAFETY: as above.
        entry = unsafe { (*entry).next };
    }
    None
}

/// See [`Message::with_pass`]. Only an initial INVITE gets a new word: a dialog that is older than
/// the module's knowledge of it has none. Should two processes handle the same INVITE in the same
/// instant (a retransmission), the dialog may carry two words; each of them is ended.
pub(crate) fn with_word<R>(
    message: &mut SipMessage<'_>,
    mine: impl Fn(usize) -> bool,
    f: impl FnOnce(&AtomicUsize) -> R,
) -> Option<R> {
    let bound = BOUND.get()?;
    let initial = message.method() == Method::Invite && !message.has_to_tag();
    let opens = initial && message.route() == Route::Request;
    let found = Dialog::find(bound, message);
    // A caller that was refused (challenged, redirected, cancelled) tries again with the same Call-ID
    // and tag, and until tm forgets the refused transaction its dialog is still found.
    let dialog = match found.filter(|dialog| !(opens && dialog.has_ended())) {
        Some(dialog) => dialog,
        None if opens => {
            // SAFETY: dlg_manage() as the script would call it, in the only route that it allows.
            let done = unsafe {
                (bound.manage)(message.as_ptr(), std::ptr::null_mut(), std::ptr::null_mut())
            };
            if done <= 0 {
                return None;
            }
            Dialog::find(bound, message)?
        }
        None => return None,
    };
    let known = dialog.word_of_pass(mine);
    if let Some(word) = known.or_else(|| dialog.word(on_end).filter(|_| !opens)) {
        return Some(f(word));
    }
    if !initial {
        return None;
    }
    dialog.register(ENDS, on_end)?;
    dialog.word(on_end).map(f)
}

/// See [`Message::on_answer`]. The note is the param of an entry of its own.
pub(crate) fn on_answer(message: &mut SipMessage<'_>, note: usize) -> Option<()> {
    let dialog = Dialog::find(BOUND.get()?, message)?;
    if dialog.word(on_confirm).is_none() {
        dialog.register(sys::DLGCB_CONFIRMED_NA, on_confirm)?;
    }
    dialog.word(on_confirm)?.store(note, Ordering::Release);
    Some(())
}

/// See [`Message::with_known_call`].
pub(crate) fn with_known_word<R>(
    message: &mut SipMessage<'_>,
    f: impl FnOnce(&AtomicUsize) -> R,
) -> Option<R> {
    let dialog = Dialog::find(BOUND.get()?, message)?;
    dialog.word(on_end).map(f)
}

type Callback = unsafe extern "C" fn(*mut sys::dlg_cell, c_int, *mut sys::dlg_cb_params);

unsafe extern "C" fn on_end(_: *mut sys::dlg_cell, types: c_int, params: *mut sys::dlg_cb_params) {
    guard(c"dialog callback", (), || {
        let Some(bound) = BOUND.get() else { return };
        // SAFETY: the dialog module passes its parameters, valid during the callback.
        let word = unsafe { (*params).param };
        // SAFETY: the address of the param of our own entry, see `word`.
        let word = unsafe { AtomicUsize::from_ptr(word.cast()) };
        if types.unsigned_abs() & sys::DLGCB_FAILED != 0
            // SAFETY: the parameters of this callback.
            && let Some(reply) = unsafe { reply(params) }
        {
            (bound.callbacks.failed)(word, reply.status());
        }
        (bound.callbacks.ended)(word);
    });
}

/// The reply of a callback, unless tm made it up (`FAKED_REPLY`).
///
/// # Safety
/// `params` must be what the dialog module passed to the callback that runs now.
unsafe fn reply<'a>(params: *mut sys::dlg_cb_params) -> Option<SipMessage<'a>> {
    // SAFETY: the caller's contract.
    let reply = unsafe { (*params).rpl };
    let is_made_up = reply.is_null() || reply.addr() == usize::MAX;
    // SAFETY: tm's reply, valid during the callback; what is read of it is not changed meanwhile.
    (!is_made_up).then(|| unsafe { SipMessage::new(reply) })
}

unsafe extern "C" fn on_confirm(
    cell: *mut sys::dlg_cell,
    _: c_int,
    params: *mut sys::dlg_cb_params,
) {
    guard(c"dialog callback", (), || {
        let Some(bound) = BOUND.get() else { return };
        // SAFETY: the parameters of this callback.
        let Some(reply) = (unsafe { reply(params) }) else {
            return;
        };
        // SAFETY: the dialog is there during the callback, and so are its entries.
        let call = unsafe { word(cell, on_end, |_| true) };
        // SAFETY: as above.
        let note = unsafe { word(cell, on_confirm, |_| true) };
        if let (Some(call), Some(note)) = (call, note) {
            let from = reply.source();
            (bound.callbacks.answered)(call, note.load(Ordering::Acquire), from);
        }
    });
}
