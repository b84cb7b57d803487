//! Where the second connection goes, whom to believe, which ports, and why it failed.
