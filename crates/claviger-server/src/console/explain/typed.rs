//! What somebody types of a use that was refused. A token among it is a secret, and no template sees it.

use std::net::IpAddr;

use claviger_token::{CredentialId, Object, Permission};
use zeroize::Zeroizing;

use crate::console::{form::Fields, page::Frame};

/// What a verification takes at most of each.
const MOST: usize = 100;

/// What was typed.
#[derive(Default)]
pub(crate) struct Typed {
    credential: Zeroizing<String>,
    pub(super) permissions: String,
    pub(super) audience: String,
    pub(super) objects: String,
    pub(super) address: String,
}

/// What it comes to.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) permissions: Vec<Permission>,
    pub(super) audience: Option<String>,
    pub(super) objects: Vec<Object>,
    pub(super) address: Option<IpAddr>,
}

impl Typed {
    pub(super) fn of(fields: &Fields) -> Self {
        let value = |name| fields.value(name).trim().to_owned();
        Self {
            credential: Zeroizing::new(value("credential")),
            permissions: value("permissions"),
            audience: value("audience"),
            objects: value("objects"),
            address: value("address"),
        }
    }

    /// The id, if it is one and no token.
    pub(super) fn id(&self) -> Option<CredentialId> {
        self.credential.parse().ok()
    }

    pub(super) fn token(&self) -> &str {
        &self.credential
    }

    /// The same as a page may show it.
    pub(super) fn without_token(mut self) -> Self {
        if self.id().is_none() {
            self.credential = Zeroizing::default();
        }
        self
    }

    /// The id as the form shows it again.
    pub(super) fn shown_id(&self) -> String {
        self.id().map(|id| id.to_string()).unwrap_or_default()
    }

    /// What it comes to, and what is wrong with it.
    pub(super) fn read(&self, frame: &Frame) -> (Asked, Vec<(&'static str, String)>) {
        let (mut asked, mut wrong) = (Asked::default(), Vec::new());
        if self.credential.is_empty() {
            wrong.push(("credential", frame.text("explain-credential-missing")));
        }
        for word in words(&self.permissions) {
            match word.parse() {
                Ok(permission) => asked.permissions.push(permission),
                Err(_) => wrong.push(("permissions", frame.text_with("explain-permission-wrong", "name", word))),
            }
        }
        for word in words(&self.objects) {
            match word.parse() {
                Ok(object) => asked.objects.push(object),
                Err(_) => wrong.push(("objects", frame.text_with("explain-object-wrong", "name", word))),
            }
        }
        for (field, entries) in [("permissions", asked.permissions.len()), ("objects", asked.objects.len())] {
            if entries > MOST {
                wrong.push((field, frame.text("explain-too-many")));
            }
        }
        match self.address.parse() {
            Ok(address) => asked.address = Some(address),
            Err(_) if self.address.is_empty() => {}
            Err(_) => wrong.push(("address", frame.text("explain-address-wrong"))),
        }
        asked.audience = (!self.audience.is_empty()).then(|| self.audience.clone());
        // One message for each field is enough.
        wrong.dedup_by_key(|(field, _)| *field);
        (asked, wrong)
    }

    #[cfg(test)]
    pub(super) fn sample(text: &str) -> Self {
        let own = || text.to_owned();
        Self { credential: Zeroizing::new(own()), permissions: own(), audience: own(), objects: own(), address: own() }
    }
}

/// What stands between blanks and commas.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', '\n', '\r', '\t']).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::language::Language;

    fn typed(form: &str) -> Typed {
        Typed::of(&Fields::of_query(&format!("/x?{form}")))
    }

    #[test]
    fn a_token_is_not_shown_again_and_an_id_is() {
        let token = typed("credential=clv_key_abcdefghijklmnopqrstuvwxyzABCDEF012345");
        assert_eq!((token.id(), token.shown_id().as_str()), (None, ""));
        assert_eq!(token.without_token().token(), "");
        let id = "key_01h455vb4pex5vsknk084sn02q";
        let one = typed(&format!("credential=%20{id}%20")).without_token();
        assert_eq!((one.shown_id().as_str(), one.token()), (id, id));
    }

    #[test]
    fn what_is_wrong_is_told_once_for_each_field() {
        let frame = Frame::sample(Language::English, None);
        let fields = |form: &str| {
            let (asked, wrong) = typed(form).read(&frame);
            let fields: Vec<&str> = wrong.iter().map(|(field, _)| *field).collect();
            (asked.permissions.len(), asked.objects.len(), fields)
        };
        assert_eq!(fields("credential=x&permissions=a:b%0D%0Ac:d,e:f&objects=base:a%20base:b"), (3, 2, vec![]));
        assert_eq!(
            fields("permissions=*%20**&objects=none&address=here"),
            (0, 0, vec!["credential", "permissions", "objects", "address"])
        );
        let many = "a:b%20".repeat(101);
        assert_eq!(fields(&format!("credential=x&permissions={many}")).2, ["permissions"]);
    }
}
