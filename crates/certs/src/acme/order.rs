//! One whole order: account, names, proofs, certificate (RFC 8555 section 7.4).

use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationState, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use tokio::time::Instant;

use super::ca::{Ca, asked, identifier};
use super::proof::{self, Claim, Responder};
use super::shelf::is_for;
use super::trouble::{Trouble, tame, words};
use super::{Challenge, Settings};
use crate::pem::Pem;
use crate::{Error, names};

impl Ca<'_> {
    /// Orders a certificate and keeps it.
    pub(super) async fn renew(&self) -> Result<Pem, Error> {
        // Better known before the CA has issued something than after.
        self.shelf.make()?;
        let (mut lost, mut again) = (false, 0);
        loop {
            match self.order(&mut lost).await {
                Ok(pem) => {
                    self.shelf.keep_certificate(&pem)?;
                    return Ok(pem);
                }
                // A CA of several machines, one of which does not know yet what another has said.
                Err(trouble) if trouble.is("badNonce") && again < NONCES => again += 1,
                // A CA for tests that was started anew, or one that forgets accounts nobody uses.
                Err(trouble) if trouble.is("accountDoesNotExist") && !lost && again < NONCES => {
                    (lost, again) = (true, again + 1);
                }
                Err(trouble) => return Err(trouble.told(self.settings)),
            }
        }
    }

    /// One attempt. `lost` says that the CA does not know the account, until there is another.
    async fn order(&self, lost: &mut bool) -> Result<Pem, Trouble> {
        let account = if *lost { self.new_account().await? } else { self.account().await? };
        *lost = false;
        self.check_profile(&account)?;
        let mut order = self.new_order(&account).await?;
        let claims = self.claims(&mut order).await?;
        if !claims.is_empty() {
            self.prove(&mut order, &claims).await?;
        }
        self.finish(&mut order).await
    }

    fn check_profile(&self, account: &Account) -> Result<(), Error> {
        let Some(profile) = &self.settings.profile else { return Ok(()) };
        let mut there: Vec<&str> = account.profiles().map(|profile| profile.name).collect();
        there.sort_unstable();
        if there.contains(&profile.as_str()) {
            return Ok(());
        }
        let there = if there.is_empty() { "none".to_owned() } else { tame(&there.join(", ")) };
        let directory = &self.settings.directory;
        Err(Error::Settings(format!("{directory} has no profile {profile:?}; it has {there}")))
    }

    async fn new_order(&self, account: &Account) -> Result<Order, Trouble> {
        let identifiers: Vec<Identifier> =
            self.settings.names.iter().map(|name| as_identifier(name)).collect();
        let wanted = || match &self.settings.profile {
            Some(profile) => NewOrder::new(&identifiers).profile(profile),
            None => NewOrder::new(&identifiers),
        };
        let before = self.shelf.certificate(self.settings, SystemTime::now());
        if let Some(replaced) = before.and_then(|(pem, _)| identifier(&pem).ok()) {
            // RFC 9773 section 5: an order that replaces a certificate has wider limits. A CA that does not know the
            // certificate, or has had it replaced before, refuses, and then it is an order like the first.
            let wanted = wanted().replaces(replaced);
            match asked("ordering", account.new_order(&wanted)).await {
                Ok(order) => return Ok(order),
                Err(trouble) => tracing::debug!("an order that replaces the old certificate: {trouble:?}"),
            }
        }
        asked("ordering", account.new_order(&wanted())).await
    }

    /// What is to be proved: all names but those that the CA still remembers as proved.
    async fn claims(&self, order: &mut Order) -> Result<Vec<Claim>, Trouble> {
        let kind = kind_of(&self.settings.challenge);
        let mut claims = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = asked_next(authorizations.next()).await? {
            let mut authorization = authorization;
            let name = authorization.identifier().to_string();
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                _ => return Err(self.not_proved(&name, &authorization).into()),
            }
            let identifier = authorization.identifier().identifier.clone();
            let offered: Vec<_> = authorization.challenges.iter().map(|c| as_text(&c.r#type)).collect();
            let Some(challenge) = authorization.challenge(kind.clone()) else {
                let by = self.settings.challenge.name();
                let what =
                    format!("the CA does not let {name} be proved by {by}, but by {}", offered.join(", "));
                return Err(Error::Settings(what).into());
            };
            let (token, authorization) = (challenge.token.clone(), challenge.key_authorization());
            claims.push(Claim { identifier, token, authorization });
        }
        Ok(claims)
    }

    /// Has the CA look, while the answers are there.
    async fn prove(&self, order: &mut Order, claims: &[Claim]) -> Result<(), Trouble> {
        if let Challenge::Dns01 { hook } = &self.settings.challenge {
            let proved = match proof::add_records(hook, claims).await {
                Ok(()) => self.looked_at(order).await,
                Err(e) => Err(e.into()),
            };
            proof::remove_records(hook, claims).await;
            return proved;
        }
        match Responder::of(&self.settings.challenge, claims).await? {
            None => self.looked_at(order).await,
            Some(responder) => tokio::select! {
                proved = self.looked_at(order) => proved,
                never = responder.run() => match never {},
            },
        }
    }

    /// Tells the CA that it may look, and waits until it has seen every name.
    async fn looked_at(&self, order: &mut Order) -> Result<(), Trouble> {
        let kind = kind_of(&self.settings.challenge);
        let mut authorizations = order.authorizations();
        while let Some(authorization) = asked_next(authorizations.next()).await? {
            let mut authorization = authorization;
            if authorization.status == AuthorizationStatus::Pending
                && let Some(mut challenge) = authorization.challenge(kind.clone())
            {
                asked("having a name looked at", challenge.set_ready()).await?;
            }
        }
        let (deadline, mut pause) = (Instant::now() + LOOKING, FIRST_PAUSE);
        loop {
            tokio::time::sleep(pause).await;
            pause = pause.mul_f32(1.5).min(LONGEST_PAUSE);
            let mut pending = false;
            let mut authorizations = order.authorizations();
            while let Some(authorization) = asked_next(authorizations.next()).await? {
                let mut authorization = authorization;
                if authorization.status == AuthorizationStatus::Pending {
                    asked("waiting for a name to be looked at", authorization.refresh()).await?;
                }
                let name = authorization.identifier().to_string();
                match authorization.status {
                    AuthorizationStatus::Valid => {}
                    AuthorizationStatus::Pending => pending = true,
                    _ => return Err(self.not_proved(&name, &authorization).into()),
                }
            }
            if !pending {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Trouble::Silent { doing: "waiting for a name to be looked at" });
            }
        }
    }

    /// Why a name was not proved, and what to do.
    fn not_proved(&self, name: &str, authorization: &AuthorizationState) -> Error {
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        let why = problem.map_or_else(|| "the CA does not say why".to_owned(), words);
        let remedy = match &self.settings.challenge {
            Challenge::Http01 { listen } => {
                format!("port 80 of {name} must lead to {listen} of this machine, from everywhere")
            }
            Challenge::TlsAlpn01 { listen } => format!(
                "port 443 of {name} must lead to {listen} of this machine, from everywhere, and nothing between may \
                 speak TLS of its own"
            ),
            Challenge::Dns01 { hook } => format!(
                "the TXT record _acme-challenge.{name} must be seen by all when {} ends",
                hook.display()
            ),
        };
        Error::Proof { name: name.to_owned(), challenge: self.settings.challenge.name(), why, remedy }
    }

    /// Has the certificate issued, for a new key.
    async fn finish(&self, order: &mut Order) -> Result<Pem, Trouble> {
        let policy = RetryPolicy::new().initial_delay(FIRST_PAUSE).backoff(1.5).timeout(ISSUING);
        let ready = issued("waiting for the order", order.poll_ready(&policy)).await?;
        if ready != OrderStatus::Ready {
            let source = instant_acme::Error::Str("the order did not become ready");
            return Err(Trouble::Ca { doing: "waiting for the order", source });
        }
        let (request, key) = request(self.settings)?;
        asked("asking for the certificate", order.finalize_csr(&request)).await?;
        let chain = issued("waiting for the certificate", order.poll_certificate(&policy)).await?;
        let had = Pem { chain: chain.into_bytes(), key: key.into_bytes() };
        let doing = "reading the certificate";
        let wrong = |why: String| Error::Directory { directory: self.settings.directory.clone(), doing, why };
        // Read as it will be read from the file: what stands between the certificates is left out.
        let (pem, facts) = Pem::of_one_text(&had.one_text()).map_err(wrong)?;
        if !is_for(&facts, &self.settings.names) {
            return Err(wrong("it is not for the names that were asked for".to_owned()).into());
        }
        Ok(pem)
    }
}

/// A request for a certificate, in DER, and its key as PEM.
fn request(settings: &Settings) -> Result<(Vec<u8>, String), Error> {
    let names: Vec<String> = settings.names.iter().map(|name| names::plain(name)).collect();
    let mut params = CertificateParams::new(names)?;
    // CAs take the names from the alternative names, and some refuse a subject.
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    Ok((params.serialize_request(&key)?.der().to_vec(), key.serialize_pem()))
}

fn as_identifier(name: &str) -> Identifier {
    let name = names::plain(name);
    name.parse().map_or(Identifier::Dns(name), Identifier::Ip)
}

fn kind_of(challenge: &Challenge) -> ChallengeType {
    match challenge {
        Challenge::Http01 { .. } => ChallengeType::Http01,
        Challenge::TlsAlpn01 { .. } => ChallengeType::TlsAlpn01,
        Challenge::Dns01 { .. } => ChallengeType::Dns01,
    }
}

fn as_text(kind: &ChallengeType) -> String {
    match kind {
        ChallengeType::Http01 => "http-01".to_owned(),
        ChallengeType::TlsAlpn01 => "tls-alpn-01".to_owned(),
        ChallengeType::Dns01 => "dns-01".to_owned(),
        ChallengeType::Unknown(other) => tame(other),
        other => format!("{other:?}"),
    }
}

/// The next of the authorizations, which the library fetches one by one.
async fn asked_next<T>(
    next: impl Future<Output = Option<Result<T, instant_acme::Error>>>,
) -> Result<Option<T>, Trouble> {
    asked("reading what is to be proved", async { next.await.transpose() }).await
}

/// Waits for what the library asks for again and again.
async fn issued<T>(
    doing: &'static str,
    answer: impl Future<Output = Result<T, instant_acme::Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(2 * ISSUING, answer).await {
        Err(_) | Ok(Err(instant_acme::Error::Timeout(_))) => Err(Trouble::Silent { doing }),
        Ok(answer) => answer.map_err(|source| Trouble::Ca { doing, source }),
    }
}

/// How often an order is begun again for reasons that are gone the next time.
const NONCES: usize = 4;

/// How long a CA may take to look at the names.
const LOOKING: Duration = Duration::from_secs(5 * 60);

/// How long it may take to issue.
const ISSUING: Duration = Duration::from_secs(5 * 60);

/// Between two questions whether it is done, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
