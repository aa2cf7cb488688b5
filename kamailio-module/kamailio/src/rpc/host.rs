//! How calls and answers pass through the core's RPC interface (`core/rpc.h`).
#![allow(unsafe_code, reason = "entries and variadic functions of the core")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{null, null_mut};

use kamailio_sys as sys;

use super::{Args, Fault, RpcCommand, Source, Value};
use crate::ffi::lend;
use crate::guard::guard;

/// One line of the table that the core reads.
#[repr(transparent)]
#[derive(Debug)]
pub struct Entry(sys::rpc_export_t);

impl Entry {
    /// Ends the table.
    pub const END: Self = Self(sys::rpc_export_t {
        name: null(),
        function: None,
        doc_str: null_mut(),
        flags: 0,
    });
}

/// Lines of documentation that end with null.
struct Doc([*const c_char; 2]);

struct DocOf<C>(PhantomData<C>);

impl<C: RpcCommand> DocOf<C> {
    const DOC: &'static Doc = &Doc([C::DOC.as_ptr(), null()]);
}

/// The table's line for `C`.
pub const fn command<C: RpcCommand>() -> Entry {
    Entry(sys::rpc_export_t {
        name: C::NAME.as_ptr(),
        function: Some(run::<C>),
        doc_str: (&raw const DocOf::<C>::DOC.0).cast_mut().cast(),
        flags: if C::ARRAY { sys::SHIM_RPC_RET_ARRAY } else { 0 },
    })
}

unsafe extern "C" fn run<C: RpcCommand>(rpc: *mut sys::rpc_t, context: *mut c_void) {
    // SAFETY: the transport passes its table of functions, valid during the call.
    let Some(rpc) = (unsafe { rpc.as_ref() }) else {
        return;
    };
    let call = Call { rpc, context };
    let failed = Fault::internal("the command failed, see the server's log");
    let answer = guard(C::NAME, Err(failed), || {
        let value = C::run(&mut Args {
            source: Source::Call(call),
        })?;
        let written = if C::ARRAY {
            call.write_all(&value)
        } else {
            call.write(&value)
        };
        written.ok_or_else(|| Fault::internal("the answer is too long for this transport"))
    });
    if let Err(fault) = answer {
        call.fault(&fault);
    }
}

/// One call of a transport.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    rpc: &'a sys::rpc_t,
    context: *mut c_void,
}

impl Call<'_> {
    pub(super) fn next_text(&self) -> Option<String> {
        let scan = self.rpc.scan?;
        let mut text: *mut c_char = null_mut();
        // SAFETY: "*": optional, ".": a number becomes a text, "s": the address of a C string.
        let found = unsafe { scan(self.context, c"*.s".as_ptr().cast_mut(), &raw mut text) };
        if found < 1 || text.is_null() {
            return None;
        }
        // SAFETY: the transport's own text, valid until the next argument is read.
        Some(
            unsafe { CStr::from_ptr(text) }
                .to_string_lossy()
                .into_owned(),
        )
    }

    fn fault(&self, fault: &Fault) {
        let Some(send) = self.rpc.fault else { return };
        // not terminated, so its length is passed along
        let text = lend(fault.text.as_bytes());
        let format = c"%.*s".as_ptr().cast_mut();
        // SAFETY: a printf format with a length and a text.
        unsafe { send(self.context, fault.code as c_int, format, text.len, text.s) };
    }

    /// Every element as an answer of its own.
    fn write_all(&self, value: &Value) -> Option<()> {
        match value {
            Value::List(values) => values.iter().try_for_each(|value| self.write(value)),
            value => self.write(value),
        }
    }

    fn write(&self, value: &Value) -> Option<()> {
        let add = self.rpc.add?;
        let inner = put(value, |format, data| match data {
            // SAFETY: "d" takes an int.
            Data::Int(n) => unsafe { add(self.context, format, n) },
            // SAFETY: every other letter takes the pointer that `put` passes with it.
            Data::Pointer(data) => unsafe { add(self.context, format, data) },
        })?;
        self.fill(inner, value)
    }

    fn fill(&self, node: *mut c_void, value: &Value) -> Option<()> {
        match value {
            Value::Text(_) | Value::Int(_) => Some(()),
            Value::Struct(fields) => fields
                .iter()
                .try_for_each(|(name, value)| self.member(node, name, value)),
            Value::List(values) => values
                .iter()
                .try_for_each(|value| self.element(node, value)),
        }
    }

    fn member(&self, node: *mut c_void, name: &'static CStr, value: &Value) -> Option<()> {
        let add = self.rpc.struct_add?;
        let name = name.as_ptr();
        let inner = put(value, |format, data| match data {
            // SAFETY: the node of a struct, the member's name, and "d" takes an int.
            Data::Int(n) => unsafe { add(node, format, name, n) },
            // SAFETY: likewise; every other letter takes the pointer that `put` passes with it.
            Data::Pointer(data) => unsafe { add(node, format, name, data) },
        })?;
        self.fill(inner, value)
    }

    fn element(&self, node: *mut c_void, value: &Value) -> Option<()> {
        let add = self.rpc.array_add?;
        let inner = put(value, |format, data| match data {
            // SAFETY: the node of a list, and "d" takes an int.
            Data::Int(n) => unsafe { add(node, format, n) },
            // SAFETY: likewise; every other letter takes the pointer that `put` passes with it.
            Data::Pointer(data) => unsafe { add(node, format, data) },
        })?;
        self.fill(inner, value)
    }
}

/// What stands for one letter of a format.
enum Data {
    /// of "d"
    Int(c_int),
    /// of "S": a str; of "{" and "[": where the new node goes
    Pointer(*mut c_void),
}

/// Adds the value's own part by `add`, and gives the node for its content (null if it has none).
fn put(value: &Value, add: impl Fn(*mut c_char, Data) -> c_int) -> Option<*mut c_void> {
    let mut node: *mut c_void = null_mut();
    let added = match value {
        Value::Text(text) => add_text(text, &add),
        Value::Int(n) => match Value::int(*n) {
            Ok(n) => add(c"d".as_ptr().cast_mut(), Data::Int(n)),
            Err(digits) => add_text(&digits, &add),
        },
        Value::Struct(_) => add(
            c"{".as_ptr().cast_mut(),
            Data::Pointer((&raw mut node).cast()),
        ),
        Value::List(_) => add(
            c"[".as_ptr().cast_mut(),
            Data::Pointer((&raw mut node).cast()),
        ),
    };
    (added >= 0).then_some(node)
}

fn add_text(text: &str, add: &impl Fn(*mut c_char, Data) -> c_int) -> c_int {
    let mut text = lend(text.as_bytes());
    add(
        c"S".as_ptr().cast_mut(),
        Data::Pointer((&raw mut text).cast()),
    )
}
