//! The CA's directory: the way to it, and our account there.

use std::future::Future;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use instant_acme::{Account, BodyWrapper, CertificateIdentifier, ExternalAccountKey, HttpClient, NewAccount};
use twoport_net::tls::challenge;

use super::shelf::{KeptAccount, Shelf};
use super::trouble::Trouble;
use super::{ExternalAccount, Settings};
use crate::Error;
use crate::facts;
use crate::pem::Pem;

/// A CA, and what is asked of it.
pub(super) struct Ca<'a> {
    pub(super) settings: &'a Settings,
    pub(super) shelf: Shelf,
    /// A way to it, made anew for each order.
    pub(super) http: &'a Http<'a>,
}

/// What makes a client of HTTP.
pub(super) type Http<'a> = dyn Fn() -> Result<Box<dyn HttpClient>, Error> + Send + Sync + 'a;

/// HTTPS with the authorities that the settings name.
pub(super) fn https(settings: &Settings) -> Result<Box<dyn HttpClient>, Error> {
    let authorities = match &settings.roots {
        None => None,
        Some(path) => {
            let text = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
            let all = facts::all_der(&text)
                .map_err(|e| Error::Settings(format!("{} names no authorities: {e}", path.display())))?;
            Some(all)
        }
    };
    let config = challenge::https(authorities.as_deref()).map_err(|e| match &settings.roots {
        Some(path) => Error::Settings(format!("{} holds what is no authority: {e}", path.display())),
        None => Error::Settings(format!(
            "this system believes no authorities ({e}): install its package `ca-certificates`, or name a PEM file \
             with that of the ACME directory as its roots"
        )),
    })?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().build();
    // The library speaks to any client of hyper that carries its bodies.
    Ok(Box::new(Client::builder(TokioExecutor::new()).build::<_, BodyWrapper<_>>(connector)))
}

impl Ca<'_> {
    /// The account that is kept, or a new one.
    pub(super) async fn account(&self) -> Result<Account, Trouble> {
        let contact = self.contact();
        let Some(kept) = self.shelf.account()? else { return self.new_account().await };
        let told = kept.contact == contact;
        let (account, kept) = self.opened(kept).await?;
        if !told {
            let addresses: Vec<&str> = contact.iter().map(String::as_str).collect();
            asked("telling the addresses of the account", account.update_contacts(&addresses)).await?;
            self.shelf.keep_account(&KeptAccount { contact, ..kept })?;
        }
        Ok(account)
    }

    /// A new account in the place of the one before.
    pub(super) async fn new_account(&self) -> Result<Account, Trouble> {
        let contact = self.contact();
        let addresses: Vec<&str> = contact.iter().map(String::as_str).collect();
        let wanted =
            NewAccount { contact: &addresses, terms_of_service_agreed: true, only_return_existing: false };
        let external = self.settings.external_account.as_ref().map(external_key).transpose()?;
        let builder = Account::builder_with_http((self.http)()?);
        let making = builder.create(&wanted, self.settings.directory.clone(), external.as_ref());
        let (account, credentials) = asked("making an account", making).await?;
        self.shelf.keep_account(&KeptAccount { contact, credentials })?;
        Ok(account)
    }

    /// When the CA would like this certificate to be renewed, and how long that is true (RFC 9773).
    pub(super) async fn renewal_information(
        &self,
        pem: &Pem,
    ) -> Result<(instant_acme::RenewalInfo, Duration), Trouble> {
        let kept = self.shelf.account()?;
        let kept = kept.ok_or_else(|| Error::Settings("there is no account to ask with".to_owned()))?;
        let id = identifier(pem)?;
        let (account, _) = self.opened(kept).await?;
        asked("asking when to renew", account.renewal_info(&id)).await
    }

    /// The account of kept credentials, and these once more: the library takes them.
    async fn opened(&self, kept: KeptAccount) -> Result<(Account, KeptAccount), Trouble> {
        let again = serde_json::to_vec(&kept).and_then(|text| serde_json::from_slice(&text));
        let again = again.expect("what was read is written and read again");
        let builder = Account::builder_with_http((self.http)()?);
        let account = asked("reading the directory", builder.from_credentials(kept.credentials)).await?;
        Ok((account, again))
    }

    /// The addresses as ACME has them.
    fn contact(&self) -> Vec<String> {
        let url = |address: &String| {
            if address.contains(':') { address.clone() } else { format!("mailto:{address}") }
        };
        self.settings.contact.iter().map(url).collect()
    }
}

/// Waits for the answer to one request, and not for ever.
pub(super) async fn asked<T>(
    doing: &'static str,
    answer: impl Future<Output = Result<T, instant_acme::Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|source| Trouble::Ca { doing, source }),
        Err(_) => Err(Trouble::Silent { doing }),
    }
}

/// The name by which a CA knows a certificate that it issued (RFC 9773 section 4.1).
pub(super) fn identifier(pem: &Pem) -> Result<CertificateIdentifier<'static>, Error> {
    let (authority, serial) = facts::authority_and_serial(&pem.chain)?;
    let engine = base64::prelude::BASE64_URL_SAFE_NO_PAD;
    Ok(CertificateIdentifier {
        authority_key_identifier: engine.encode(authority).into(),
        serial: engine.encode(serial).into(),
    })
}

/// CAs show the key in base64url, some with padding, and people take it from forms that know the other alphabet only.
fn external_key(external: &ExternalAccount) -> Result<ExternalAccountKey, Error> {
    let either = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::URL_SAFE, either);
    let text = external.key.trim().replace('+', "-").replace('/', "_");
    let key = engine.decode(text).map_err(|_| {
        Error::Settings("the external account's key is not in base64: copy it as the CA shows it".to_owned())
    })?;
    Ok(ExternalAccountKey::new(external.id.clone(), &key))
}

/// How long the answer to a request may take. The library asks up to four times for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_key_is_read_in_either_alphabet() {
        let key = |key: &str| external_key(&ExternalAccount { id: "i".to_owned(), key: key.to_owned() });
        for good in ["-_-_", "+/+/", "YQ", "YQ==", " YQ==\n"] {
            assert!(key(good).is_ok(), "{good:?}");
        }
        let Err(said) = key("no key!") else { panic!("that is no base64") };
        assert!(said.to_string().contains("base64") && !said.to_string().contains("no key"), "{said}");
    }
}
