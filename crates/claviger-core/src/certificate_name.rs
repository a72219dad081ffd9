//! The one name by which the certificates of a client are known that an authority vouches for (RFC 8705, section 2.1.2): the distinguished
//! name of the subject, or one of its alternative names.
//!
//! The room must not know who vouches.

use std::net::IpAddr;

use claviger_token::Certificate;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
};

use crate::distinguished_name::{DistinguishedName, DnError};

const LONGEST_HOST: usize = 253;
const LONGEST: usize = 1000;

/// What one certificate of a client has and those of others have not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateName {
    /// Its subject, as RFC 4514 writes it.
    SubjectDn(String),
    /// A `dNSName`, in lower case.
    SanDns(String),
    /// A `uniformResourceIdentifier`, byte for byte.
    SanUri(String),
    /// An `iPAddress`.
    SanIp(IpAddr),
    /// An `rfc822Name`, with its host in lower case.
    SanEmail(String),
}

/// Why a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateNameError {
    /// No distinguished name.
    #[error(transparent)]
    Dn(#[from] DnError),
    /// No name of a host.
    #[error("a host name of at most {LONGEST_HOST} characters without wildcard, as billing.acme.test")]
    Dns,
    /// No URI.
    #[error("an absolute URI of at most {LONGEST} visible ASCII characters, as spiffe://acme.test/billing")]
    Uri,
    /// No address.
    #[error("an IP address, as 203.0.113.9 or 2001:db8::9")]
    Ip,
    /// No mailbox.
    #[error("an e-mail address of ASCII characters, as billing@acme.test")]
    Email,
}

/// The words for the kinds of names, as `POST …/certificates` has them; RFC 7591 metadata has `tls_client_auth_` before each.
pub(crate) const MEMBERS: [&str; 5] = ["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"];

impl CertificateName {
    /// The name of a kind, from what somebody wrote.
    pub(crate) fn parse(member: &str, text: &str) -> Result<Self, CertificateNameError> {
        match member {
            "san_dns" => host(text).map(Self::SanDns).ok_or(CertificateNameError::Dns),
            "san_uri" => {
                let visible = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
                let absolute = url::Url::parse(text).is_ok();
                (visible && absolute).then(|| Self::SanUri(text.to_owned())).ok_or(CertificateNameError::Uri)
            }
            "san_ip" => text.parse().map(Self::SanIp).map_err(|_| CertificateNameError::Ip),
            "san_email" => email(text).map(Self::SanEmail).ok_or(CertificateNameError::Email),
            _ => Ok(Self::SubjectDn(DistinguishedName::parse(text)?.to_string())),
        }
    }

    /// Its kind.
    pub fn member(&self) -> &'static str {
        match self {
            Self::SubjectDn(_) => "subject_dn",
            Self::SanDns(_) => "san_dns",
            Self::SanUri(_) => "san_uri",
            Self::SanIp(_) => "san_ip",
            Self::SanEmail(_) => "san_email",
        }
    }

    /// The name itself.
    pub fn text(&self) -> String {
        match self {
            Self::SubjectDn(text) | Self::SanDns(text) | Self::SanUri(text) | Self::SanEmail(text) => text.clone(),
            Self::SanIp(address) => address.to_string(),
        }
    }

    /// Whether a certificate has it. One with a name that no reader could tell from another has none.
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate.der()) else { return false };
        if let Self::SubjectDn(own) = self {
            let subject = DistinguishedName::of(certificate.subject()).filter(|subject| !subject.is_empty());
            return subject.is_some_and(|subject| DistinguishedName::parse(own) == Ok(subject));
        }
        let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
        // The other parser of it skips what it does not understand.
        let understood = certificate
            .extensions()
            .iter()
            .all(|extension| !matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. }));
        understood && names.value.general_names.iter().any(|name| self.is(name))
    }

    fn is(&self, name: &GeneralName<'_>) -> bool {
        match (self, name) {
            (Self::SanDns(own), GeneralName::DNSName(name)) => host(name).is_some_and(|name| name == *own),
            (Self::SanUri(own), GeneralName::URI(name)) => own == name,
            (Self::SanIp(own), GeneralName::IPAddress(bytes)) => match own {
                IpAddr::V4(own) => own.octets() == **bytes,
                IpAddr::V6(own) => own.octets() == **bytes,
            },
            (Self::SanEmail(own), GeneralName::RFC822Name(name)) => email(name).is_some_and(|name| name == *own),
            _ => false,
        }
    }
}

/// A host name in lower case, if it is one and stands for no others.
fn host(text: &str) -> Option<String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (text.len() <= LONGEST_HOST && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

/// A mailbox, of which the host alone has no letters' case (RFC 5280, section 7.5).
fn email(text: &str) -> Option<String> {
    let (local, at) = text.rsplit_once('@')?;
    let is_local = (1..=64).contains(&local.len())
        && local.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'@' | b'"' | b'\\' | b'*'));
    is_local.then_some(format!("{local}@{}", host(at)?))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName as Dn, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: &str, names: Vec<SanType>) -> Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = Dn::new();
        params.distinguished_name.push(DnType::OrganizationName, "Acme Inc.");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = names;
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::from_der(made.der()).unwrap()
    }

    fn name(member: &str, text: &str) -> CertificateName {
        CertificateName::parse(member, text).unwrap()
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    #[test]
    fn m01_a_certificate_has_the_name_that_was_registered() {
        let ip = |text: &str| SanType::IpAddress(text.parse().unwrap());
        let shown = certificate(
            "Billing",
            vec![
                dns("Billing.Acme.test"),
                SanType::URI("spiffe://acme.test/Billing".try_into().unwrap()),
                ip("::1"),
                ip("203.0.113.9"),
                SanType::Rfc822Name("Billing@Acme.test".try_into().unwrap()),
            ],
        );
        let check = |member: &str, text: &str, expected: bool| {
            assert_eq!(name(member, text).is_of(&shown), expected, "{member} {text}");
        };
        check("subject_dn", "cn=billing, o=ACME  inc.", true);
        check("subject_dn", "CN=billing", false);
        check("subject_dn", "O=Acme Inc.,CN=billing", false);
        check("san_dns", "billing.acme.TEST", true);
        check("san_dns", "acme.test", false);
        check("san_dns", "Billing", false);
        check("san_uri", "spiffe://acme.test/Billing", true);
        check("san_uri", "spiffe://acme.test/billing", false);
        check("san_uri", "spiffe://ACME.test/Billing", false);
        check("san_ip", "::1", true);
        check("san_ip", "0:0:0:0:0:0:0:1", true);
        check("san_ip", "203.0.113.9", true);
        check("san_ip", "::ffff:203.0.113.9", false);
        check("san_email", "Billing@acme.test", true);
        check("san_email", "billing@acme.test", false);
        // A host is no address, and an address no host.
        check("san_dns", "203.0.113.9", false);
    }

    #[test]
    fn m02_no_wildcard_and_no_hidden_end_is_a_name() {
        let shown = |text: &str| certificate("x", vec![dns(text)]);
        assert!(!name("san_dns", "a.acme.test").is_of(&shown("*.acme.test")));
        assert!(!name("san_dns", "acme.test").is_of(&shown("acme.test\0.evil.test")));
        assert!(!name("san_dns", "acme.test").is_of(&shown("acme.test.")));
        let nul = certificate("x\0y", Vec::new());
        assert!(!name("subject_dn", "CN=x,O=acme inc.").is_of(&nul));
        let nobody = CertificateParams::default();
        let mut nobody = nobody;
        nobody.distinguished_name = Dn::new();
        let nobody = nobody.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert!(!name("subject_dn", "CN=x").is_of(&Certificate::from_der(nobody.der()).unwrap()));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (member, texts) in [
            ("subject_dn", ["", "x", "CN=", "CN=a;O=b"].as_slice()),
            ("san_dns", &["", "*.acme.test", "a..b", "a.", "-a", "a b", "a\0", "\u{e9}.test", &"a".repeat(64)]),
            ("san_uri", &["", "billing", "/a", "spiffe://a b", "spiffe://\u{e9}", &format!("a:{}", "a".repeat(999))]),
            ("san_ip", &["", "1.2.3", "1.2.3.4/24", "localhost", "::g"]),
            ("san_email", &["", "a", "@b", "a@", "a@b@c", "\"a\"@b", "a b@c", "*@acme.test"]),
        ] {
            for text in texts {
                assert!(CertificateName::parse(member, text).is_err(), "{member} {text}");
            }
        }
    }

    #[test]
    fn a_name_reads_back_as_it_is_told() {
        for (member, text) in MEMBERS.into_iter().zip(["CN=a", "a.test", "urn:a", "::1", "a@b.test"]) {
            let made = name(member, text);
            assert_eq!((made.member(), CertificateName::parse(member, &made.text())), (member, Ok(made.clone())));
        }
    }
}
