//! Sockets: control connections, data connections, listeners, dialling.
