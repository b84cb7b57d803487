//! `cargo xtask reach`: the reachability laboratory beside the checkout, where it is there: network situations, whether our client
//! gets through, and whether our doctor names what is wrong. It runs in namespaces of its own, so that nothing of it outlives the run and two runs do not meet.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::install::{is_root, on_path};
use crate::peers::Peers;

/// Attempts side by side. Nearly all of an attempt is waiting; with more, a loaded machine would come into the measured
/// times.
const JOBS: &str = "4";

/// Which situations, and with what.
pub(crate) struct Campaign<'a> {
    /// The top of the checkout.
    pub(crate) root: &'a Path,
    /// Where cargo builds to.
    pub(crate) target: &'a Path,
    /// The program under test.
    pub(crate) binary: &'a Path,
    /// What is done there.
    pub(crate) aim: Aim,
    /// Only these; all when empty.
    pub(crate) only: &'a [&'a str],
}

/// What is done in a situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Our client is to get through where that is possible.
    Through,
    /// The same, and where it is not possible it must not claim that it did.
    Claim,
    /// Our doctor is to name the cause and the side.
    Diagnose,
}

/// A situation as the laboratory lists it.
struct Situation {
    slug: String,
    possible: bool,
}

impl Campaign<'_> {
    /// Runs the campaign; where the laboratory cannot be run there is a notice and no error.
    pub(crate) fn run(&self) -> Result<(), String> {
        let lab = self.root.join("../shared/reach/reach.py");
        let peers = Peers::of(self.target);
        if let Some(why) = self.missing(&lab, &peers) {
            println!("skipped: the reachability laboratory ({why})");
            return Ok(());
        }
        let all = situations(&peers.python(), &lab)?;
        let named =
            |situation: &Situation| self.only.is_empty() || self.only.contains(&situation.slug.as_str());
        if let Some(unknown) =
            self.only.iter().find(|only| all.iter().all(|situation| situation.slug != **only))
        {
            return Err(format!("there is no situation {unknown}"));
        }
        let now: Vec<&Situation> = all
            .iter()
            .filter(|situation| named(situation) && (situation.possible || self.aim != Aim::Through))
            .collect();
        if now.is_empty() {
            return Ok(());
        }
        let slugs: Vec<&str> = now.iter().map(|situation| situation.slug.as_str()).collect();
        match self.aim {
            Aim::Through | Aim::Claim => {
                let client = ["run", "--client", "twoport", "--impossible"].map(str::to_owned);
                judge(&self.attempt(&lab, &peers, &client, &slugs)?)
            }
            Aim::Diagnose => self.diagnose(&lab, &peers, &slugs),
        }
    }

    /// Why the laboratory cannot be run here.
    fn missing(&self, lab: &Path, peers: &Peers) -> Option<String> {
        if !lab.is_file() {
            return Some("it is not beside this checkout".to_owned());
        }
        if !cfg!(target_os = "linux") || !is_root() {
            return Some("it needs root on Linux".to_owned());
        }
        let programs = ["ip", "nft", "bridge", "sysctl", "openssl", "unshare", "setpriv"];
        if let Some(program) = programs.iter().find(|program| !on_path(program)) {
            return Some(format!("{program} is not installed"));
        }
        let servers = ["usr/sbin/vsftpd", "usr/sbin/proftpd", "usr/sbin/pure-ftpd", "usr/bin/pure-pw"];
        if let Some(server) = servers.iter().find(|server| !peers.runs(server)) {
            return Some(format!("{server} is not unpacked"));
        }
        // The kernel's own FTP helper takes part in some.
        let helper = "add table x; add ct helper x ftp { type \"ftp\" protocol tcp; }";
        let tried = Command::new("unshare").args(["--net", "nft", helper]).stderr(Stdio::piped()).output();
        match tried {
            Ok(out) if out.status.success() => None,
            Ok(out) => {
                let said = String::from_utf8_lossy(&out.stderr);
                let first = said.lines().next().unwrap_or("no reason was told").to_owned();
                Some(format!("no network namespace with an FTP helper can be made: {first}"))
            }
            Err(e) => Some(format!("unshare did not start: {e}")),
        }
    }

    /// Runs the doctor everywhere. It may be at a loss here and there, and must not be sure of what is not so.
    fn diagnose(&self, lab: &Path, peers: &Peers, slugs: &[&str]) -> Result<(), String> {
        let doctor = |more: &str| {
            let command = format!("twoport doctor --json {{url}}{more}");
            ["diagnose".to_owned(), "--command".to_owned(), command]
        };
        let results = self.attempt(lab, peers, &doctor(""), slugs)?;
        let right = results.iter().filter(|result| is_named(result)).count();
        let slowest = results.iter().filter_map(|result| result["seconds"].as_f64()).fold(0.0, f64::max);
        println!(
            "{right} of {} situations were named, cause and side; the longest took {slowest:.1} s",
            results.len()
        );
        let mut sure = Vec::new();
        for wrong in results.iter().filter(|result| !is_named(result)) {
            let slug = wrong["slug"].as_str().unwrap_or_default();
            println!(
                "  {slug}: {} at {}, and is {} at {}",
                wrong["said"], wrong["side"], wrong["truth"], wrong["true_side"]
            );
            // How sure it was the laboratory does not tell: the same once more, into a file.
            let told = std::env::temp_dir().join(format!("twoport-said-{}-{slug}", std::process::id()));
            self.attempt(lab, peers, &doctor(&format!(" > {0}; cat {0}", told.display())), &[slug])?;
            let said = fs::read_to_string(&told).unwrap_or_default();
            _ = fs::remove_file(&told);
            let said: Value = serde_json::from_str(&said)
                .map_err(|e| format!("what the doctor says of {slug} a second time cannot be read: {e}"))?;
            if said["confidence"] == "certain" && said["cause"] == wrong["said"] {
                sure.push(slug.to_owned());
            }
        }
        let late = results.iter().any(|result| result["exit"].is_null());
        let enough = results.len() - results.len() * 3 / 53;
        match right >= enough && sure.is_empty() && !late {
            true => Ok(()),
            false => Err(format!(
                "at least {enough} must be named, none in vain for a minute, and certain of what is not so: {sure:?}"
            )),
        }
    }

    /// One run of the laboratory; gives its results.
    fn attempt(
        &self,
        lab: &Path,
        peers: &Peers,
        aim: &[String],
        slugs: &[&str],
    ) -> Result<Vec<Value>, String> {
        let work = Work::new()?;
        let told = work.0.join("results.json");
        // What a run that is cut leaves behind goes with its namespaces: processes, network namespaces, mounts.
        const SEALED: &str =
            "cp -a /etc \"$1\" && mount --bind \"$1\" /etc && mount -t tmpfs tmpfs /run && shift && \"$@\"";
        // The laboratory calls client and servers by their names.
        let mut path = vec![work.0.join("bin")];
        fs::create_dir(&path[0])
            .and_then(|()| std::os::unix::fs::symlink(self.binary, path[0].join("twoport")))
            .map_err(|e| format!("{} cannot be made: {e}", path[0].display()))?;
        path.push(peers.root().join("usr/sbin"));
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let path = std::env::join_paths(path);
        let status = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .args(["sh", "-c", SEALED, "sh"])
            .arg(work.0.join("etc"))
            .arg(peers.python())
            .arg(lab)
            .args(aim)
            .args(["--jobs", JOBS, "--only", &slugs.join(",")])
            .arg("--json")
            .arg(&told)
            .env("PATH", path.unwrap_or_default())
            .env("LD_LIBRARY_PATH", peers.libraries())
            .env("RL_PEERS", peers.root())
            .env("RL_BASE", work.0.join("base"))
            .env("TMPDIR", &work.0)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .status()
            .map_err(|e| format!("the laboratory did not start: {e}"))?;
        if !status.success() {
            return Err(format!("the laboratory ended with {status}"));
        }
        let text = fs::read_to_string(&told).map_err(|e| format!("the laboratory told nothing: {e}"))?;
        let read: Value =
            serde_json::from_str(&text).map_err(|e| format!("the laboratory told nonsense: {e}"))?;
        // A client's results have a summary beside them.
        let results = read["results"].as_array().or(read.as_array());
        Ok(results.cloned().unwrap_or_default())
    }
}

/// A folder that others may look into, and that goes with the value.
struct Work(PathBuf);

impl Work {
    fn new() -> Result<Work, String> {
        let path = std::env::temp_dir().join(format!("twoport-reach-{}", std::process::id()));
        fs::create_dir(&path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .map_err(|e| format!("{} cannot be made: {e}", path.display()))?;
        Ok(Work(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What cannot be removed lies in the folder for what is temporary.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The laboratory's list, in its own Markdown: `| slug | op | what | cause | side | yes: by what, or no |`.
fn situations(python: &Path, lab: &Path) -> Result<Vec<Situation>, String> {
    let out = Command::new(python)
        .arg(lab)
        .args(["list", "--markdown"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let out = out.map_err(|e| format!("the laboratory did not start: {e}"))?;
    let found: Vec<Situation> = String::from_utf8_lossy(&out.stdout).lines().filter_map(read_row).collect();
    if found.is_empty() {
        return Err(format!("the laboratory lists nothing: {}", String::from_utf8_lossy(&out.stderr).trim()));
    }
    Ok(found)
}

fn read_row(row: &str) -> Option<Situation> {
    let cells: Vec<&str> = row.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    // The second says what is done; the head of the table has too few cells.
    let (slug, _, works) = (*cells.first()?, *cells.get(1)?, *cells.last()?);
    Some(Situation { slug: slug.to_owned(), possible: works.starts_with("yes") })
}

/// Whether the cause, or another one that is true there too, and the side were named.
fn is_named(result: &Value) -> bool {
    matches!(result["result"].as_str(), Some("exact" | "partial")) && result["side"] == result["true_side"]
}

/// What is possible must have come through, and nothing may hang or be claimed that is not so.
fn judge(results: &[Value]) -> Result<(), String> {
    let text = |result: &Value, key: &str| result[key].as_str().unwrap_or_default().to_owned();
    let of = |possible: bool| results.iter().filter(move |result| result["possible"] == possible);
    let mut seconds: Vec<f64> = of(true)
        .filter(|result| result["result"] == "ok")
        .filter_map(|result| result["seconds"].as_f64())
        .collect();
    seconds.sort_by(f64::total_cmp);
    let (median, longest) = (seconds.get(seconds.len() / 2), seconds.last());
    println!(
        "{} of {} possible situations: median {:.2} s, longest {:.2} s",
        seconds.len(),
        of(true).count(),
        median.unwrap_or(&0.0),
        longest.unwrap_or(&0.0)
    );
    let impossible = of(false).count();
    if impossible > 0 {
        let failed = of(false).filter(|result| result["result"] == "fail").count();
        println!("{failed} of {impossible} impossible situations were told as such, and in time");
    }
    let wrong: Vec<String> = results
        .iter()
        .filter(|result| result["result"] != if result["possible"] == true { "ok" } else { "fail" })
        .map(|result| {
            let said = [text(result, "says"), text(result, "why")].concat();
            format!("  {}: {}: {}", text(result, "slug"), text(result, "result"), said.trim())
        })
        .collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => {
            Err(format!("{} of {} situations went wrong:\n{}", wrong.len(), results.len(), wrong.join("\n")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_of_the_list_is_read() {
        let row = read_row("| tls-list | list TLS | client NAT | none | none | yes: `epsv` |").unwrap();
        assert_eq!((row.slug.as_str(), row.possible), ("tls-list", true));
        let row = read_row("| hairpin-control | get | x | hairpin | server-router | no |").unwrap();
        assert!(!row.possible);
        assert!(read_row("53 situations").is_none());
    }

    #[test]
    fn only_what_came_through_is_well_and_only_what_failed_in_time_may_fail() {
        let result =
            |possible, result| json!({ "slug": "a", "possible": possible, "result": result, "seconds": 1.5 });
        assert_eq!(judge(&[result(true, "ok"), result(false, "fail")]), Ok(()));
        for (possible, told) in [
            (true, "fail"),
            (true, "hung"),
            (true, "lied"),
            (true, "lab-error"),
            (false, "lied"),
            (false, "timeout"),
            (false, "ok"),
        ] {
            assert!(judge(&[result(possible, told)]).unwrap_err().contains(told));
        }
    }
}
