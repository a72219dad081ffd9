//! Bodies of requests, member by member: what was not said is absent, what was taken away is null.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use crate::{duration, failure::Failure, time};

/// A JSON object in the making.
#[derive(Debug, Default)]
pub(crate) struct Body(Map<String, Json>);

impl Body {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(mut self, name: &str, value: Option<impl Into<Json>>) -> Self {
        self.0.extend(value.map(|value| (name.to_owned(), value.into())));
        self
    }

    /// A list, if anything is in it.
    pub(crate) fn with_list(self, name: &str, items: Vec<impl Into<Json>>) -> Self {
        self.with(name, (!items.is_empty()).then_some(items))
    }

    /// Null, if that was asked for.
    pub(crate) fn without(self, name: &str, cleared: bool) -> Self {
        self.with(name, cleared.then_some(Json::Null))
    }

    /// An empty list, if that was asked for.
    pub(crate) fn without_any(self, name: &str, cleared: bool) -> Self {
        self.with(name, cleared.then(Vec::<Json>::new))
    }

    pub(crate) fn json(self) -> Json {
        Json::Object(self.0)
    }

    /// The same for a change, which must change something.
    pub(crate) fn changes(self) -> Result<Json, Failure> {
        if self.0.is_empty() {
            return Err(Failure::usage("nothing to change was given; --help shows what can be"));
        }
        Ok(self.json())
    }
}

/// When something ends.
#[derive(Debug, Args)]
pub(crate) struct Expiry {
    /// When it ends (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    expires_at: Option<Timestamp>,
    /// After what time it ends, such as 90d
    #[arg(long, value_name = "TIME", conflicts_with = "expires_at", value_parser = duration::parse)]
    expires_in: Option<std::time::Duration>,
}

impl Expiry {
    #[expect(clippy::disallowed_methods, reason = "the person at this terminal counts from the time of this machine")]
    pub(crate) fn at(self) -> Result<Option<String>, Failure> {
        let at = match self.expires_in {
            Some(life) => {
                let end = SignedDuration::try_from(life).and_then(|life| Timestamp::now().checked_add(life));
                Some(end.map_err(|_| Failure::usage("--expires-in ends after the year 9999; give less, such as 90d"))?)
            }
            None => self.expires_at,
        };
        Ok(at.map(|at| at.to_string()))
    }
}

/// Stops what can be stopped for a while.
#[derive(Debug, Args)]
pub(crate) struct Switch {
    /// Stop it, until --enable
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Let it work again
    #[arg(long)]
    enable: bool,
}

impl Switch {
    /// What `disabled` shall be.
    pub(crate) fn disabled(&self) -> Option<bool> {
        (self.disable || self.enable).then_some(self.disable)
    }
}

/// A flag's value that is JSON.
pub(crate) fn json_value(text: &str) -> Result<Json, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_said_is_absent_and_what_was_taken_away_is_null() {
        let body = Body::new()
            .with("name", Some("x"))
            .with("slug", None::<String>)
            .with_list("objects", Vec::<String>::new())
            .without("expires_at", true)
            .without("not_before", false)
            .without_any("permissions", true);
        assert_eq!(body.json(), json!({ "name": "x", "expires_at": null, "permissions": [] }));
        assert!(Body::new().without("x", false).changes().is_err());
    }
}
