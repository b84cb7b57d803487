//! `Facts`: what a certificate says. Whether it is to be believed is decided elsewhere.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

use crate::Error;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The names and addresses that it is for: the alternative names of its subject, in their order.
    pub names: Vec<String>,
    /// The common name of its subject, which says nothing about hosts any more (RFC 9525 section 2).
    pub common_name: Option<String>,
    /// Mail addresses, of the alternative names and of the subject, each once.
    pub emails: Vec<String>,
    /// When it begins to hold.
    pub not_before: SystemTime,
    /// The last second in which it holds.
    pub not_after: SystemTime,
    /// Who issued it, as one line.
    pub issuer: String,
    /// Whether it is signed with its own key.
    pub self_signed: bool,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
}

impl Facts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// When the bytes are not one certificate.
    pub fn of_der(der: &[u8]) -> Result<Facts, Error> {
        let read = certificate(der)?;
        let mut facts = Facts {
            names: Vec::new(),
            common_name: text_of(read.subject().iter_common_name().next()),
            emails: Vec::new(),
            not_before: moment(read.validity().not_before),
            not_after: moment(read.validity().not_after),
            issuer: read.issuer().to_string(),
            self_signed: is_self_signed(&read),
            fingerprint: Sha256::digest(der).into(),
        };
        // A certificate with two such extensions is malformed, and one whose extension cannot be read names nobody.
        let alternative = read.subject_alternative_name().ok().flatten();
        for name in alternative.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::DNSName(name) => facts.names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => facts.names.extend(address(bytes)),
                GeneralName::RFC822Name(mail) => facts.emails.push((*mail).to_owned()),
                _ => {}
            }
        }
        let in_subject = read.subject().iter_email().filter_map(|email| text_of(Some(email)));
        for email in in_subject.collect::<Vec<_>>() {
            if !facts.emails.contains(&email) {
                facts.emails.push(email);
            }
        }
        Ok(facts)
    }

    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn of_pem(pem: &[u8]) -> Result<Facts, Error> {
        Facts::of_der(&first_der(pem)?)
    }

    /// Whether it holds at this time.
    #[must_use]
    pub fn holds_at(&self, now: SystemTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// The certificates of a PEM text, at least one.
pub(crate) fn all_der(pem: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let mut all = Vec::new();
    for block in x509_parser::pem::Pem::iter_from_buffer(pem) {
        let block = block.map_err(|e| Error::NoCertificate(e.to_string()))?;
        if block.label == "CERTIFICATE" {
            all.push(block.contents);
        }
    }
    if all.is_empty() {
        return Err(Error::NoCertificate("there is no `-----BEGIN CERTIFICATE-----`".to_owned()));
    }
    Ok(all)
}

fn first_der(pem: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(all_der(pem)?.swap_remove(0))
}

/// The public key of the first certificate of a PEM text, as it stands there (a SubjectPublicKeyInfo).
pub(crate) fn public_key_of_pem(pem: &[u8]) -> Result<Vec<u8>, Error> {
    let der = first_der(pem)?;
    Ok(certificate(&der)?.public_key().raw.to_vec())
}

/// Of the first certificate of a PEM text: the mark of its authority's key, and its serial number, as they stand there.
pub(crate) fn authority_and_serial(pem: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let der = first_der(pem)?;
    let read = certificate(&der)?;
    let mark = read.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(authority) => authority.key_identifier.as_ref(),
        _ => None,
    });
    let mark = mark.ok_or_else(|| Error::NoCertificate("it does not say whose key signed it".to_owned()))?;
    Ok((mark.0.to_vec(), read.raw_serial().to_vec()))
}

fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, Error> {
    match X509Certificate::from_der(der) {
        Ok(([], read)) => Ok(read),
        Ok(_) => Err(Error::NoCertificate("something follows its end".to_owned())),
        Err(e) => Err(Error::NoCertificate(e.to_string())),
    }
}

/// Signed by the name that it is for, and with its key where that can be checked.
fn is_self_signed(read: &X509Certificate<'_>) -> bool {
    read.subject().as_raw() == read.issuer().as_raw()
        && matches!(read.verify_signature(None), Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm))
}

fn text_of(attribute: Option<&x509_parser::x509::AttributeTypeAndValue<'_>>) -> Option<String> {
    attribute.and_then(|attribute| attribute.as_str().ok()).map(str::to_owned)
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

/// A time of a certificate, which may lie before 1970.
fn moment(time: ASN1Time) -> SystemTime {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    let moment = if time.timestamp() < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    // Four digits of a year always fit.
    moment.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

    use super::*;

    fn params(names: &[&str]) -> CertificateParams {
        let mut params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a host");
        params.not_before = rcgen::date_time_ymd(1965, 1, 1);
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        params
    }

    #[test]
    fn every_fact_is_read() {
        let mut params = params(&["ftp.example.org", "*.example.net", "127.0.0.1", "::1"]);
        params.subject_alt_names.push(SanType::Rfc822Name("a@example.org".try_into().unwrap()));
        // emailAddress of PKCS#9, in the subject as old authorities write it.
        let in_subject = DnType::from_oid(&[1, 2, 840, 113_549, 1, 9, 1]);
        params.distinguished_name.push(in_subject, "b@example.org");
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let facts = Facts::of_der(made.der()).unwrap();
        assert_eq!(facts.names, ["ftp.example.org", "*.example.net", "127.0.0.1", "::1"]);
        assert_eq!(facts.common_name.as_deref(), Some("a host"));
        assert_eq!(facts.emails, ["a@example.org", "b@example.org"]);
        assert_eq!(facts.not_before, SystemTime::UNIX_EPOCH - Duration::from_secs(157_766_400));
        assert_eq!(facts.not_after, SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800));
        assert!(facts.issuer.contains("CN=a host"), "{}", facts.issuer);
        assert!(facts.self_signed);
        assert_eq!(facts.fingerprint, <[u8; 32]>::from(Sha256::digest(made.der())));
        assert!(facts.holds_at(SystemTime::UNIX_EPOCH));
        assert!(!facts.holds_at(facts.not_after + Duration::from_secs(1)));
        assert!(!facts.holds_at(facts.not_before - Duration::from_secs(1)));
    }

    #[test]
    fn of_a_pem_the_first_certificate_is_read() {
        let key = KeyPair::generate().unwrap();
        let (one, two) =
            (params(&["one"]).self_signed(&key).unwrap(), params(&["two"]).self_signed(&key).unwrap());
        let text = format!("words\n{}{}{}", key.serialize_pem(), one.pem(), two.pem());
        assert_eq!(Facts::of_pem(text.as_bytes()).unwrap().names, ["one"]);
    }

    #[test]
    fn a_certificate_of_an_authority_is_not_self_signed() {
        let mut authority = params(&[]);
        authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
        let key = KeyPair::generate().unwrap();
        // Of the same name as its authority, too: the name alone proves nothing.
        let same_name = params(&["x"]).signed_by(&key, &issuer).unwrap();
        assert!(!Facts::of_der(same_name.der()).unwrap().self_signed);
        let mut other = params(&["x"]);
        other.distinguished_name.push(DnType::CommonName, "another");
        let other = other.signed_by(&key, &issuer).unwrap();
        assert!(!Facts::of_der(other.der()).unwrap().self_signed);
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        let made = params(&["x"]).self_signed(&KeyPair::generate().unwrap()).unwrap();
        let der = made.der().to_vec();
        Facts::of_der(&der[..der.len() - 1]).unwrap_err();
        Facts::of_der(&[der.as_slice(), b"x"].concat()).unwrap_err();
        Facts::of_der(b"").unwrap_err();
        Facts::of_pem(b"").unwrap_err();
        Facts::of_pem(KeyPair::generate().unwrap().serialize_pem().as_bytes()).unwrap_err();
        Facts::of_pem(made.pem().replace("MII", "M!I").as_bytes()).unwrap_err();
    }
}
