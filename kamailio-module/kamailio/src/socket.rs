//! The server's local sockets: those that it listens on and sends from. They are there from the start to
//! the end of the server, so what was found once is right for ever.

/// A local socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket(pub(crate) usize);

/// Longest text of one: a name, or `sctp:[ADDRESS]:PORT`.
pub const MAX_LEN: usize = 63;

/// The socket of this name (`listen=... name "NAME"`), or of this form: `[PROTOCOL:]ADDRESS[:PORT]`.
/// Not before the server has opened its sockets: in `child_init` or later.
#[must_use]
pub fn find(text: &[u8]) -> Option<Socket> {
    if text.is_empty() || text.len() > MAX_LEN || text.contains(&0) {
        return None;
    }
    backend::find(text)
}

#[cfg(feature = "host")]
mod backend {
    #![allow(unsafe_code, reason = "looks through the sockets of the core")]
    use super::{MAX_LEN, Socket};
    use crate::ffi::lend;
    use kamailio_sys as sys;

    pub(super) fn find(text: &[u8]) -> Option<Socket> {
        // lookup_local_socket() ends the text by a NUL of its own while it reads it.
        let mut room = [0_u8; MAX_LEN + 1];
        room[..text.len()].copy_from_slice(text);
        let mut name = lend(&room[..text.len()]);
        name.s = room.as_mut_ptr().cast();
        // SAFETY: only reads the name, and a list that is complete since the start.
        let mut found = unsafe { sys::ksr_get_socket_by_name(&raw mut name) };
        if found.is_null() {
            // SAFETY: as above; it may write the byte behind the text, which is ours.
            found = unsafe { sys::lookup_local_socket(&raw mut name) };
        }
        (!found.is_null()).then(|| Socket(found.expose_provenance()))
    }
}

#[cfg(not(feature = "host"))]
mod backend {
    use super::Socket;

    pub(super) fn find(text: &[u8]) -> Option<Socket> {
        crate::double::socket(text).map(Socket)
    }
}
