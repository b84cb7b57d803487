//! The machine alone, without a world: the table of a transfer's life is printed into a snapshot.
