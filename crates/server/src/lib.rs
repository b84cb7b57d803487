//! An FTP server as a library: accept, drive, serve.
