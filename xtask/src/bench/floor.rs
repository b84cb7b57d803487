//! The floor: the least possible server for the loads. A blocking thread a session, fixed replies, sendfile, and no question
//! asked: no path is checked, nothing is logged or limited. Not to be used; what a server costs more than this is its own.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;

/// Serves until it is killed.
pub(crate) fn serve(at: &str, folder: &str) -> Result<(), String> {
    std::env::set_current_dir(folder).map_err(|e| format!("{folder}: {e}"))?;
    let listener = TcpListener::bind(at).map_err(|e| format!("{at}: {e}"))?;
    for stream in listener.incoming().flatten() {
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        let _ = thread.spawn(move || session(stream));
    }
    Ok(())
}

fn session(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::with_capacity(512, stream.try_clone()?);
    let mut say = stream;
    say.write_all(b"220 floor\r\n")?;
    let (mut line, mut listener) = (String::new(), None);
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (verb, argument) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        let reply: &[u8] = match verb {
            "USER" => b"331 who\r\n",
            "PASS" => b"230 in\r\n",
            "TYPE" | "NOOP" => b"200 ok\r\n",
            "QUIT" => return say.write_all(b"221 bye\r\n"),
            "PASV" => {
                let new = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                let port = new.local_addr()?.port();
                listener = Some(new);
                write!(say, "227 Entering Passive Mode (127,0,0,1,{},{}).\r\n", port >> 8, port & 255)?;
                continue;
            }
            "RETR" | "STOR" | "LIST" | "MLSD" => match listener.take() {
                Some(listener) => {
                    transfer(verb, argument, &listener, &mut say)?;
                    b"226 done\r\n"
                }
                None => b"425 where\r\n",
            },
            _ => b"502 not on the floor\r\n",
        };
        say.write_all(reply)?;
    }
}

fn transfer(verb: &str, argument: &str, listener: &TcpListener, say: &mut TcpStream) -> io::Result<()> {
    match verb {
        "RETR" => {
            let file = File::open(argument)?;
            let size = file.metadata()?.len();
            let (data, _) = listener.accept()?;
            say.write_all(b"150 go\r\n")?;
            let mut at = 0;
            while at < size {
                let left = (size - at) as usize;
                if rustix::fs::sendfile(data.as_fd(), file.as_fd(), Some(&mut at), left)? == 0 {
                    break;
                }
            }
        }
        "STOR" => {
            let mut file = File::create(argument)?;
            let (mut data, _) = listener.accept()?;
            say.write_all(b"150 go\r\n")?;
            let mut bytes = vec![0; 256 << 10];
            loop {
                match data.read(&mut bytes)? {
                    0 => break,
                    count => file.write_all(&bytes[..count])?,
                }
            }
        }
        _ => {
            let (mut data, _) = listener.accept()?;
            say.write_all(b"150 go\r\n")?;
            data.write_all(listing(verb, Path::new(argument))?.as_bytes())?;
        }
    }
    Ok(())
}

/// A line for each entry with what both forms must tell, and no more; the date is the same for all.
fn listing(verb: &str, folder: &Path) -> io::Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let (name, size) = (entry.file_name(), entry.metadata()?.len());
        let name = name.to_string_lossy();
        let _ = match verb {
            "LIST" => write!(text, "-rw-r--r--   1 ftp      ftp      {size:>8} Jan  1 00:00 {name}\r\n"),
            _ => write!(text, "type=file;size={size};modify=20260101000000; {name}\r\n"),
        };
    }
    Ok(text)
}
