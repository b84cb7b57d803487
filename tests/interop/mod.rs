//! The world: other people's clients against our server, one file a client, and our client against other people's
//! servers (`peers`). What is not installed is skipped with a notice.

mod busybox;
mod curl;
pub(crate) mod essay;
mod ftplib;
mod inetutils;
mod large;
mod lftp;
mod ncftp;
mod peers;
mod tls;
mod tnftp;
mod wget;
