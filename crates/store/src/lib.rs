//! Files behind one door: the trait, a folder of this machine, a tree in memory.
