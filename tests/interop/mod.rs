//! The world: other people's clients against our server. One file a client; a client that is not installed is skipped
//! with a notice.

mod busybox;
mod curl;
pub(crate) mod essay;
mod ftplib;
mod inetutils;
mod large;
mod lftp;
mod ncftp;
mod tnftp;
mod wget;
