//! When to ask for the next certificate, and the task that does it for as long as the server lives.

use std::convert::Infallible;
use std::fmt;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::ca::{self, Ca};
use super::shelf::Shelf;
use super::trouble::Trouble;
use super::{Http, Settings};
use crate::Error;
use crate::facts::Facts;
use crate::pem::Pem;

/// What [`keep_renewed`] has to tell, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A certificate has come.
    Got {
        /// The names that it is for.
        names: Vec<String>,
        /// The last second in which it holds.
        until: SystemTime,
    },
    /// None has come, and it is tried again.
    Failed {
        /// Why, and what to do.
        why: String,
        /// After this time.
        again_in: Duration,
        /// The last second in which the one holds that is there.
        until: Option<SystemTime>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Got { names, until } => {
                write!(f, "a certificate for {} has come; it holds for {}", names.join(", "), span_to(*until))
            }
            Notice::Failed { why, again_in, until } => {
                write!(f, "no certificate has come: {why}. It is tried again in {}", span(*again_in))?;
                match until {
                    Some(until) => write!(f, "; the one that is there holds for {}", span_to(*until)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Keeps a certificate for ever: `new` is given the one that is kept, and each that comes later; `heard` is told what came
/// and what failed. It ends when it is dropped.
///
/// After a failure it tries again, see [`pause_after`]; a certificate that is due is used as long as it holds.
pub async fn keep_renewed(
    settings: Settings,
    new: impl Fn(Pem) + Send,
    heard: impl Fn(Notice) + Send,
) -> Infallible {
    let http = || ca::https(&settings);
    keep_renewed_by(&settings, &http, new, heard).await
}

pub(super) async fn keep_renewed_by(
    settings: &Settings,
    http: &Http<'_>,
    new: impl Fn(Pem) + Send,
    heard: impl Fn(Notice) + Send,
) -> Infallible {
    let ca = Ca { settings, shelf: Shelf::of(settings), http };
    let mut failures = 0;
    let mut used: Option<[u8; 32]> = None;
    let mut outlook = Outlook::default();
    loop {
        // Another process may have renewed it meanwhile, so the file is looked at each time.
        let there = ca.shelf.certificate(settings, SystemTime::now());
        let until = there.as_ref().map(|(_, facts)| facts.not_after);
        if let Some((pem, facts)) = there {
            if used != Some(facts.fingerprint) {
                (used, outlook) = (Some(facts.fingerprint), Outlook::default());
                new(pem.clone());
            }
            outlook.refresh(&ca, &pem).await;
            let now = SystemTime::now();
            if let Ok(left) = when_to_renew(&facts, outlook.window).duration_since(now)
                && !left.is_zero()
            {
                failures = 0;
                tokio::time::sleep(left.min(LOOK_AGAIN)).await;
                continue;
            }
        }
        let why = match renewed(&ca).await {
            Ok(facts) => {
                let due = when_to_renew(&facts, None);
                heard(Notice::Got { names: facts.names, until: facts.not_after });
                if SystemTime::now() < due {
                    continue;
                }
                // Without this the next order would follow at once, and the CA would bar us.
                "the one that has just come is due again; set the clock of this machine right".to_owned()
            }
            Err(e) => e.to_string(),
        };
        failures += 1;
        let again_in = pause_after(failures, random());
        heard(Notice::Failed { why, again_in, until });
        tokio::time::sleep(again_in).await;
    }
}

async fn renewed(ca: &Ca<'_>) -> Result<Facts, Error> {
    ca.settings.check()?;
    let pem = ca.renew().await?;
    Facts::of_pem(&pem.chain)
}

/// When a certificate is to be renewed: when a third of its time is left, or at a moment in the window that the CA suggests
/// (RFC 9773 section 4.2), which is the same at each call. A tenth of the time is left in any case.
#[must_use]
pub fn when_to_renew(facts: &Facts, suggested: Option<(SystemTime, SystemTime)>) -> SystemTime {
    let life = facts.not_after.duration_since(facts.not_before).unwrap_or_default();
    let latest = facts.not_after - life / 10;
    match suggested.and_then(|(start, end)| Some((start, end.duration_since(start).ok()?))) {
        Some((start, width)) if !width.is_zero() => {
            // The fingerprint is as good as chance, and has to be thrown once only.
            let [first, second, ..] = facts.fingerprint;
            let part = u32::from(u16::from_be_bytes([first, second]));
            let moment = start.checked_add(width / 0x1_0000 * part);
            moment.map_or(latest, |moment| moment.min(latest))
        }
        _ => facts.not_after - life / 3,
    }
}

/// How long to wait after so many failures in a row: a minute, three, nine, to half a day. `chance`, from 0 to 1, makes it
/// up to a fifth longer, so that many servers do not come back together. Not faster: Let's Encrypt bears five failures an
/// hour.
#[must_use]
pub fn pause_after(failures: u32, chance: f64) -> Duration {
    let minutes = 3_u32.saturating_pow(failures.saturating_sub(1)).min(LONGEST_PAUSE_MINUTES);
    Duration::from_secs(60 * u64::from(minutes)).mul_f64(1.0 + 0.2 * chance.clamp(0.0, 1.0))
}

/// What the CA thinks of the time.
#[derive(Default)]
struct Outlook {
    window: Option<(SystemTime, SystemTime)>,
    ask_again: Option<Instant>,
}

impl Outlook {
    /// Asks again when it is time. A CA that has no opinion, or does not answer, is no trouble: the third is there.
    async fn refresh(&mut self, ca: &Ca<'_>, pem: &Pem) {
        if self.ask_again.is_some_and(|moment| Instant::now() < moment) {
            return;
        }
        let lasts = match ca.renewal_information(pem).await {
            Ok((information, lasts)) => {
                let moment = |seconds: i64| {
                    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
                };
                let window = information.suggested_window;
                self.window = moment(window.start.unix_timestamp()).zip(moment(window.end.unix_timestamp()));
                lasts
            }
            Err(Trouble::Ca { source: instant_acme::Error::Unsupported(_), .. }) => ASK_LATEST,
            Err(trouble) => {
                tracing::debug!("when to renew is not known: {}", trouble.told(ca.settings));
                ASK_AFTER_FAILURE
            }
        };
        self.ask_again = Some(Instant::now() + lasts.clamp(ASK_SOONEST, ASK_LATEST));
    }
}

/// A number from 0 to 1; the middle where the system has no random numbers.
fn random() -> f64 {
    let mut bytes = [0x7f; 2];
    let _ = getrandom::fill(&mut bytes);
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

/// A time of this length in the largest unit that fits it.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

fn span_to(moment: SystemTime) -> String {
    span(moment.duration_since(SystemTime::now()).unwrap_or_default())
}

/// With the fifth that chance adds this is half a day.
const LONGEST_PAUSE_MINUTES: u32 = 600;

/// How long it sleeps at most: clocks are set, machines sleep, and files are changed.
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);

/// Bounds for what a CA says of asking again, and what is taken where it says nothing (RFC 9773 section 4.3).
const ASK_SOONEST: Duration = Duration::from_secs(60);
const ASK_LATEST: Duration = Duration::from_secs(24 * 60 * 60);
const ASK_AFTER_FAILURE: Duration = Duration::from_secs(6 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn facts(first: [u8; 2]) -> Facts {
        let mut fingerprint = [0; 32];
        fingerprint[..2].copy_from_slice(&first);
        Facts {
            names: vec!["x".to_owned()],
            common_name: None,
            emails: Vec::new(),
            not_before: SystemTime::UNIX_EPOCH + 1000 * DAY,
            not_after: SystemTime::UNIX_EPOCH + 1090 * DAY,
            issuer: String::new(),
            self_signed: false,
            fingerprint,
        }
    }

    fn day(day: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + day * DAY
    }

    #[test]
    fn without_a_suggestion_a_third_is_left() {
        assert_eq!(when_to_renew(&facts([0, 0]), None), day(1060));
        // A certificate for six days.
        let short = Facts { not_after: day(1006), ..facts([0, 0]) };
        assert_eq!(when_to_renew(&short, None), day(1004));
        let upside_down = Facts { not_after: day(1), ..facts([0, 0]) };
        assert_eq!(when_to_renew(&upside_down, None), day(1));
    }

    #[test]
    fn a_suggested_window_is_used_in_all_its_width() {
        let window = Some((day(1040), day(1042)));
        assert_eq!(when_to_renew(&facts([0, 0]), window), day(1040));
        assert_eq!(when_to_renew(&facts([0x80, 0]), window), day(1041));
        let last = when_to_renew(&facts([0xff, 0xff]), window);
        assert!(last > day(1042) - Duration::from_secs(60) && last < day(1042));
        // A certificate that is to be revoked: the window is over.
        assert_eq!(when_to_renew(&facts([0, 0]), Some((day(1), day(2)))), day(1));
    }

    #[test]
    fn a_window_that_cannot_be_meant_is_not_used() {
        for window in [(day(1040), day(1040)), (day(1042), day(1040))] {
            assert_eq!(when_to_renew(&facts([0, 0]), Some(window)), day(1060));
        }
        // After its end, or close to it.
        assert_eq!(when_to_renew(&facts([0, 0]), Some((day(2000), day(2001)))), day(1081));
        assert_eq!(when_to_renew(&facts([0xff, 0]), Some((day(1080), day(1090)))), day(1081));
    }

    #[test]
    fn pauses_grow_from_a_minute_to_half_a_day() {
        let minutes: Vec<u64> = (1..9).map(|n| pause_after(n, 0.0).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 3, 9, 27, 81, 243, 600, 600]);
        assert_eq!(pause_after(u32::MAX, 1.0), Duration::from_secs(12 * 60 * 60));
        assert_eq!(pause_after(0, 0.0), Duration::from_secs(60));
        assert!(pause_after(3, 0.5) > pause_after(3, 0.1));
        assert!((0.0..=1.0).contains(&random()));
    }

    #[test]
    fn notices_are_sentences() {
        let now = SystemTime::now();
        let got = Notice::Got { names: vec!["a".into(), "b".into()], until: now + 90 * DAY + DAY / 2 };
        assert_eq!(got.to_string(), "a certificate for a, b has come; it holds for 90 days");
        let failed = Notice::Failed {
            why: "nobody is there".into(),
            again_in: Duration::from_secs(60),
            until: Some(now + DAY + DAY / 48),
        };
        assert_eq!(
            failed.to_string(),
            "no certificate has come: nobody is there. It is tried again in 60 seconds; the one that is there holds \
             for 24 hours"
        );
        assert_eq!(span(Duration::from_secs(119)), "119 seconds");
        assert_eq!(span(Duration::from_secs(180)), "3 minutes");
    }
}
