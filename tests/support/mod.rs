//! What the tests on sockets and the interop tests stand on: the program under test, other people's programs, files.

pub(crate) mod files;
pub(crate) mod program;
pub(crate) mod server;
pub(crate) mod terminal;

/// Waits for something that will come about.
#[track_caller]
pub(crate) fn wait_until(mut come: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !come() {
        assert!(std::time::Instant::now() < end, "it did not come about");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
