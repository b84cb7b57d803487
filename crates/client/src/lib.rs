//! The user side of FTP as a library.
