//! What must happen next in an FTP session: the machines and the law. No socket, no clock.
