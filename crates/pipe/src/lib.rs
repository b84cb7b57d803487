//! Moves bytes between files and sockets, fast, and says which side failed.
