//! Who on the way has turned a connection away, by ICMP. The system tells it to whom asks before (Linux, `IP_RECVERR`).

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::sock_extended_err;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, recvmsg, setsockopt, sockopt,
};

/// From now on errors of this connection are kept with their sender, or no longer. Where that cannot be had they come without. As
/// long as they are kept, each one ends the connection, the passing ones too.
pub(crate) fn watch(socket: &impl AsFd, is_ipv4: bool, keep: bool) {
    let _ = match is_ipv4 {
        true => setsockopt(socket, sockopt::Ipv4RecvErr, &keep),
        false => setsockopt(socket, sockopt::Ipv6RecvErr, &keep),
    };
}

/// An error that somebody on the way has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Who.
    pub(crate) by: IpAddr,
    /// Whether the packet had come as far as it was allowed to, and nobody has turned it away.
    pub(crate) exceeded: bool,
}

/// Who sent the error that has ended this connection, and what it says; none when it was the peer itself, by a reset, or this
/// machine.
pub(crate) fn told(socket: &impl AsFd) -> Option<Told> {
    let mut space = nix::cmsg_space!(sock_extended_err, SockaddrIn6);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let fd = socket.as_fd().as_raw_fd();
    let message = recvmsg::<SockaddrIn6>(fd, &mut [], Some(&mut space), flags).ok()?;
    message.cmsgs().ok()?.find_map(|part| match part {
        ControlMessageOwned::Ipv4RecvErr(error, Some(from)) if error.ee_origin == ICMP => {
            let by = IpAddr::V4(SockaddrIn::from(from).ip());
            Some(Told { by, exceeded: error.ee_type == TIME_EXCEEDED })
        }
        ControlMessageOwned::Ipv6RecvErr(error, Some(from)) if error.ee_origin == ICMP6 => {
            let by = IpAddr::V6(SockaddrIn6::from(from).ip()).to_canonical();
            Some(Told { by, exceeded: error.ee_type == TIME_EXCEEDED6 })
        }
        _ => None,
    })
}

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` (linux/errqueue.h).
const ICMP: u8 = 2;
const ICMP6: u8 = 3;

/// The types of ICMP (RFC 792) and of ICMPv6 (RFC 4443 §3.3).
const TIME_EXCEEDED: u8 = 11;
const TIME_EXCEEDED6: u8 = 3;
