//! The whole surface between the server's machine and the world: `Input`, what happened; `Output`, what to do.
//! A reviewer reads this first.

use std::fmt;
use std::net::{SocketAddr, SocketAddrV4};

use twoport_plan::{LinkFault, Way};
use twoport_proto::line::LineFault;
use twoport_proto::listing::mlsx::FactSet;
use twoport_proto::modes::{Algorithm, Mode};
use twoport_proto::placement::{Change, Placement};
use twoport_proto::{Entry, Failure, FtpPath, Reply, Secret, Sightings, Verb};

use crate::event::Event;
use crate::rights::{Grant, Rights};

/// The number of a passive listener, or of a data connection that was left open; given by the driver and given back
/// exactly once: in a transfer order or by [`Output::Forget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// What happened.
#[derive(Clone)]
pub enum Input {
    /// The peer sent a line, or what was none.
    Line(Result<Vec<u8>, LineFault>),
    /// The answer to [`Output::Check`]; `None` is no, and no more is told.
    Checked(Option<Grant>),
    /// The answer to [`Output::Recognize`]: somebody whose certificate is enough.
    Recognized(Option<Grant>),
    /// The answer to [`Output::Secure`]: hands were shaken, or not.
    Secured(Result<Channel, NotSecured>),
    /// The answer to [`Output::Clear`]: the control connection is in the clear.
    Cleared,
    /// The answer to [`Output::Files`].
    Filed(Result<FileAnswer, Failure>),
    /// The answer to [`Output::Listen`].
    Listening(Result<Listening, LinkFault>),
    /// The transfer's file is open.
    Ready {
        /// The name that it has, which for STOU the store chose.
        path: FtpPath,
        /// Its size in bytes where that is known.
        size: Option<u64>,
    },
    /// The transfer's data connection is there.
    Linked,
    /// All bytes of an upload have arrived and the peer closed in order: may it be kept? Everything that the peer sent
    /// on the control connection until now has been handed in before this.
    Received,
    /// The transfer has left its data connection open (MODE B), under this number; `Ended` comes next.
    Kept(LinkId),
    /// The transfer is over.
    Ended(Ending),
    /// The answer to [`Output::Measure`]: bytes over the data connection so far.
    Measured(u64),
    /// What the driver saw of the connections: the answer to [`Output::Look`], and during a transfer where the account may ask,
    /// once its data connection is there or is not to be had.
    Saw(Box<Sightings>),
    /// The moment of [`super::ServerSession::poll_timeout`] has come.
    Deadline,
    /// The server stops: what runs may finish, nothing new begins.
    Shutdown,
    /// The control connection is closed; no more lines come.
    Closed,
}

/// Names what happened and no more: a line may hold a password.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Input::Line(_) => "Line",
            Input::Checked(_) => "Checked",
            Input::Recognized(_) => "Recognized",
            Input::Secured(_) => "Secured",
            Input::Cleared => "Cleared",
            Input::Filed(_) => "Filed",
            Input::Listening(_) => "Listening",
            Input::Ready { .. } => "Ready",
            Input::Linked => "Linked",
            Input::Received => "Received",
            Input::Kept(_) => "Kept",
            Input::Ended(_) => "Ended",
            Input::Measured(_) => "Measured",
            Input::Saw(_) => "Saw",
            Input::Deadline => "Deadline",
            Input::Shutdown => "Shutdown",
            Input::Closed => "Closed",
        })
    }
}

/// What a handshake on the control connection told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Channel {
    /// Version, cipher suite, whether a session was resumed: for the log and for STAT.
    pub how: String,
    /// The host that the client wants (SNI).
    pub server_name: Option<String>,
    /// Whether the client has shown a certificate whose word is taken.
    pub certified: bool,
}

/// Why the control connection is not in TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSecured {
    /// More came behind AUTH, in the clear; nothing was said yet.
    Smuggled,
    /// The handshake came to nothing; in words.
    Failed(String),
}

/// A passive listener that waits for the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// Its number.
    pub id: LinkId,
    /// Where the client is told to come: 227 says both, 229 the port.
    pub told: SocketAddrV4,
}

/// What a file operation answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAnswer {
    /// Done.
    Done,
    /// The facts of one file.
    Entry(Box<Entry>),
    /// Bytes.
    Space(u64),
    /// Lines of a listing; `true` when there would be more.
    Lines(Vec<Vec<u8>>, bool),
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All bytes are over and, of an upload, kept.
    Whole {
        /// Bytes over the data connection.
        bytes: u64,
    },
    /// The file could not be opened; no data connection was used.
    NoFile(Failure),
    /// The data connection did not come about.
    NoLink(LinkFault),
    /// The file's side failed.
    FileFailed {
        /// Bytes before that.
        bytes: u64,
        /// How.
        failure: Failure,
    },
    /// The network's side failed.
    LinkBroke {
        /// Bytes before that.
        bytes: u64,
        /// How.
        fault: LinkFault,
    },
    /// Stopped by [`Output::Stop`].
    Stopped {
        /// Bytes before that.
        bytes: u64,
    },
    /// A digest, ready: the hash in lower-case hexadecimal and the bytes that it covers.
    Digest {
        /// The hash.
        hash: String,
        /// First byte, and the first one not covered.
        range: (u64, u64),
    },
}

/// What to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Say this.
    Say(Reply),
    /// Check a login, then [`Input::Checked`].
    Check {
        /// The name after USER.
        name: Vec<u8>,
        /// What came with PASS.
        secret: Secret,
    },
    /// Does the certificate of the client's control connection prove alone that it is this account's? then
    /// [`Input::Recognized`].
    Recognize {
        /// The name after USER.
        name: Vec<u8>,
    },
    /// Whoever was logged in is so no more; the connection stays.
    LogOut,
    /// Where nothing of the peer waits unread, say this, if there is anything to say, and shake hands on the control
    /// connection; then [`Input::Secured`].
    Secure {
        /// 234, or nothing where TLS is there from the first byte.
        reply: Option<Reply>,
        /// What HOST has said, for a client that wants no name in TLS.
        host: Option<String>,
    },
    /// Say this, and go back to a clear control connection; then [`Input::Cleared`].
    Clear(Reply),
    /// Do this with files, then [`Input::Filed`]; read nothing from the peer meanwhile.
    Files(FileOp),
    /// Make a passive listener for PASV or EPSV, then [`Input::Listening`].
    Listen(Way),
    /// The listener of this number will not be used.
    Forget(LinkId),
    /// Begin this transfer; it goes on beside the session, and tells `Ready`, `Linked`, `Received` and `Ended`.
    Begin(Box<TransferOrder>),
    /// Keep the upload whose bytes are all there, then `Ended`.
    Keep,
    /// Stop the transfer, then `Ended`.
    Stop,
    /// How far is the transfer? then [`Input::Measured`].
    Measure,
    /// What is to be seen of the control connection, and of a listener that waits? then [`Input::Saw`].
    Look,
    /// Something happened that onlookers may want to know.
    Tell(Event),
    /// Say what waits to be said, and close the control connection.
    Close,
}

/// What is to be done with files, without a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOp {
    /// The facts of one file; of the link itself when `link` is set.
    Stat {
        /// Which.
        path: FtpPath,
        /// Look at a link itself.
        link: bool,
    },
    /// Make a folder.
    MakeDir(FtpPath),
    /// Remove an empty folder.
    RemoveDir(FtpPath),
    /// Delete a file.
    Remove(FtpPath),
    /// Rename the first to the second.
    Rename(FtpPath, FtpPath),
    /// Change facts.
    Change(FtpPath, Change),
    /// Make a link with this text at this path.
    Symlink(Vec<u8>, FtpPath),
    /// How many bytes still fit there?
    Space(FtpPath),
    /// A listing of at most so many lines.
    Lines(ListOrder, usize),
}

/// One transfer, with everything that it needs: nothing is asked of the session again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOrder {
    /// Whose transfer it is.
    pub verb: Verb,
    /// Where its data connection is; none for a digest.
    pub link: Link,
    /// Whether it is in TLS (PROT P).
    pub private: bool,
    /// What is moved.
    pub task: Task,
    /// TYPE A: lines end in CRLF on the wire.
    pub ascii: bool,
    /// STRU R: records, marked on the wire.
    pub records: bool,
    /// MODE: how the bytes are carried. In MODE B the data connection is left open at the end.
    pub mode: Mode,
}

/// Where a data connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The peer comes to this listener.
    Passive(LinkId),
    /// We go there.
    Active(SocketAddr),
    /// The connection that the transfer before has left open.
    Open(LinkId),
    /// None is needed.
    None,
}

/// What a transfer moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// A file to the peer: from byte `from` on, `length` bytes or all.
    Send {
        /// Which.
        path: FtpPath,
        /// First byte.
        from: u64,
        /// How many at most.
        length: Option<u64>,
    },
    /// A file from the peer.
    Receive {
        /// Which.
        path: FtpPath,
        /// How it meets what is there.
        placement: Placement,
    },
    /// A listing to the peer.
    List(ListOrder),
    /// A hash, told over the control connection.
    Digest {
        /// Which.
        path: FtpPath,
        /// Which hash.
        algorithm: Algorithm,
        /// First byte.
        from: u64,
        /// How many at most.
        length: Option<u64>,
    },
}

/// A listing: of what, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOrder {
    /// The working directory.
    pub folder: FtpPath,
    /// What was asked for, as it came; a pattern perhaps. Nothing for the working directory itself.
    pub asked: Option<Vec<u8>>,
    /// In which form.
    pub form: ListForm,
    /// Names that begin with a dot too.
    pub all: bool,
    /// What lies below too.
    pub recursive: bool,
    /// What the account may do, for the `perm` fact.
    pub rights: Rights,
}

/// The form of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListForm {
    /// As `ls -l`.
    Long,
    /// Names only.
    Names,
    /// Facts (RFC 3659 §7); exactly one folder, no pattern.
    Facts(FactSet),
}
