//! `cargo xtask wan`: a tree of small files over a long road, by our client and by others, in one run: how long each takes
//! and over how many sessions. The road (two TUN devices and a delay) is built from the sources beside the checkout. The
//! raw run is kept under `benches/runs`. Not a test: times are for people.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::install::is_root;
use crate::peers::Peers;

/// Milliseconds one way, folders, files in each, and bytes of a file.
const ROAD: (u32, usize, usize, usize) = (25, 10, 30, 4096);

/// Rounds; the median counts.
const ROUNDS: usize = 3;

/// One client with its flags: a shell command in which `$URL` is the address and `out` the folder to fill.
struct Runner {
    name: &'static str,
    server: &'static str,
    command: &'static str,
}

const RUNNERS: &[Runner] = &[
    Runner {
        name: "twoport mirror, as it comes",
        server: "vsftpd",
        command: "\"$TWOPORT\" mirror --quiet \"$URL\" out",
    },
    Runner {
        name: "twoport mirror --parallel 12",
        server: "vsftpd",
        command: "\"$TWOPORT\" mirror --quiet --parallel 12 \"$URL\" out",
    },
    Runner {
        name: "twoport mirror, as it comes",
        server: "twoport",
        command: "\"$TWOPORT\" mirror --quiet \"$URL\" out",
    },
    Runner {
        name: "lftp mirror -P10, sync-mode off",
        server: "vsftpd",
        command: "lftp -c \"set ftp:sync-mode off; set net:connection-limit 0; mirror -P10 $URL out\"",
    },
    Runner {
        name: "rclone copy, 16 transfers",
        server: "vsftpd",
        command: "rclone copy --transfers 16 --checkers 16 \":ftp,host=10.77.9.2,port=$PORT,user=anonymous,pass=$(rclone obscure x):\" out",
    },
];

/// Measures; the error is one sentence.
pub(crate) fn run(root: &Path, target: &Path, binary: &Path) -> Result<(), String> {
    if !is_root() || !cfg!(target_os = "linux") {
        return Err("it needs root on Linux, for network namespaces".to_owned());
    }
    let source = root.join("../shared/bench/wan");
    if !source.is_dir() {
        return Err("the sources of the road are not beside this checkout".to_owned());
    }
    let road = target.join("wan");
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--target-dir"])
        .arg(&road)
        .current_dir(&source)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("the road could not be built".to_owned());
    }
    let bench = Bench::new(&road.join("release/wan"), &Peers::of(target), binary)?;
    let mut raw = format!(
        "{} ms one way, {} folders of {} files of {} bytes; seconds of {ROUNDS} rounds, interleaved, and sessions in the last\n{}\n\n",
        ROAD.0,
        ROAD.1,
        ROAD.2,
        ROAD.3,
        machine()
    );
    let mut seconds = vec![Vec::new(); RUNNERS.len()];
    let mut sessions = vec![0; RUNNERS.len()];
    for _ in 0..ROUNDS {
        for (place, runner) in RUNNERS.iter().enumerate() {
            let (took, count) = bench.measure(runner)?;
            seconds[place].push(took);
            sessions[place] = count;
        }
    }
    for ((runner, seconds), sessions) in RUNNERS.iter().zip(&mut seconds).zip(sessions) {
        let all: Vec<String> = seconds.iter().map(|took| format!("{took:.2}")).collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds[seconds.len() / 2];
        let line = format!(
            "{:<34} from {:<8} median {median:>6.2} s   {:<20} {sessions} sessions",
            runner.name,
            runner.server,
            all.join(" ")
        );
        println!("{line}");
        let _ = writeln!(raw, "{line}");
    }
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let kept = root.join(format!("benches/runs/wan-{stamp}.txt"));
    let written = kept.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&kept, raw));
    written.map_err(|e| format!("{} cannot be written: {e}", kept.display()))?;
    println!("kept as {}", kept.display());
    Ok(())
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown").trim();
    let count = cpus.matches("processor\t").count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{count} processors{model}; Linux {}", kernel.trim())
}

/// Two namespaces with the road between them, and the servers at its far end. All of it goes with the value.
struct Bench {
    folder: PathBuf,
    near: String,
    far: String,
    running: Vec<Child>,
    binary: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        for name in [&self.near, &self.far] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Bench {
    fn new(road: &Path, peers: &Peers, binary: &Path) -> Result<Bench, String> {
        let id = std::process::id();
        let folder = std::env::temp_dir().join(format!("twoport-wan-{id}"));
        let mut bench = Bench {
            near: format!("tpw{id}a"),
            far: format!("tpw{id}b"),
            running: Vec::new(),
            binary: binary.to_path_buf(),
            folder,
        };
        bench.furnish().map_err(|e| format!("the tree cannot be made: {e}"))?;
        for name in [&bench.near, &bench.far] {
            let made = Command::new("ip").args(["netns", "add", name]).status();
            if !made.is_ok_and(|status| status.success()) {
                return Err("no network namespace can be made".to_owned());
            }
        }
        let mut command = Command::new(road);
        command.args([&bench.near, "10.77.9.1/24", &bench.far, "10.77.9.2/24"]).arg(ROAD.0.to_string());
        bench.start(command)?;
        let vsftpd = peers.root().join("usr/sbin/vsftpd");
        let vsftpd = if vsftpd.is_file() { vsftpd } else { PathBuf::from("vsftpd") };
        let mut command = bench.beyond(&vsftpd);
        command.arg(bench.folder.join("vsftpd.conf"));
        bench.start(command)?;
        let mut command = bench.beyond(&bench.binary);
        command.arg("serve").arg(bench.folder.join("tree")).args([
            "--listen",
            "10.77.9.2:2121",
            "--anonymous",
            "ro",
            "--quiet",
        ]);
        bench.start(command)?;
        for port in [21, 2121] {
            bench.answers(port)?;
        }
        Ok(bench)
    }

    fn furnish(&self) -> std::io::Result<()> {
        let tree = self.folder.join("tree");
        for folder in 0..ROAD.1 {
            let folder = tree.join(format!("d{folder}"));
            fs::create_dir_all(&folder)?;
            for file in 0..ROAD.2 {
                fs::write(folder.join(format!("f{file:02}")), vec![u8::try_from(file).unwrap_or(0); ROAD.3])?;
            }
        }
        let empty = self.folder.join("empty");
        fs::create_dir_all(&empty)?;
        let conf = format!(
            "listen=YES\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\nanon_root={}\nftp_username=ftp\n\
             secure_chroot_dir={}\npasv_min_port=30000\npasv_max_port=32000\nxferlog_enable=NO\nmax_clients=0\nmax_per_ip=0\n",
            tree.display(),
            empty.display()
        );
        fs::write(self.folder.join("vsftpd.conf"), conf)
    }

    fn beyond(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.far]).arg(program);
        command
    }

    fn start(&mut self, mut command: Command) -> Result<(), String> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|e| format!("{command:?} did not start: {e}"))?;
        self.running.push(child);
        Ok(())
    }

    /// Waits until there is an answer over the road.
    fn answers(&self, port: u16) -> Result<(), String> {
        let tries = "for i in $(seq 100); do curl -s -o /dev/null \"$0\" && exit 0; sleep 0.1; done; exit 1";
        let url = format!("ftp://10.77.9.2:{port}/");
        let status = Command::new("ip").args(["netns", "exec", &self.near, "sh", "-c", tries, &url]).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(format!("nobody answers at {url}")),
        }
    }

    /// Seconds of one run, and the sessions that it had at the same time.
    fn measure(&self, runner: &Runner) -> Result<(f64, usize), String> {
        let work = self.folder.join("work");
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).map_err(|e| e.to_string())?;
        let port = if runner.server == "vsftpd" { 21 } else { 2121 };
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.near, "sh", "-c", runner.command])
            .current_dir(&work)
            // Nobody remembers anything of an earlier run.
            .env("HOME", &work)
            .env("XDG_STATE_HOME", &work)
            .env("TWOPORT", &self.binary)
            .env("PORT", port.to_string())
            .env("URL", format!("ftp://10.77.9.2:{port}/"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let begun = Instant::now();
        let mut child = command.spawn().map_err(|e| format!("{} did not start: {e}", runner.name))?;
        let mut most = 0;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
                break status;
            }
            most = most.max(self.sessions(port));
            std::thread::sleep(Duration::from_millis(20));
        };
        let took = begun.elapsed().as_secs_f64();
        let files: usize = (0..ROAD.1)
            .map(|folder| fs::read_dir(work.join(format!("out/d{folder}"))).map_or(0, Iterator::count))
            .sum();
        if !status.success() || files != ROAD.1 * ROAD.2 {
            return Err(format!("{} brought {files} files and ended with {status}", runner.name));
        }
        Ok((took, most))
    }

    /// Control connections that stand now.
    fn sessions(&self, port: u16) -> usize {
        let filter = format!("( dport = :{port} )");
        let out = Command::new("ip")
            .args(["netns", "exec", &self.near, "ss", "-Htn", "state", "established", &filter])
            .output();
        out.map_or(0, |out| String::from_utf8_lossy(&out.stdout).lines().count())
    }
}
