//! The world: other people's clients against our server, one file a client, our client against other people's
//! servers (`peers`), our servers behind HAProxy (`haproxy`), and our certificates with other people's CA (`acme`). What is not
//! installed is skipped with a notice.

mod acme;
mod busybox;
mod curl;
pub(crate) mod essay;
mod ftplib;
mod haproxy;
mod inetutils;
mod large;
mod lftp;
mod ncftp;
mod peers;
mod tls;
mod tnftp;
mod wget;
