//! What a script may ask of pools without choosing: who sent this, what is there, who takes requests.

use std::net::IpAddr;

use kamailio::message::Message;
use kamailio::socket::{self, Socket};
use kamscale_shm::{Member, Pool, address_of, transport_of};

use super::refusal::no_pool;
use crate::code;
use crate::selection::Usable;
use crate::server::Server;
use crate::worker::{PoolName, Worker};

/// What must fit beside the address, for a message to come from a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Not even the port must.
    any_port: bool,
    /// The transport must, too.
    transport: bool,
    /// The local socket must, too, where the member names one.
    socket: bool,
    /// Only members that take requests now.
    active: bool,
}

impl Fit {
    /// The words of a list, as `any_port,active`.
    #[must_use]
    pub fn from_words(text: &[u8]) -> Option<Self> {
        let mut fit = Self::default();
        for word in text.split(|b| *b == b',') {
            match word.trim_ascii() {
                b"" => {}
                b"any_port" => fit.any_port = true,
                b"transport" => fit.transport = true,
                b"socket" => fit.socket = true,
                b"active" => fit.active = true,
                _ => return None,
            }
        }
        Some(fit)
    }
}

/// Who sent something: a message, or whoever is at a URI.
#[derive(Clone, Debug)]
struct Sender {
    ip: IpAddr,
    port: u16,
    transport: String,
    socket: Option<Socket>,
}

/// Whether the message, or whoever is at `uri`, is a member: of one pool, or of any.
pub fn is_from_pool<M: Message>(
    server: &Server,
    worker: &mut Worker,
    msg: &M,
    pool: Option<PoolName<'_>>,
    (fit, uri): (Fit, Option<&[u8]>),
) -> i32 {
    worker.refresh(server);
    let wanted = match pool {
        None => None,
        Some(name) => match worker.pool(name) {
            Some((pool, _)) => Some(pool.name_hash()),
            None => return no_pool(worker, name),
        },
    };
    let Some(sender) = sender(msg, fit, uri) else {
        return code::NO;
    };
    let table = worker.table();
    answer(table.members_at(sender.ip).any(|member| {
        let pool = table.pool(member.pool());
        let is_of = |hash| pool.is_some_and(|p| p.name_hash() == hash);
        wanted.is_none_or(is_of) && sender.is(&member, fit, pool.as_ref(), server)
    }))
}

/// `None` for a URI whose host is a name: nobody is asked where that is.
fn sender<M: Message>(msg: &M, fit: Fit, uri: Option<&[u8]>) -> Option<Sender> {
    let Some(uri) = uri else {
        let transport = if fit.transport { msg.transport() } else { "" };
        return Some(Sender {
            ip: msg.source().ip(),
            port: msg.source().port(),
            transport: transport.to_owned(),
            socket: msg.received_by(),
        });
    };
    let (ip, port) = address_of(std::str::from_utf8(uri).ok()?)?;
    let transport = transport_of(uri);
    Some(Sender {
        ip,
        port,
        transport,
        socket: msg.received_by(),
    })
}

impl Sender {
    /// Whether it is a member at its own address.
    fn is(&self, member: &Member<'_>, fit: Fit, pool: Option<&Pool<'_>>, server: &Server) -> bool {
        let at_port = || member.address().is_some_and(|a| a.1 == self.port);
        let by_transport = || transport_of(member.uri()) == self.transport;
        let by_socket = || {
            let own = member.socket();
            own.is_empty() || socket::find(own).is_some_and(|s| Some(s) == self.socket)
        };
        let takes = || {
            let is_usable = |pool: &Pool<'_>| Usable::new(server, pool, &[]).is(member);
            member.is_active() && pool.is_some_and(is_usable)
        };
        (fit.any_port || at_port())
            && (!fit.transport || by_transport())
            && (!fit.socket || by_socket())
            && (!fit.active || takes())
    }
}

/// Whether there is such a pool.
pub fn pool_exists(server: &Server, worker: &mut Worker, pool: PoolName<'_>) -> i32 {
    worker.refresh(server);
    answer(worker.pool(pool).is_some())
}

/// Whether any member of the pool, or the one with this URI, takes requests now.
pub fn is_active(
    server: &Server,
    worker: &mut Worker,
    name: PoolName<'_>,
    uri: Option<&[u8]>,
) -> i32 {
    worker.refresh(server);
    let Some((pool, _)) = worker.pool(name) else {
        return no_pool(worker, name);
    };
    let usable = Usable::new(server, &pool, &[]);
    let mut active = (0..pool.active_len()).filter_map(|i| pool.active(i));
    answer(active.any(|m| uri.is_none_or(|u| u == m.uri()) && usable.is(&m)))
}

const fn answer(yes: bool) -> i32 {
    if yes { code::OK } else { code::NO }
}
