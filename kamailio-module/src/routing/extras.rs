//! What a member needs set beside its URI: the local socket, and the proxy before it. Only requests to
//! members that have such options, or that were sent to one before, come here.

use kamailio::log::{Level, RateLimit};
use kamailio::message::{HostError, Message};
use kamailio::socket::{self, Socket};
use kamscale_shm::Member;

use super::Target;
use super::refusal::LOG_EVERY_S;
use crate::memory::{PROXY, SOCKET};

/// Sets what the member needs and takes back what the try `before` had set. What is set now, as bits of
/// the memory.
///
/// # Errors
/// The member names a socket that this server does not have, or there is no memory.
#[cold]
pub(super) fn set<M: Message>(
    msg: &mut M,
    member: &Member<'_>,
    before: u8,
    target: Target,
) -> Result<u8, HostError> {
    let mut extras = 0;
    match socket(member)? {
        None if before & SOCKET != 0 => msg.set_socket(None),
        None => {}
        own => {
            msg.set_socket(own);
            extras |= SOCKET;
        }
    }
    match member.proxy() {
        // Whatever else is selected sets $du itself.
        proxy if !proxy.is_empty() && target == Target::Domain => {
            msg.set_destination(proxy)?;
            extras |= PROXY;
        }
        _ if before & PROXY != 0 && target == Target::Domain => msg.reset_destination(),
        _ => {}
    }
    Ok(extras)
}

/// The local socket that the member is reached from; `None`: the server chooses.
///
/// # Errors
/// The server does not have it.
pub(super) fn socket(member: &Member<'_>) -> Result<Option<Socket>, HostError> {
    match member.socket() {
        [] => Ok(None),
        text => {
            let found = socket::find(text).ok_or_else(|| no_socket(member));
            found.map(Some)
        }
    }
}

#[cold]
fn no_socket(member: &Member<'_>) -> HostError {
    static LIMIT: RateLimit = RateLimit::new(LOG_EVERY_S);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (name, socket) = (text(member.name()), text(member.socket()));
    LIMIT.write(
        Level::Error,
        format_args!(
            "member {name} wants to be reached from {socket}, which this Kamailio does not have: add \
             listen={socket}, or change the member's `socket`"
        ),
    );
    HostError("its local socket is not here")
}
