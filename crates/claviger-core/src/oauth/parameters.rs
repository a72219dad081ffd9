//! The parameters of a request, as they stand in its form (RFC 6749, section 3.2).

use std::{borrow::Cow, collections::HashSet, fmt};

use zeroize::Zeroizing;

use super::OAuthError;

/// Those that may stand there more than once (RFC 8707, section 2; RFC 8693, section 2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// More of them nobody sends.
const MOST: usize = 100;

/// What a form says; by default nothing. A parameter without a value is as good as absent, and one that stands there twice is refused.
#[derive(Default)]
pub struct Parameters(Vec<(String, Zeroizing<String>)>);

impl Parameters {
    /// From `application/x-www-form-urlencoded`.
    pub fn parse(form: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters = Vec::new();
        let mut names = HashSet::new();
        for (name, value) in url::form_urlencoded::parse(form) {
            let value = Zeroizing::new(value.into_owned());
            if value.is_empty() {
                continue;
            }
            if !REPEATABLE.contains(&&*name) && !names.insert(name.clone().into_owned()) {
                return Err(OAuthError::invalid_request(format!("{name} stands there more than once")));
            }
            if parameters.len() == MOST {
                return Err(OAuthError::invalid_request(format!("at most {MOST} parameters")));
            }
            parameters.push((Cow::into_owned(name), value));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of one that may be repeated, each once.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::missing(name))
    }
}

impl fmt::Debug for Parameters {
    /// Names only: secrets are among the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t03_only_resource_and_audience_may_be_repeated() {
        let read = |form: &str| Parameters::parse(form.as_bytes());
        for name in ["grant_type", "scope", "client_id", "client_secret", "client_assertion", "subject_token", "x"] {
            for (first, second) in [("a", "a"), ("a", "b")] {
                let error = read(&format!("{name}={first}&{name}={second}")).unwrap_err();
                assert_eq!(error.code.as_str(), "invalid_request");
            }
        }
        let repeated = read("resource=a&audience=b&resource=c").unwrap();
        assert_eq!(repeated.all("resource").collect::<Vec<_>>(), ["a", "c"]);
        assert!(read("gr%61nt_type=a&grant_type=b").is_err());
    }

    #[test]
    fn t04_an_empty_parameter_is_as_good_as_absent() {
        let read = Parameters::parse(b"scope=&resource=&grant_type=a&scope=&x").unwrap();
        assert_eq!((read.get("scope"), read.get("resource"), read.get("x")), (None, None, None));
        assert_eq!(read.get("grant_type"), Some("a"));
        assert_eq!(read.required("scope").unwrap_err().description(), "scope is missing");
    }

    #[test]
    fn a_form_without_end_is_refused() {
        let form = |count: usize| (0..count).map(|number| format!("p{number}=x&")).collect::<String>();
        assert!(Parameters::parse(form(MOST).as_bytes()).is_ok());
        assert!(Parameters::parse(form(MOST + 1).as_bytes()).is_err());
        assert!(Parameters::parse("resource=x&".repeat(10_000).as_bytes()).is_err());
    }

    #[test]
    fn no_value_is_ever_shown() {
        let read = Parameters::parse(b"client_secret=hush").unwrap();
        assert_eq!(format!("{read:?}"), r#"["client_secret"]"#);
    }

    proptest::proptest! {
        #[test]
        fn no_form_is_a_panic(form in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            drop(Parameters::parse(&form));
        }
    }
}
