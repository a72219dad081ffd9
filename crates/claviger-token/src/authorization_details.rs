//! What a client asks of a token beside permissions (RFC 9396): the objects that it shall be for.
//!
//! The shape alone. Whether whoever asks has that much to give is not this room's to judge.

use serde::{Deserialize, Serialize};

use crate::ObjectSet;
use crate::jose::Named;

/// What was granted, word for word as it was asked. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Named<AuthorizationDetail>>")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = Vec<AuthorizationDetail>))]
pub struct AuthorizationDetails(Box<[AuthorizationDetail]>);

/// One detail (RFC 9396, section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthorizationDetail {
    /// What it tells.
    #[serde(rename = "type")]
    pub kind: DetailType,
    /// The objects that the token is for; of several details those of all together.
    pub objects: ObjectSet,
}

/// What a detail tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DetailType {
    /// Objects, and nothing of what may be done with them: that is the scope.
    Objects,
}

impl DetailType {
    /// Their names.
    pub const NAMES: [&str; 1] = ["objects"];
}

/// Why details are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetailsError {
    /// Not JSON, or of another shape.
    #[error(
        "authorization_details is a JSON array of objects such as {{'type':'objects','objects':['project:42']}}, and this is not: {0}"
    )]
    Shape(String),
    /// A list without entries: it would be unclear whether it means all or none.
    #[error("authorization_details must not be empty; leave it out for a token without limits of its own")]
    None,
    /// More than a token can carry.
    #[error("authorization_details name at most {} objects", AuthorizationDetails::MOST_OBJECTS)]
    TooMany,
}

impl AuthorizationDetails {
    /// How many objects all of them name at most.
    pub const MOST_OBJECTS: usize = 100;

    /// Reads what a client sent.
    pub fn parse(text: &str) -> Result<Self, DetailsError> {
        let details: Vec<Named<AuthorizationDetail>> =
            serde_json::from_str(text).map_err(|error| DetailsError::Shape(error.to_string()))?;
        details.try_into()
    }

    /// Those of a token for these objects.
    pub fn of(objects: ObjectSet) -> Self {
        Self(Box::new([AuthorizationDetail { kind: DetailType::Objects, objects }]))
    }

    /// The objects of all of them.
    pub fn objects(&self) -> ObjectSet {
        ObjectSet::union(self.0.iter().map(|detail| &detail.objects))
    }
}

impl TryFrom<Vec<Named<AuthorizationDetail>>> for AuthorizationDetails {
    type Error = DetailsError;

    fn try_from(details: Vec<Named<AuthorizationDetail>>) -> Result<Self, DetailsError> {
        let details: Vec<AuthorizationDetail> = details.into_iter().map(|Named(detail)| detail).collect();
        match details.iter().map(|detail| detail.objects.iter().len()).sum() {
            0 => Err(DetailsError::None),
            1..=Self::MOST_OBJECTS => Ok(Self(details.into())),
            _ => Err(DetailsError::TooMany),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x03_details_are_read_strictly() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let read = AuthorizationDetails::parse(&text.replace('\'', "\""));
            let read = read.as_ref().map(|details| details.objects().to_text().replace('\n', " "));
            match (read, expected) {
                (Ok(objects), Ok(expected)) => assert_eq!(objects, expected, "{text}"),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{text}: {error}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        };
        check("[{'type':'objects','objects':['project:42']}]", Ok("project:42"));
        check("[{'objects':['a:1','a:2'],'type':'objects'},{'type':'objects','objects':['b:*']}]", Ok("a:1 a:2 b:*"));
        check("[]", Err("must not be empty"));
        check("[{'type':'objects','objects':[]}]", Err("must not be empty"));
        check("{'type':'objects','objects':['a:1']}", Err("expected a sequence"));
        check("['objects']", Err("invalid type"));
        check("[['objects',['a:1']]]", Err("expected a JSON object"));
        check("[{'objects':['a:1']}]", Err("missing field `type`"));
        check("[{'type':'objects'}]", Err("missing field `objects`"));
        check("[{'type':'payment','objects':['a:1']}]", Err("unknown variant `payment`"));
        check("[{'type':'Objects','objects':['a:1']}]", Err("unknown variant"));
        check("[{'type':1,'objects':['a:1']}]", Err("expected"));
        check("[{'type':'objects','objects':'a:1'}]", Err("expected a sequence"));
        check("[{'type':'objects','objects':[7]}]", Err("expected a string"));
        check("[{'type':'objects','objects':['a']}]", Err("entry 0: an object is written"));
        check("[{'type':'objects','objects':['a:1'],'actions':['read']}]", Err("unknown field `actions`"));
        check("[{'type':'objects','type':'objects','objects':['a:1']}]", Err("duplicate field `type`"));
        check("[{'type':'objects','objects':['a:1'],'objects':['b:1']}]", Err("duplicate field `objects`"));
        check("[{'type':'objects','objects':['a:1']}] x", Err("trailing"));
        check("x", Err("expected value"));
        check(&"[".repeat(1000), Err("expected a JSON object"));
        let many = |count: usize| {
            let one = "{'type':'objects','objects':['a:1']}";
            format!("[{}]", vec![one; count].join(","))
        };
        assert!(AuthorizationDetails::parse(&many(100).replace('\'', "\"")).is_ok());
        check(&many(101), Err("at most 100 objects"));
        check(&many(10_000), Err("at most 100 objects"));
    }
}
