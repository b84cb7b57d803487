//! Who may come in: accounts, passwords, rights.
