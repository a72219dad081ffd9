//! Token exchange (RFC 8693): what a request must say. What comes of it is never more than what was presented.

use claviger_token::{ActorClaim, PrincipalId};

use super::{OAuthError, OAuthErrorCode, Parameters};

/// `grant_type` of the exchange.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The sorts of token that are taken and given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// Whatever is presented at an API: an API key, a personal access token, an access token of either form.
    AccessToken,
    /// An access token that is a JWT.
    Jwt,
}

impl TokenType {
    /// The URI on the wire (RFC 8693, section 3).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
        }
    }

    fn read(parameter: &str, uri: &str) -> Result<Self, OAuthError> {
        [Self::AccessToken, Self::Jwt].into_iter().find(|known| known.as_str() == uri).ok_or_else(|| {
            let (access, jwt) = (Self::AccessToken.as_str(), Self::Jwt.as_str());
            OAuthError::invalid_request(format!("{parameter} is {access}, or {jwt} for a JWT"))
        })
    }

    /// Whether a text can be of this type: what is opaque is no JWT.
    fn fits(self, token: &str) -> bool {
        self == Self::AccessToken || token.contains('.')
    }
}

/// A request to exchange a token.
#[derive(Debug)]
pub struct ExchangeRequest<'a> {
    /// Whose rights are wanted.
    pub subject_token: &'a str,
    /// Who acts in that one's name.
    pub actor_token: Option<&'a str>,
    /// What is wanted.
    pub requested: TokenType,
    /// The API that the new token is for, by `resource` or by `audience`.
    pub targets: Vec<&'a str>,
    /// What it shall permit.
    pub scope: Option<&'a str>,
}

impl<'a> ExchangeRequest<'a> {
    /// From the form.
    pub fn read(form: &'a Parameters) -> Result<Self, OAuthError> {
        let subject_token = form.required("subject_token")?;
        let sort = TokenType::read("subject_token_type", form.required("subject_token_type")?)?;
        must_fit(sort, "subject_token", subject_token)?;
        let actor_token = form.get("actor_token");
        match (actor_token, form.get("actor_token_type")) {
            (None, None) => {}
            (Some(token), Some(sort)) => {
                must_fit(TokenType::read("actor_token_type", sort)?, "actor_token", token)?;
            }
            (Some(_), None) => return Err(OAuthError::missing("actor_token_type")),
            (None, Some(_)) => return Err(OAuthError::missing("actor_token")),
        }
        let requested = form.get("requested_token_type");
        let requested =
            requested.map_or(Ok(TokenType::AccessToken), |uri| TokenType::read("requested_token_type", uri));
        let targets = form.all("resource").chain(form.all("audience")).collect();
        Ok(Self { subject_token, actor_token, requested: requested?, targets, scope: form.get("scope") })
    }
}

fn must_fit(sort: TokenType, parameter: &str, token: &str) -> Result<(), OAuthError> {
    if sort.fits(token) {
        return Ok(());
    }
    let uri = TokenType::AccessToken.as_str();
    Err(OAuthError::invalid_request(format!("{parameter} is no JWT; its type is {uri}")))
}

/// What was presented to be exchanged does not count, whatever the reason (RFC 8693, section 2.2.2).
pub fn no_subject(parameter: &str) -> OAuthError {
    OAuthError::invalid_request(format!(
        "{parameter} is not valid, not yours to exchange, or bound to a key or a certificate that the request does not prove"
    ))
}

/// The chain of actors with a new one, which is the outermost (RFC 8693, section 4.1).
pub fn acting(actor: PrincipalId, before: Option<&ActorClaim>) -> Result<Box<ActorClaim>, OAuthError> {
    let chain = Box::new(ActorClaim { sub: actor, act: before.cloned().map(Box::new) });
    if chain.depth() > ActorClaim::MOST {
        let description = format!("at most {} actors can stand behind one another", ActorClaim::MOST);
        return Err(OAuthError::new(OAuthErrorCode::InvalidRequest, description));
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
    const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

    fn read(form: &str) -> Result<String, String> {
        let form = Parameters::parse(form.as_bytes()).unwrap();
        match ExchangeRequest::read(&form) {
            Ok(request) => Ok(format!("{} {:?} {:?}", request.subject_token, request.actor_token, request.targets)),
            Err(error) => Err(error.code.to_string()),
        }
    }

    #[test]
    fn e02_e05_types_are_known_and_true() {
        let check = |form: &str, is_read: bool| {
            let read = read(form);
            assert_eq!(read.is_ok(), is_read, "{form}: {read:?}");
            assert!(read.is_ok() || read == Err("invalid_request".to_owned()));
        };
        check("", false);
        check("subject_token=clv_pat_x", false);
        check(&format!("subject_token_type={ACCESS}"), false);
        check(&format!("subject_token=clv_pat_x&subject_token_type={ACCESS}"), true);
        check(&format!("subject_token=a.b.c&subject_token_type={ACCESS}"), true);
        check(&format!("subject_token=a.b.c&subject_token_type={JWT}"), true);
        check(&format!("subject_token=clv_pat_x&subject_token_type={JWT}"), false);
        for other in ["id_token", "refresh_token", "saml2", "saml1", "ACCESS_TOKEN", "access_token "] {
            let uri = format!("urn:ietf:params:oauth:token-type:{other}");
            check(&format!("subject_token=a.b.c&subject_token_type={uri}"), false);
            check(&format!("subject_token=a.b.c&subject_token_type={ACCESS}&requested_token_type={uri}"), false);
        }
        check(&format!("subject_token=a.b.c&subject_token_type={ACCESS}&requested_token_type={JWT}"), true);
    }

    #[test]
    fn e03_an_actor_token_and_its_type_come_together() {
        let check = |form: &str, expected: Result<&str, &str>| {
            let form = format!("subject_token=s&subject_token_type={ACCESS}&{form}");
            assert_eq!(read(&form).as_deref().map_err(String::as_str), expected, "{form}");
        };
        check("", Ok("s None []"));
        check("actor_token=a", Err("invalid_request"));
        check(&format!("actor_token_type={ACCESS}"), Err("invalid_request"));
        check(&format!("actor_token=a&actor_token_type={ACCESS}"), Ok("s Some(\"a\") []"));
        check(&format!("actor_token=a&actor_token_type={JWT}"), Err("invalid_request"));
        check("resource=https://a.test&audience=https://b.test", Ok("s None [\"https://a.test\", \"https://b.test\"]"));
    }

    #[test]
    fn e03_the_newest_actor_is_outermost_and_there_are_few() {
        let actor: PrincipalId = "sa_01h2xcejqtf2nbrexx3vqjhp41".parse().unwrap();
        let first: PrincipalId = "user_01h2xcejqtf2nbrexx3vqjhp41".parse().unwrap();
        let mut chain = acting(first, None).unwrap();
        chain = acting(actor, Some(&chain)).unwrap();
        assert_eq!((chain.sub, chain.act.as_ref().map(|before| before.sub)), (actor, Some(first)));
        for _ in 2..ActorClaim::MOST {
            chain = acting(actor, Some(&chain)).unwrap();
        }
        assert_eq!(acting(actor, Some(&chain)).unwrap_err().code.as_str(), "invalid_request");
    }
}
