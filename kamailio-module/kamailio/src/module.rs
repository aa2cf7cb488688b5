//! What the loader looks for, and the life of a module: register, parameters, init, fixups,
//! children, destroy.
#![allow(
    unsafe_code,
    reason = "tables and entries that the core reads and calls"
)]

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_uint};

use kamailio_sys as sys;

use crate::ffi::constant;
use crate::guard::{guard, install_hook};
use crate::{kemi, log, parameter, pv, rpc, script};

/// A module. [`crate::module!`] exports it.
pub trait Module: 'static {
    /// The name for `modparam()`, for KEMI and in the log.
    const NAME: &'static CStr;

    /// `mod_init`, in the main process: parameters are set, fixups come afterwards, the number of
    /// processes is not known. An error stops the start.
    fn init() -> Result<(), String> {
        Ok(())
    }

    /// `child_init`, in every process that the core starts, and twice in the main one.
    fn child_init(rank: Rank) -> Result<(), String> {
        let _ = rank;
        Ok(())
    }

    /// `destroy`, when the server ends: in the main process, after the others are gone.
    fn destroy() {}
}

/// For which process `child_init` runs (`core/sr_module.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// PROC_INIT: the main process, before any other exists; the number of processes is known from
    /// here on.
    Init,
    /// PROC_MAIN: the main process, which may fork processes of its own now.
    Main,
    /// PROC_POSTCHILDINIT: the main process, after all the others were started.
    AfterChildren,
    /// PROC_TIMER: a timer process.
    Timer,
    /// PROC_RPC: a process for remote commands.
    Rpc,
    /// PROC_TCP_MAIN: the process that owns the TCP connections.
    TcpMain,
    /// A SIP worker, from 1.
    Worker(i32),
    /// Any other.
    Other(i32),
}

impl Rank {
    fn from_core(rank: c_int) -> Self {
        match rank {
            sys::PROC_INIT => Self::Init,
            sys::PROC_POSTCHILDINIT => Self::AfterChildren,
            sys::PROC_TIMER => Self::Timer,
            sys::PROC_RPC => Self::Rpc,
            sys::PROC_TCP_MAIN => Self::TcpMain,
            0 => Self::Main,
            1..127 => Self::Worker(rank),
            other => Self::Other(other),
        }
    }
}

/// A table that the core reads, and may write, in place.
#[doc(hidden)]
#[derive(Debug)]
#[repr(transparent)]
pub struct Table<T, const N: usize>(UnsafeCell<[T; N]>);

// SAFETY: only the core touches the content, in one thread per process.
unsafe impl<T, const N: usize> Sync for Table<T, N> {}

impl<T, const N: usize> Table<T, N> {
    pub const fn new(entries: [T; N]) -> Self {
        Self(UnsafeCell::new(entries))
    }

    const fn first(&'static self) -> *mut T {
        self.0.get().cast()
    }
}

/// `exports` of a module.
#[doc(hidden)]
#[derive(Debug)]
#[repr(transparent)]
pub struct Exports(UnsafeCell<sys::module_exports>);

// SAFETY: only the core touches the content, in one thread per process.
unsafe impl Sync for Exports {}

impl Exports {
    pub const fn new<M: Module, const F: usize, const P: usize, const R: usize, const V: usize>(
        functions: &'static Table<script::Entry, F>,
        parameters: &'static Table<parameter::Entry, P>,
        commands: &'static Table<rpc::Entry, R>,
        variables: &'static Table<pv::Entry, V>,
    ) -> Self {
        Self(UnsafeCell::new(sys::module_exports {
            name: M::NAME.as_ptr().cast_mut(),
            dlflags: 0,
            cmds: functions.first().cast(),
            params: parameters.first().cast(),
            rpc_methods: commands.first().cast(),
            pv_items: variables.first().cast(),
            response_f: None,
            init_mod_f: Some(init::<M>),
            init_child_f: Some(child_init::<M>),
            destroy_mod_f: Some(destroy::<M>),
        }))
    }
}

/// One of the strings that the loader compares with the server's own.
#[doc(hidden)]
#[derive(Debug)]
#[repr(transparent)]
pub struct Identity(*const c_char);

// SAFETY: points to a constant.
unsafe impl Sync for Identity {}

impl Identity {
    pub const fn version() -> Self {
        Self((&raw const sys::shim_full_version).cast())
    }

    pub const fn flags() -> Self {
        Self((&raw const sys::shim_compile_flags).cast())
    }
}

/// `module_interface_ver`; not checked by 5.6.3.
#[doc(hidden)]
pub const INTERFACE: c_uint = sys::MODULE_INTERFACE_VER as c_uint;

/// `mod_register`: the first code of a module that runs.
#[doc(hidden)]
pub fn register<M: Module, const K: usize>(kemi: &'static Table<kemi::Entry, K>) -> c_int {
    let name = constant(M::NAME);
    // SAFETY: a constant name, as the shim asks for.
    unsafe { sys::shim_set_name(name.s, name.len) };
    install_hook();
    guard(c"mod_register", -1, || {
        // SAFETY: the length that the C compiler wrote down; a constant.
        let length = unsafe { sys::shim_sizeof_sip_msg };
        if usize::try_from(length) != Ok(size_of::<sys::sip_msg>()) {
            log::critical(format_args!(
                "bindings and headers disagree about struct sip_msg"
            ));
            return -1;
        }
        if K == 1 {
            return 0;
        }
        for n in 0..K - 1 {
            // SAFETY: inside the table.
            let entry = unsafe { kemi.first().add(n) };
            // SAFETY: nobody else uses the table before it is registered.
            unsafe { (*entry).0.mname = name };
        }
        // SAFETY: a table that ends with an empty entry and lives as long as the server.
        unsafe { sys::sr_kemi_modules_add(kemi.first().cast()) }
    })
}

unsafe extern "C" fn init<M: Module>() -> c_int {
    guard(c"mod_init", -1, || outcome("init", M::init()))
}

unsafe extern "C" fn child_init<M: Module>(rank: c_int) -> c_int {
    guard(c"child_init", -1, || {
        script::started();
        outcome("child_init", M::child_init(Rank::from_core(rank)))
    })
}

unsafe extern "C" fn destroy<M: Module>() {
    guard(c"destroy", (), M::destroy);
}

fn outcome(what: &str, result: Result<(), String>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(message) => {
            log::error(format_args!("{what}: {message}"));
            -1
        }
    }
}

/// Exports a [`Module`] from a `cdylib`: the symbols that Kamailio's loader looks for. All lists
/// are optional, in this order.
///
/// ```ignore
/// kamailio::module! {
///     Hello;
///     functions: [kamailio::script::function::<Greet>()];
///     kemi: [kamailio::kemi::function::<Greet>(c"greet")];
///     parameters: [kamailio::parameter::int(c"limit", &LIMIT)];
///     commands: [kamailio::rpc::command::<Status>()];
///     variables: [kamailio::pv::plain::<Greeted>()];
/// }
/// ```
#[macro_export]
macro_rules! module {
    (
        $module:ty;
        $(functions: [$($function:expr),* $(,)?];)?
        $(kemi: [$($kemi:expr),* $(,)?];)?
        $(parameters: [$($parameter:expr),* $(,)?];)?
        $(commands: [$($command:expr),* $(,)?];)?
        $(variables: [$($variable:expr),* $(,)?];)?
    ) => {
        const _: () = {
            use $crate::module::{Exports, Identity, Table};
            static FUNCTIONS: Table<
                $crate::script::Entry,
                { 1 + <[&str]>::len(&[$($(stringify!($function)),*)?]) },
            > = Table::new([$($($function,)*)? $crate::script::Entry::END]);
            static KEMI: Table<
                $crate::kemi::Entry,
                { 1 + <[&str]>::len(&[$($(stringify!($kemi)),*)?]) },
            > = Table::new([$($($kemi,)*)? $crate::kemi::Entry::END]);
            static PARAMETERS: Table<
                $crate::parameter::Entry,
                { 1 + <[&str]>::len(&[$($(stringify!($parameter)),*)?]) },
            > = Table::new([$($($parameter,)*)? $crate::parameter::Entry::END]);
            static COMMANDS: Table<
                $crate::rpc::Entry,
                { 1 + <[&str]>::len(&[$($(stringify!($command)),*)?]) },
            > = Table::new([$($($command,)*)? $crate::rpc::Entry::END]);
            static VARIABLES: Table<
                $crate::pv::Entry,
                { 1 + <[&str]>::len(&[$($(stringify!($variable)),*)?]) },
            > = Table::new([$($($variable,)*)? $crate::pv::Entry::END]);

            #[allow(unsafe_code, reason = "the loader finds a module by these names")]
            #[unsafe(export_name = "exports")]
            static EXPORTS: Exports =
                Exports::new::<$module, _, _, _, _>(&FUNCTIONS, &PARAMETERS, &COMMANDS, &VARIABLES);
            #[allow(unsafe_code, reason = "the loader finds a module by these names")]
            #[unsafe(export_name = "module_version")]
            static MODULE_VERSION: Identity = Identity::version();
            #[allow(unsafe_code, reason = "the loader finds a module by these names")]
            #[unsafe(export_name = "module_flags")]
            static MODULE_FLAGS: Identity = Identity::flags();
            #[allow(unsafe_code, reason = "the loader finds a module by these names")]
            #[unsafe(export_name = "module_interface_ver")]
            static MODULE_INTERFACE_VER: ::std::ffi::c_uint = $crate::module::INTERFACE;
            #[allow(unsafe_code, reason = "the loader finds a module by these names")]
            #[unsafe(export_name = "mod_register")]
            extern "C" fn register(
                _path: *mut ::std::ffi::c_char,
                _dlflags: *mut ::std::ffi::c_int,
                _reserved1: *mut ::std::ffi::c_void,
                _reserved2: *mut ::std::ffi::c_void,
            ) -> ::std::ffi::c_int {
                $crate::module::register::<$module, _>(&KEMI)
            }
        };
    };
}
