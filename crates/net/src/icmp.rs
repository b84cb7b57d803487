//! Who on the way has turned a connection away, by ICMP. The system tells it to whom asks before (Linux, `IP_RECVERR`).

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::sock_extended_err;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, recvmsg, setsockopt, sockopt,
};

/// From now on errors of this connection are kept with their sender. Where that cannot be had they come without.
pub(crate) fn watch(socket: &impl AsFd, is_ipv4: bool) {
    let _ = match is_ipv4 {
        true => setsockopt(socket, sockopt::Ipv4RecvErr, &true),
        false => setsockopt(socket, sockopt::Ipv6RecvErr, &true),
    };
}

/// Who sent the error that has ended this connection; none when it was the peer itself, by a reset, or this machine.
pub(crate) fn sender(socket: &impl AsFd) -> Option<IpAddr> {
    let mut space = nix::cmsg_space!(sock_extended_err, SockaddrIn6);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let fd = socket.as_fd().as_raw_fd();
    let message = recvmsg::<SockaddrIn6>(fd, &mut [], Some(&mut space), flags).ok()?;
    message.cmsgs().ok()?.find_map(|part| match part {
        ControlMessageOwned::Ipv4RecvErr(error, Some(from)) if error.ee_origin == ICMP => {
            Some(IpAddr::V4(SockaddrIn::from(from).ip()))
        }
        ControlMessageOwned::Ipv6RecvErr(error, Some(from)) if error.ee_origin == ICMP6 => {
            Some(IpAddr::V6(SockaddrIn6::from(from).ip()).to_canonical())
        }
        _ => None,
    })
}

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` (linux/errqueue.h).
const ICMP: u8 = 2;
const ICMP6: u8 = 3;
