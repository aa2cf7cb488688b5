//! What bindgen and the C shim say about one exact Kamailio build: types, constants, functions, no
//! behaviour.
//!
//! The build stops when its headers are not those of the installed server (`build/main.rs`), so
//! that these declarations may be believed. Nothing here is documented again: the names are those
//! of Kamailio's sources, and `csrc/shim.h` says what the `shim_` functions stand for. Use the
//! crate `kamailio`, not this one.
#![allow(
    unsafe_code,
    reason = "declarations of C functions and the accessors that bindgen makes"
)]

mod bindings {
    #![allow(missing_docs, missing_debug_implementations, reason = "generated")]
    #![allow(
        non_camel_case_types,
        non_snake_case,
        non_upper_case_globals,
        reason = "C's names"
    )]
    #![allow(clippy::all, clippy::undocumented_unsafe_blocks, reason = "generated")]
    #![allow(
        clippy::multiple_unsafe_ops_per_block,
        clippy::ptr_as_ptr,
        reason = "generated"
    )]
    #![allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "generated"
    )]
    #![allow(unreachable_pub, unsafe_op_in_unsafe_fn, reason = "generated")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/kamailio.rs"));
}
pub use bindings::*;
