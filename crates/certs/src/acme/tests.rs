//! Orders with a CA that is made up: it says what a test wants, in no time and without a socket. That the proofs are what
//! CAs look for is tested with a real one, in the interop tests.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData, SignatureAlgorithm};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, X509CertificationRequest};

use super::renewal::keep_renewed_by;
use super::*;
use crate::facts::Facts;

/// What the CA does.
#[derive(Default)]
struct Made {
    /// Whether it has renewal information, and then the years in which it wants a renewal, the last one for ever.
    windows: Option<VecDeque<u16>>,
    profiles: Value,
    /// The challenges that it offers; http-01 if nothing is said.
    offers: Option<&'static str>,
    /// What it says of a name that it has looked at.
    invalid: bool,
    /// Other names than those that were asked for.
    issues_for: Option<&'static str>,
    /// Paths with a problem that is said there instead, each once.
    problems: VecDeque<(&'static str, &'static str)>,
    /// No answer at all.
    silent: bool,

    /// What was asked: `METHOD path`, and what it carried.
    asked: Vec<(String, Value)>,
    looked: bool,
    chain: String,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Made>>);

impl Fake {
    fn of(made: Made) -> Fake {
        Fake(Arc::new(Mutex::new(made)))
    }

    fn set<T>(&self, change: impl FnOnce(&mut Made) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// What was carried to a path, each time.
    fn asked(&self, what: &str) -> Vec<Value> {
        self.set(|made| {
            made.asked.iter().filter(|(asked, _)| asked == what).map(|(_, v)| v.clone()).collect()
        })
    }

    async fn renew(&self, settings: &Settings) -> Result<Pem, Error> {
        let http = || -> Result<Box<dyn HttpClient>, Error> { Ok(Box::new(self.clone())) };
        Ca { settings, shelf: shelf::Shelf::of(settings), http: &http }.renew().await
    }
}

impl HttpClient for Fake {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let fake = self.clone();
        Box::pin(async move {
            if fake.set(|made| made.silent) {
                std::future::pending::<()>().await;
            }
            let (parts, body) = request.into_parts();
            // The library reads bodies of answers only.
            let body = BytesResponse::from(Response::new(body))
                .body
                .into_bytes()
                .await
                .map_err(instant_acme::Error::Other)?;
            let (status, location, text) =
                fake.set(|made| made.answer(parts.method.as_str(), parts.uri.path(), &body));
            let mut response =
                Response::builder().status(status).header("Replay-Nonce", "n").header("Retry-After", "3600");
            if let Some(location) = location {
                response = response.header("Location", format!("https://ca.test{location}"));
            }
            Ok(response.body(BodyWrapper::from(text.into_bytes()))?.into())
        })
    }
}

impl Made {
    fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Option<&'static str>, String) {
        let carried = payload(body);
        self.asked.push((format!("{method} {path}"), carried.clone()));
        if let Some((at, kind)) = self.problems.front()
            && *at == path
        {
            let kind = format!("urn:ietf:params:acme:error:{kind}");
            self.problems.pop_front();
            return (400, None, json!({"type": kind, "detail": "The CA's words."}).to_string());
        }
        let url = |path: &str| format!("https://ca.test{path}");
        let (mut status, mut location) = (200, None);
        let answer = match path {
            "/directory" => json!({
                "newNonce": url("/nonce"), "newAccount": url("/new-account"), "newOrder": url("/new-order"),
                "renewalInfo": self.windows.is_some().then(|| url("/renewal")),
                "meta": if self.profiles.is_null() { json!({}) } else { json!({"profiles": self.profiles}) },
            }),
            "/new-account" => {
                (status, location) = (201, Some("/account"));
                json!({"status": "valid"})
            }
            "/account" => json!({"status": "valid"}),
            "/new-order" => {
                (status, location) = (201, Some("/order"));
                (self.looked, self.chain) = (false, String::new());
                self.order(&carried)
            }
            "/order" => self.order(&Value::Null),
            "/authorization" => self.authorization(),
            "/challenge" => {
                self.looked = true;
                json!({"type": "http-01", "url": url("/challenge"), "token": "t", "status": "processing"})
            }
            "/finalize" => {
                let csr = carried["csr"].as_str().unwrap();
                self.chain = issue(&BASE64_URL_SAFE_NO_PAD.decode(csr).unwrap(), self.issues_for);
                self.order(&Value::Null)
            }
            "/certificate" => return (200, None, self.chain.clone()),
            "/nonce" => return (200, None, String::new()),
            renewal if renewal.starts_with("/renewal/") => self.window(),
            _ => return (404, None, "{}".to_owned()),
        };
        (status, location, answer.to_string())
    }

    fn order(&self, carried: &Value) -> Value {
        let status = match (self.chain.is_empty(), self.looked) {
            (false, _) => "valid",
            (true, true) => "ready",
            (true, false) => "pending",
        };
        json!({
            "status": status, "identifiers": [], "authorizations": ["https://ca.test/authorization"],
            "finalize": "https://ca.test/finalize", "certificate": "https://ca.test/certificate",
            "replaces": carried.get("replaces"),
        })
    }

    fn authorization(&self) -> Value {
        let status = match (self.looked, self.invalid) {
            (false, _) => "pending",
            (true, true) => "invalid",
            (true, false) => "valid",
        };
        let error = self.invalid.then(|| json!({"type": "x", "detail": "Fetching it: connection refused."}));
        json!({
            "status": status, "identifier": {"type": "dns", "value": "ftp.example"},
            "challenges": [{
                "type": self.offers.unwrap_or("http-01"), "url": "https://ca.test/challenge", "token": "t",
                "status": "pending", "error": error,
            }],
        })
    }

    fn window(&mut self) -> Value {
        let windows = self.windows.as_mut().unwrap();
        let year = if windows.len() > 1 { windows.pop_front().unwrap() } else { windows[0] };
        let (start, end) = (format!("{year}-01-01T00:00:00Z"), format!("{year}-01-02T00:00:00Z"));
        json!({"suggestedWindow": {"start": start, "end": end}})
    }
}

/// What a signed request carries.
fn payload(body: &[u8]) -> Value {
    let Ok(signed) = serde_json::from_slice::<Value>(body) else { return Value::Null };
    let text = BASE64_URL_SAFE_NO_PAD.decode(signed["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// A certificate of an authority of its own for what a request asks for.
fn issue(csr: &[u8], other: Option<&str>) -> String {
    struct Key(Vec<u8>);
    impl PublicKeyData for Key {
        fn der_bytes(&self) -> &[u8] {
            &self.0
        }
        fn algorithm(&self) -> &'static SignatureAlgorithm {
            &rcgen::PKCS_ECDSA_P256_SHA256
        }
    }
    let (_, request) = X509CertificationRequest::from_der(csr).unwrap();
    request.verify_signature().unwrap();
    let public = Key(request.certification_request_info.subject_pki.subject_public_key.data.to_vec());
    let mut params = CertificateParams::new([other.unwrap_or("ftp.example").to_owned()]).unwrap();
    params.use_authority_key_identifier_extension = true;
    // Ninety days from now.
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_1970;
    params.not_after = params.not_before + 90 * Duration::from_secs(86_400);
    let authority = Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
    // Some CAs write words between the certificates of a chain.
    format!("\nsubject: x\n{}\n", params.signed_by(&public, &authority).unwrap().pem())
}

fn settings(folder: &tempfile::TempDir) -> Settings {
    Settings {
        directory: "https://ca.test/directory".to_owned(),
        roots: None,
        contact: vec!["a@example.org".to_owned()],
        names: vec!["ftp.example".to_owned()],
        challenge: Challenge::Http01 { listen: "127.0.0.1:0".parse().unwrap() },
        folder: folder.path().to_owned(),
        external_account: None,
        profile: None,
    }
}

#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    let said = error.to_string();
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

#[test]
fn the_futures_may_go_to_other_threads() {
    fn sent<T: Send>(_: T) {}
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    sent(renew(&settings));
    sent(keep_renewed(settings.clone(), |_| {}, |_| {}));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_had_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::default();
    assert_eq!(kept(&settings), None);
    let pem = fake.renew(&settings).await.unwrap();
    assert_eq!(Facts::of_pem(&pem.chain).unwrap().names, ["ftp.example"]);
    assert_eq!(kept(&settings), Some(pem));
    assert_eq!(fake.asked("POST /new-account")[0]["contact"], json!(["mailto:a@example.org"]));
    assert_eq!(
        fake.asked("POST /new-order")[0]["identifiers"],
        json!([{"type": "dns", "value": "ftp.example"}])
    );
    // Nothing is there for other names, or of another directory.
    assert_eq!(kept(&Settings { names: vec!["x".into()], ..settings.clone() }), None);
    assert_eq!(kept(&Settings { directory: "https://ca.test/other".into(), ..settings.clone() }), None);
    assert!(kept(&Settings { names: vec!["FTP.example.".into()], ..settings.clone() }).is_some());
    // What is kept is for the owner only.
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(folder.path().join("ca-ca.test-directory")).unwrap() {
        let file = entry.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_made_once_and_its_addresses_are_kept_true() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(&folder);
    let fake = Fake::default();
    fake.renew(&settings).await.unwrap();
    fake.renew(&settings).await.unwrap();
    assert_eq!(fake.asked("POST /account").len(), 0);
    settings.contact = vec!["mailto:b@example.org".to_owned()];
    fake.renew(&settings).await.unwrap();
    fake.renew(&settings).await.unwrap();
    assert_eq!(fake.asked("POST /new-account").len(), 1);
    assert_eq!(fake.asked("POST /account"), [json!({"contact": ["mailto:b@example.org"]})]);
}

#[tokio::test(start_paused = true)]
async fn an_account_file_that_is_not_understood_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let path = folder.path().join("ca-ca.test-directory/account.json");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "{}").unwrap();
    says(&Fake::default().renew(&settings).await.unwrap_err(), &["account.json", "move it away"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"{}");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_the_ca_has_forgotten_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::default();
    fake.renew(&settings).await.unwrap();
    fake.set(|made| made.problems = [("/new-order", "accountDoesNotExist")].into());
    fake.renew(&settings).await.unwrap();
    assert_eq!(fake.asked("POST /new-account").len(), 2);
    // One that never knows any is not asked for ever.
    fake.set(|made| made.problems = VecDeque::from([("/new-order", "accountDoesNotExist"); 100]));
    says(&fake.renew(&settings).await.unwrap_err(), &["refused: The CA's words"]);
}

#[tokio::test(start_paused = true)]
async fn stale_nonces_are_borne_and_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::default();
    fake.renew(&settings).await.unwrap();
    // The library tries three times in each of our attempts.
    fake.set(|made| made.problems = VecDeque::from([("/finalize", "badNonce"); 6]));
    fake.renew(&settings).await.unwrap();
    fake.set(|made| made.problems = VecDeque::from([("/finalize", "badNonce"); 100]));
    says(&fake.renew(&settings).await.unwrap_err(), &["refused"]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_says_what_it_replaces_where_the_ca_knows_that() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::of(Made { windows: Some([2100].into()), ..Made::default() });
    let first = fake.renew(&settings).await.unwrap();
    fake.renew(&settings).await.unwrap();
    let orders = fake.asked("POST /new-order");
    assert_eq!(orders[0].get("replaces"), None);
    assert_eq!(orders[1]["replaces"], ca::identifier(&first).unwrap().to_string());
    // One that has been replaced already is refused, and then it is an order like the first.
    fake.set(|made| made.problems = [("/new-order", "alreadyReplaced")].into());
    fake.renew(&settings).await.unwrap();
    let orders = fake.asked("POST /new-order");
    assert_eq!(orders.len(), 4);
    assert!(orders[2].get("replaces").is_some() && orders[3].get("replaces").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_proved_leaves_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::default();
    let pem = fake.renew(&settings).await.unwrap();
    fake.set(|made| made.invalid = true);
    let error = fake.renew(&settings).await.unwrap_err();
    let parts =
        ["ftp.example was not proved by http-01: Fetching it: connection refused; port 80 of ftp.example"];
    says(&error, &parts);
    assert_eq!(kept(&settings), Some(pem));
}

#[tokio::test(start_paused = true)]
async fn what_the_ca_refuses_comes_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    for (at, kind, remedy) in [
        ("/new-account", "externalAccountRequired", "external account"),
        ("/new-order", "rateLimited", "wait"),
        ("/new-order", "rejectedIdentifier", "leave the name out"),
        ("/finalize", "caa", "CAA"),
        ("/challenge", "malformed", "The CA's words"),
    ] {
        let fake = Fake::of(Made { problems: [(at, kind)].into(), ..Made::default() });
        says(&fake.renew(&settings).await.unwrap_err(), &["https://ca.test/directory", "CA's words", remedy]);
    }
    assert_eq!(kept(&settings), None);
}

#[tokio::test(start_paused = true)]
async fn what_the_ca_does_not_have_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(&folder);
    let fake = Fake::of(Made { offers: Some("dns-01"), ..Made::default() });
    says(&fake.renew(&settings).await.unwrap_err(), &["by http-01, but by dns-01"]);
    settings.profile = Some("short".to_owned());
    says(&fake.renew(&settings).await.unwrap_err(), &["no profile \"short\"; it has none"]);
    let fake = Fake::of(Made { profiles: json!({"classic": "x", "tiny": "y"}), ..Made::default() });
    says(&fake.renew(&settings).await.unwrap_err(), &["no profile \"short\"; it has classic, tiny"]);
    settings.profile = Some("tiny".to_owned());
    fake.renew(&settings).await.unwrap();
    assert_eq!(fake.asked("POST /new-order")[0]["profile"], "tiny");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_another_name_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::of(Made { issues_for: Some("other.example"), ..Made::default() });
    says(&fake.renew(&settings).await.unwrap_err(), &["not for the names"]);
    assert_eq!(kept(&settings), None);
}

#[tokio::test(start_paused = true)]
async fn a_ca_that_is_silent_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::of(Made { silent: true, ..Made::default() });
    says(
        &fake.renew(&settings(&folder)).await.unwrap_err(),
        &["making an account", "does not answer in time"],
    );
}

#[tokio::test(start_paused = true)]
async fn an_external_account_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    let external = ExternalAccount { id: "customer".to_owned(), key: "c2VjcmV0LWtleQ".to_owned() };
    let settings = Settings { external_account: Some(external), ..settings(&folder) };
    let fake = Fake::default();
    fake.renew(&settings).await.unwrap();
    let bound = &fake.asked("POST /new-account")[0]["externalAccountBinding"];
    let head = BASE64_URL_SAFE_NO_PAD.decode(bound["protected"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&head).unwrap()["kid"], "customer");
    assert!(!format!("{settings:?}").contains("c2VjcmV0"));
}

#[test]
fn what_cannot_be_asked_for_is_said_before() {
    let folder = tempfile::tempdir().unwrap();
    let good = settings(&folder);
    good.check().unwrap();
    let by_dns = Challenge::Dns01 { hook: "hook".into() };
    let with = |names: &[&str], challenge: &Challenge| Settings {
        names: names.iter().map(ToString::to_string).collect(),
        challenge: challenge.clone(),
        ..good.clone()
    };
    with(&["*.example.org", "example.org"], &by_dns).check().unwrap();
    with(&["192.0.2.1"], &good.challenge).check().unwrap();
    says(&with(&["*.example.org"], &good.challenge).check().unwrap_err(), &["dns-01 only"]);
    says(&with(&["a", "192.0.2.1"], &by_dns).check().unwrap_err(), &["192.0.2.1", "take http-01"]);
    says(&with(&[], &by_dns).check().unwrap_err(), &["name the host"]);
    let plain = Settings { directory: "http://ca.test/".to_owned(), ..good };
    says(&plain.check().unwrap_err(), &["https://"]);
}

/// Runs [`keep_renewed`] with a made-up CA until enough has been told: certificates, and notices with the time of each.
async fn told(
    fake: &Fake,
    settings: &Settings,
    enough: impl Fn(&[Pem], &[(Duration, Notice)]) -> bool,
) -> (Vec<Pem>, Vec<(Duration, Notice)>) {
    let start = tokio::time::Instant::now();
    let http = || -> Result<Box<dyn HttpClient>, Error> { Ok(Box::new(fake.clone())) };
    let (pems, notices) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let changed = tokio::sync::Notify::new();
    let new = |pem| {
        pems.lock().unwrap().push(pem);
        changed.notify_one();
    };
    let heard = |notice| {
        notices.lock().unwrap().push((start.elapsed(), notice));
        changed.notify_one();
    };
    let waiting = async {
        while !enough(&pems.lock().unwrap(), &notices.lock().unwrap()) {
            changed.notified().await;
        }
    };
    tokio::select! {
        () = waiting => {}
        never = keep_renewed_by(settings, &http, new, heard) => match never {},
    }
    (pems.into_inner().unwrap(), notices.into_inner().unwrap())
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_each_and_tried_again_after_growing_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::of(Made { problems: VecDeque::from([("/new-order", "caa"); 3]), ..Made::default() });
    let (pems, notices) = told(&fake, &settings, |pems, _| !pems.is_empty()).await;
    assert_eq!((pems.len(), notices.len()), (1, 4));
    let mut at = Duration::ZERO;
    for (n, (when, notice)) in (1..).zip(&notices[..3]) {
        let Notice::Failed { why, again_in, until: None } = notice else { panic!("{notice:?}") };
        assert!(why.contains("CAA"), "{why}");
        assert!((pause_after(n, 0.0)..=pause_after(n, 1.0)).contains(again_in), "{again_in:?}");
        // The order itself takes a moment, too.
        assert!(*when >= at && *when < at + Duration::from_secs(5), "{when:?} {at:?}");
        at = *when + *again_in;
    }
    let (when, Notice::Got { names, .. }) = &notices[3] else { panic!("{notices:?}") };
    assert!(names == &settings.names && *when >= at);
    assert_eq!(kept(&settings), pems.first().cloned());
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_used_at_once_and_nothing_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::default();
    let pem = fake.renew(&settings).await.unwrap();
    let (pems, notices) = told(&fake, &settings, |pems, _| !pems.is_empty()).await;
    assert_eq!((pems, notices.len()), (vec![pem], 0));
    assert_eq!(fake.asked("POST /new-order").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ca_that_wants_a_renewal_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let fake = Fake::of(Made { windows: Some([2001, 2100].into()), ..Made::default() });
    let first = fake.renew(&settings).await.unwrap();
    let (pems, notices) = told(&fake, &settings, |pems, _| pems.len() == 2).await;
    assert_eq!(pems[0], first);
    assert!(pems[1] != first && matches!(&notices[..], [(_, Notice::Got { .. })]), "{notices:?}");
    let question = format!("GET /renewal/{}", ca::identifier(&first).unwrap());
    assert_eq!(fake.asked(&question).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ca_that_changes_its_mind_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    // It says an hour each time, and means it: only at the third question it is time.
    let fake = Fake::of(Made { windows: Some([2100, 2100, 2001, 2100].into()), ..Made::default() });
    fake.renew(&settings).await.unwrap();
    let (pems, notices) = told(&fake, &settings, |pems, _| pems.len() == 2).await;
    assert_eq!((pems.len(), notices.len()), (2, 1));
    let (when, _) = notices[0];
    assert!(when > Duration::from_secs(2 * 3600) && when < Duration::from_secs(3 * 3600), "{when:?}");
}
