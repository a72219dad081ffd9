//! What a form says of a certificate: the certificate itself, or a name that an authority of the organization vouches for.

use claviger_core::NewCertificate;
use jiff::Timestamp;

use super::proof::Extra;
use crate::console::{credential::form::Wrong, page::Frame};

/// The sorts of names, and the keys of what they are called.
pub(super) const NAMES: [(&str, &str); 5] = [
    ("san_dns", "certificate-by-dns"),
    ("san_uri", "certificate-by-uri"),
    ("subject_dn", "certificate-by-subject"),
    ("san_ip", "certificate-by-ip"),
    ("san_email", "certificate-by-email"),
];

/// The certificate that is asked for.
pub(super) fn body(
    name: String,
    expires_at: Option<Timestamp>,
    extra: &Extra,
    frame: &Frame,
    wrong: &mut Wrong,
) -> Option<NewCertificate> {
    let new = NewCertificate { name, expires_at, ..NewCertificate::default() };
    let mut told = |field, key| wrong.fields.push((field, frame.text(key)));
    let called = match (extra.given("material"), extra.given("name_value")) {
        (Some(_), Some(_)) => {
            told("name_value", "certificate-one-of");
            return None;
        }
        (None, None) => {
            told("material", "certificate-required");
            return None;
        }
        (Some(pem), None) if pem.contains("PRIVATE KEY-----") => {
            told("material", "certificate-private");
            return None;
        }
        (Some(pem), None) => return Some(NewCertificate { certificate_pem: Some(pem.to_owned()), ..new }),
        (None, Some(called)) => Some(called.to_owned()),
    };
    Some(match extra.value("name_kind") {
        "subject_dn" => NewCertificate { subject_dn: called, ..new },
        "san_uri" => NewCertificate { san_uri: called, ..new },
        "san_ip" => NewCertificate { san_ip: called, ..new },
        "san_email" => NewCertificate { san_email: called, ..new },
        _ => NewCertificate { san_dns: called, ..new },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::language::Language;

    fn asked(fields: &[(&'static str, &str)]) -> Result<NewCertificate, &'static str> {
        let (frame, mut wrong) = (Frame::sample(Language::English, None), Wrong::default());
        let body = body("ci".to_owned(), None, &Extra::with(fields), &frame, &mut wrong);
        body.ok_or_else(|| wrong.fields[0].0)
    }

    #[test]
    fn it_is_a_certificate_or_one_name() {
        let pem = asked(&[("material", " -----BEGIN CERTIFICATE----- ")]).unwrap();
        assert_eq!(pem.certificate_pem.as_deref(), Some("-----BEGIN CERTIFICATE-----"));
        for (kind, _) in NAMES {
            let named = asked(&[("name_kind", kind), ("name_value", "x")]).unwrap();
            let names = [named.subject_dn, named.san_dns, named.san_uri, named.san_ip, named.san_email];
            assert_eq!(names.iter().flatten().count(), 1, "{kind}");
        }
        assert_eq!(asked(&[]).unwrap_err(), "material");
        assert_eq!(asked(&[("material", "x"), ("name_value", "y")]).unwrap_err(), "name_value");
        assert_eq!(asked(&[("material", "-----BEGIN PRIVATE KEY-----")]).unwrap_err(), "material");
    }
}
