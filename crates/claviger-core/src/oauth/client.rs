//! How a client says who it is (RFC 6749, section 2.3; RFC 7521, section 4.2). What is presented is not believed here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_token::{ClientAuthMethod, Secret, ServiceAccountId};
use zeroize::Zeroizing;

use super::{OAuthError, Parameters};

/// The only kind of assertion (RFC 7523, section 2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who a client says that it is, and what it presents to prove that.
#[derive(Debug)]
pub enum PresentedClient {
    /// By a secret.
    Secret {
        /// In which place of the request.
        method: ClientAuthMethod,
        /// Who it says that it is.
        client_id: String,
        /// The secret.
        secret: Secret,
    },
    /// By a signed assertion.
    Assertion {
        /// Who it says that it is outside of the assertion, if it does.
        client_id: Option<String>,
        /// A compact JWS that nobody has looked at.
        assertion: Secret,
    },
    /// By the certificate that it showed (RFC 8705, section 2), and nothing else.
    Certificate {
        /// Who it says that it is.
        client_id: ServiceAccountId,
    },
}

impl PresentedClient {
    /// From the value of `Authorization`, if there is one, and the form. Nobody at all is `None`; two ways at once are refused. Whoever
    /// `shows_a_certificate` may do so for other reasons: it proves the client if nothing else does.
    pub fn read(
        authorization: Option<&[u8]>,
        form: &Parameters,
        shows_a_certificate: bool,
    ) -> Result<Option<Self>, OAuthError> {
        let said = form.get("client_id").map(str::to_owned);
        let secret = form.get("client_secret");
        let (assertion, kind) = (form.get("client_assertion"), form.get("client_assertion_type"));
        let ways = [authorization.is_some(), secret.is_some(), assertion.or(kind).is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            let description = "prove who you are in one way: Basic, client_secret or client_assertion";
            return Err(OAuthError::invalid_request(description));
        }
        if let Some(authorization) = authorization {
            let (client_id, secret) = basic(authorization).ok_or_else(OAuthError::invalid_client)?;
            if said.is_some_and(|said| said != client_id) {
                return Err(OAuthError::invalid_request("client_id is not the one in Authorization"));
            }
            let method = ClientAuthMethod::ClientSecretBasic;
            return Ok(Some(Self::Secret { method, client_id, secret }));
        }
        if let Some(secret) = secret {
            let client_id = said.ok_or_else(|| OAuthError::missing("client_id"))?;
            let secret = Secret::new(secret.to_owned());
            return Ok(Some(Self::Secret { method: ClientAuthMethod::ClientSecretPost, client_id, secret }));
        }
        match (assertion, kind) {
            (None, None) if shows_a_certificate => {
                let client_id = said.and_then(|said| said.parse().ok());
                Ok(client_id.map(|client_id| Self::Certificate { client_id }))
            }
            (None, None) => Ok(None),
            (Some(assertion), Some(CLIENT_ASSERTION_TYPE)) => {
                Ok(Some(Self::Assertion { client_id: said, assertion: Secret::new(assertion.to_owned()) }))
            }
            (Some(_), _) => {
                Err(OAuthError::invalid_request(format!("client_assertion_type must be {CLIENT_ASSERTION_TYPE}")))
            }
            (None, Some(_)) => Err(OAuthError::missing("client_assertion")),
        }
    }
}

/// Client and secret from a value of `Authorization`: split at the first colon, and then each of both form-decoded, for some
/// clients encode more than they must (RFC 6749, section 2.3.1 and appendix B).
fn basic(authorization: &[u8]) -> Option<(String, Secret)> {
    let text = str::from_utf8(authorization).ok()?.trim();
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(encoded.trim_start_matches(' ')).ok()?);
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let (client_id, secret) = (pair.get(..colon)?, pair.get(colon + 1..)?);
    Some((form_decoded(client_id)?, Secret::new(form_decoded(secret)?)))
}

/// A value as a form has it, or nothing if what follows a `%` is no byte, or the whole no text.
fn form_decoded(value: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.iter().copied();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: Option<&str>, form: &str) -> Result<Option<PresentedClient>, OAuthError> {
        shown(authorization, form, false)
    }

    fn shown(
        authorization: Option<&str>,
        form: &str,
        certificate: bool,
    ) -> Result<Option<PresentedClient>, OAuthError> {
        let form = Parameters::parse(form.as_bytes()).unwrap();
        PresentedClient::read(authorization.map(str::as_bytes), &form, certificate)
    }

    fn basic_of(pair: impl AsRef<[u8]>) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn told(read: Result<Option<PresentedClient>, OAuthError>) -> String {
        match read {
            Ok(None) => "nobody".to_owned(),
            Ok(Some(PresentedClient::Secret { method, client_id, secret })) => {
                format!("{} {client_id} {}", method.as_str(), secret.expose())
            }
            Ok(Some(PresentedClient::Assertion { client_id, assertion })) => {
                format!("assertion {} {}", client_id.unwrap_or_default(), assertion.expose())
            }
            Ok(Some(PresentedClient::Certificate { client_id })) => format!("certificate {client_id}"),
            Err(error) => error.code.to_string(),
        }
    }

    #[test]
    fn t09_a_client_proves_itself_in_one_way() {
        let assertion = format!("client_assertion=j&client_assertion_type={CLIENT_ASSERTION_TYPE}");
        let check = |authorization: Option<&str>, form: &str, expected: &str| {
            assert_eq!(told(read(authorization, form)), expected, "{authorization:?} {form}");
        };
        let basic = basic_of("c:s");
        check(None, "", "nobody");
        check(None, "client_id=c", "nobody");
        check(Some(&basic), "", "client_secret_basic c s");
        check(Some(&basic), "client_id=c", "client_secret_basic c s");
        check(Some(&basic), "client_id=d", "invalid_request");
        check(Some(&basic), "client_secret=s", "invalid_request");
        check(Some(&basic), "client_id=c&client_secret=s", "invalid_request");
        check(Some(&basic), &assertion, "invalid_request");
        check(None, "client_id=c&client_secret=s", "client_secret_post c s");
        check(None, "client_secret=s", "invalid_request");
        check(None, &format!("client_id=c&client_secret=s&{assertion}"), "invalid_request");
        check(None, &assertion, "assertion  j");
        check(None, &format!("client_id=c&{assertion}"), "assertion c j");
    }

    #[test]
    fn m03_a_certificate_proves_who_says_a_client_id_and_nothing_else() {
        let id = "sa_01h455vb4pex5vsknk084sn02q";
        let check = |authorization: Option<&str>, form: &str, expected: &str| {
            assert_eq!(told(shown(authorization, form, true)), expected, "{authorization:?} {form}");
        };
        check(None, &format!("client_id={id}"), &format!("certificate {id}"));
        check(None, "", "nobody");
        check(None, "client_id=claviger-cli", "nobody");
        check(None, &format!("client_id={id}&client_secret=s"), &format!("client_secret_post {id} s"));
        check(Some(&basic_of("c:s")), "", "client_secret_basic c s");
        let assertion = format!("client_id={id}&client_assertion=j&client_assertion_type={CLIENT_ASSERTION_TYPE}");
        check(None, &assertion, &format!("assertion {id} j"));
        assert_eq!(told(shown(None, &format!("client_id={id}"), false)), "nobody");
    }

    #[test]
    fn j09_an_assertion_says_of_what_type_it_is() {
        let check = |form: &str| assert_eq!(told(read(None, form)), "invalid_request", "{form}");
        check("client_assertion=j");
        check("client_assertion=j&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer");
        check(&format!("client_assertion_type={CLIENT_ASSERTION_TYPE}"));
    }

    #[test]
    fn t10_t11_basic_is_read_as_the_rfc_has_it() {
        let check = |authorization: &str, expected: &str| {
            assert_eq!(told(read(Some(authorization), "")), expected, "{authorization}");
        };
        check(
            &basic_of("a+b%3Ac%25%2B%C3%A9:s%3A%2F%2B%25%26%3D+%C3%BC"),
            "client_secret_basic a b:c%+\u{e9} s:/+%&= \u{fc}",
        );
        check(&basic_of("sa%5F1:clv%5Fcs%5Fx"), "client_secret_basic sa_1 clv_cs_x");
        check(&basic_of("c:s:t"), "client_secret_basic c s:t");
        let encoded = STANDARD.encode("c:s");
        for scheme in ["basic ", "BASIC ", "Basic    "] {
            check(&format!("{scheme}{encoded}"), "client_secret_basic c s");
        }
        for broken in [
            basic_of("%zz:s"),
            basic_of("c:%"),
            basic_of("c:%4"),
            basic_of("no colon"),
            basic_of([0xff, b':', b's']),
            basic_of("%ff:s"),
            "Basic".to_owned(),
            "Basic %%%".to_owned(),
            "Bearer abc".to_owned(),
            String::new(),
        ] {
            check(&broken, "invalid_client");
        }
        check(&basic_of("c\0:s"), "client_secret_basic c\0 s");
        assert_eq!(
            told(PresentedClient::read(Some(b"Basic \xff"), &Parameters::parse(b"").unwrap(), false)),
            "invalid_client"
        );
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let presented = read(Some(&basic_of("c:hush")), "").unwrap();
        assert!(!format!("{presented:?}").contains("hush"));
    }

    proptest::proptest! {
        #[test]
        fn no_header_is_a_panic(value in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..100)) {
            drop(basic(&value));
            drop(form_decoded(&value));
            drop(basic(basic_of(&value).as_bytes()));
        }
    }
}
