//! Event routes: `event_route[module:event]` of the configuration, or the function that a KEMI
//! script names for them, run by the module in the process that calls.
#![allow(
    unsafe_code,
    reason = "looks routes up and runs them on the core's faked message"
)]

use std::ffi::CStr;

use kamailio_sys as sys;

use crate::ffi::{constant, lend};
use crate::log;

/// An event that the configuration handles.
#[derive(Clone, Copy, Debug)]
pub struct EventRoute {
    name: &'static CStr,
    runs: Runs,
}

#[derive(Clone, Copy, Debug)]
enum Runs {
    /// The route's place in the list of event routes.
    Route(usize),
    /// The KEMI function of this name.
    Callback(&'static str),
}

impl EventRoute {
    /// The route of that name; `None` if the configuration has none. `callback` is the KEMI
    /// function for events, if one is configured. From `Module::init` on.
    #[must_use]
    pub fn find(name: &'static CStr, callback: Option<&'static str>) -> Option<Self> {
        if let Some(function) = callback {
            let runs = Runs::Callback(function);
            return Some(Self { name, runs });
        }
        let routes = &raw mut sys::event_rt;
        // SAFETY: reads the name, looks through the list that the configuration filled.
        let index = unsafe { sys::route_lookup(routes, name.as_ptr().cast_mut()) };
        let index = usize::try_from(index).ok()?;
        let route = Self {
            name,
            runs: Runs::Route(index),
        };
        route.actions(index).map(|_| route)
    }

    fn actions(&self, index: usize) -> Option<*mut sys::action> {
        // SAFETY: the list is filled while the configuration is read, and does not change.
        let list = unsafe { sys::event_rt.rlist };
        // SAFETY: `route_lookup` found this place in the list.
        let place = unsafe { list.add(index) };
        // SAFETY: as above.
        let actions = unsafe { *place };
        (!actions.is_null()).then_some(actions)
    }

    /// Runs it on a message of nobody, whose R-URI (`$ru`) is `uri`. It takes as long as the script
    /// takes, so not while the process holds a `process::Local` that the script may come back to.
    pub fn run(&self, uri: &[u8]) {
        // SAFETY: makes the message of this process once.
        if unsafe { sys::faked_msg_init() } < 0 {
            return;
        }
        // SAFETY: the message of this process.
        let msg = unsafe { sys::faked_msg_next() };
        // SAFETY: never null, and nobody else uses it now: there is one thread.
        unsafe { (*msg).parsed_orig_ruri_ok = 0 };
        let mut uri = lend(uri);
        // The script may set another one, and the core then frees this one: it must be the core's own.
        // SAFETY: copies the text.
        if unsafe { sys::rewrite_uri(msg, &raw mut uri) } < 0 {
            log::error(format_args!("no private memory for the R-URI of an event"));
            return;
        }
        // SAFETY: an int of this process, which the core sets likewise around a route.
        let before = unsafe { sys::route_type };
        let event = sys::EVENT_ROUTE.cast_signed();
        // SAFETY: as above.
        unsafe { sys::route_type = event };
        self.run_on(msg);
        // SAFETY: as above.
        unsafe { sys::route_type = before };
        // The next event has the same message.
        // SAFETY: gives back what the message has as R-URI.
        unsafe { sys::reset_new_uri(msg) };
        // SAFETY: likewise what the script set as destination.
        unsafe { sys::reset_dst_uri(msg) };
    }

    fn run_on(&self, msg: *mut sys::sip_msg) {
        match self.runs {
            Runs::Route(index) => {
                let Some(actions) = self.actions(index) else {
                    return;
                };
                // SAFETY: plain C data; init_run_actions_ctx() zeroes three members of it.
                let mut context: sys::run_act_ctx = unsafe { std::mem::zeroed() };
                // SAFETY: a route of the configuration, and a message that lives during the call.
                unsafe { sys::run_top_route(actions, msg, &raw mut context) };
            }
            Runs::Callback(function) => {
                // SAFETY: reads a pointer of this process.
                let engine = unsafe { sys::sr_kemi_eng_get() };
                if engine.is_null() {
                    return;
                }
                let event = sys::EVENT_ROUTE.cast_signed();
                let (mut function, mut name) = (lend(function.as_bytes()), constant(self.name));
                // SAFETY: all of it lives during the call; the engine only reads the names.
                unsafe { sys::sr_kemi_route(engine, msg, event, &raw mut function, &raw mut name) };
            }
        }
    }
}
