//! What the script functions return. Above 0 is true, below 0 false; 0 is never returned, as it
//! would end the script and drop the request.

/// Done.
pub const OK: i32 = 1;
/// The server refused: no memory, no message, a value without text.
pub const FAILED: i32 = -1;
/// There is no such pool in the table.
pub const NO_POOL: i32 = -2;
/// The pool has no member that takes requests now.
pub const NO_MEMBER: i32 = -3;
/// No such algorithm, state or feature, or a URI that is no member's.
pub const BAD_PARAMETER: i32 = -4;
/// Nothing was selected for this request before, so there is nothing to go on from.
pub const NOT_SELECTED: i32 = -5;
/// The tests of `ks_is_*` and `ks_pool_exists`: no.
pub const NO: i32 = -1;
