//! What somebody types of a service account, or of a fleet whose devices are service accounts: read as it is, made into what the rules
//! judge, and shown again with what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use claviger_core::{
    Assignment, Granted, NewServiceAccount, Reach, Rejection, Scope, ServiceAccount, ServiceAccountChanges, permission,
};
use claviger_store::Page;
use claviger_token::{ClientAuthMethod, PermissionSet, RoleId};
use serde_json::json;

use crate::console::{
    credential::{Place, form::Wrong, picker::Picker},
    form::Fields,
    page::Frame,
    roles::choices,
    sheet::Offered,
    shell::Here,
    trouble::Trouble,
};

/// How many roles are offered. There are few: who has more than this gives the others by the command line.
const MOST_ROLES: u32 = 100;

/// What was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) name: String,
    pub(crate) external_id: String,
    pub(crate) method: String,
    pub(crate) key_bound: bool,
    pub(crate) certificate_bound: bool,
    /// By id.
    pub(crate) roles: Vec<String>,
    /// What roles that are had already are called.
    pub(crate) called: BTreeMap<String, String>,
    pub(crate) permissions: Vec<String>,
    /// Of a fleet, how many days a device's key lasts.
    pub(crate) days: String,
    /// Whether roles and permissions could be chosen: what is not shown is not changed.
    pub(crate) picks: bool,
}

/// The form, as a template shows it.
pub(crate) struct AccountForm {
    pub(crate) typed: Typed,
    pub(crate) wrong: Wrong,
    pub(crate) roles: Vec<Offered>,
    pub(crate) picker: Picker,
    /// Whether it is of a fleet.
    pub(crate) of_fleet: bool,
}

impl Typed {
    pub(crate) fn of(fields: &Fields) -> Self {
        let value = |name| fields.value(name).to_owned();
        let all = |name| {
            let all: BTreeSet<&str> = fields.values(name).into_iter().collect();
            all.into_iter().map(str::to_owned).collect()
        };
        Self {
            name: value("name"),
            external_id: value("external_id"),
            method: value("method"),
            key_bound: !fields.value("key_bound").is_empty(),
            certificate_bound: !fields.value("certificate_bound").is_empty(),
            roles: all("role"),
            called: BTreeMap::new(),
            permissions: all("permission"),
            days: value("days"),
            picks: !fields.value("picker").is_empty(),
        }
    }

    /// As an account stands.
    pub(crate) fn of_account(account: &ServiceAccount, held: &[Assignment]) -> Self {
        let scope = Scope::Organization(account.organization);
        let typed = Self {
            name: account.name.to_string(),
            external_id: account.external_id.clone().unwrap_or_default(),
            method: account.token_endpoint_auth_method.map(|method| method.to_string()).unwrap_or_default(),
            key_bound: account.dpop_bound_access_tokens,
            certificate_bound: account.tls_client_certificate_bound_access_tokens,
            ..Self::default()
        };
        typed.holding(held.iter().filter(|one| one.scope == scope).map(|one| &one.granted))
    }

    /// With what is given already.
    pub(crate) fn holding<'a>(self, given: impl Iterator<Item = &'a Granted>) -> Self {
        let mut typed = Self { picks: true, ..self };
        for granted in given {
            match granted {
                Granted::Role { id, name } => {
                    typed.roles.push(id.to_string());
                    typed.called.insert(id.to_string(), name.clone());
                }
                Granted::Permission(permission) => typed.permissions.push(permission.to_string()),
            }
        }
        typed
    }

    /// One text for all of it: another, if any of it is.
    pub(crate) fn as_text(&self) -> String {
        let Self { name, external_id, method, key_bound, certificate_bound, days, .. } = self;
        let (roles, permissions) = (sorted(&self.roles), sorted(&self.permissions));
        json!([name, external_id, method, key_bound, certificate_bound, days, roles, permissions]).to_string()
    }

    /// The account that is asked for.
    pub(crate) fn new_account(&self, here: &Here) -> NewServiceAccount {
        NewServiceAccount {
            roles: self.roles.clone(),
            permissions: self.permissions.clone(),
            external_id: self.external_id(),
            token_endpoint_auth_method: self.method(),
            dpop_bound_access_tokens: self.key_bound,
            tls_client_certificate_bound_access_tokens: self.certificate_bound,
            ..NewServiceAccount::named(here.organization.id, &self.name)
        }
    }

    /// What it changes of one that stands as `now`: only what was typed otherwise.
    pub(crate) fn changes(&self, now: &Self) -> ServiceAccountChanges {
        let otherwise = |new: &[String], old: &[String]| self.picks && sorted(new) != sorted(old);
        ServiceAccountChanges {
            name: (self.name != now.name).then(|| self.name.clone()),
            external_id: (self.external_id.trim() != now.external_id).then(|| self.external_id()),
            token_endpoint_auth_method: (self.method != now.method).then(|| self.method()),
            dpop_bound_access_tokens: (self.key_bound != now.key_bound).then_some(self.key_bound),
            tls_client_certificate_bound_access_tokens: (self.certificate_bound != now.certificate_bound)
                .then_some(self.certificate_bound),
            roles: otherwise(&self.roles, &now.roles).then(|| self.roles.clone()),
            permissions: otherwise(&self.permissions, &now.permissions).then(|| self.permissions.clone()),
            ..ServiceAccountChanges::default()
        }
    }

    /// What stands now beside what was typed otherwise, where somebody else changed it meanwhile.
    pub(crate) fn beside(&self, now: &Self, frame: &Frame) -> Wrong {
        let mut wrong = Wrong { page: Some(frame.text("edit-changed-meanwhile")), ..Wrong::default() };
        let called: Vec<&str> = now.called.values().map(String::as_str).collect();
        let flag = |set: bool| frame.text(if set { "account-yes" } else { "account-no" });
        let fields = [
            ("name", self.name == now.name, now.name.clone()),
            ("external_id", self.external_id == now.external_id, now.external_id.clone()),
            ("roles", !self.picks || sorted(&self.roles) == sorted(&now.roles), called.join(", ")),
            (
                "permissions",
                !self.picks || sorted(&self.permissions) == sorted(&now.permissions),
                now.permissions.join(", "),
            ),
            ("method", self.method == now.method, now.method.clone()),
            ("key_bound", self.key_bound == now.key_bound, flag(now.key_bound)),
            ("certificate_bound", self.certificate_bound == now.certificate_bound, flag(now.certificate_bound)),
            ("days", self.days.trim() == now.days, now.days.clone()),
        ];
        for (field, _, stands) in fields.into_iter().filter(|(_, same, _)| !same) {
            let stands = if stands.is_empty() { "—".to_owned() } else { stands };
            wrong.fields.push((field, frame.text_with("edit-now", "value", stands)));
        }
        wrong
    }

    fn external_id(&self) -> Option<String> {
        let id = self.external_id.trim();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// One that is none is as good as none chosen: the form offers no other.
    fn method(&self) -> Option<ClientAuthMethod> {
        self.method.parse().ok()
    }
}

impl AccountForm {
    /// The form with what was typed: roles and permissions that this person can give, and those that were chosen already.
    pub(crate) async fn of(
        place: &Place<'_>,
        here: &Here,
        typed: Typed,
        wrong: Wrong,
        frame: &Frame,
    ) -> Result<Self, Trouble> {
        let organization = &here.organization;
        let mut view = place.app.store.within(Reach::Organization(organization.id));
        let gives = |one: &str| here.person.may(permission::GRANTS_WRITE) || here.person.may(one);
        let chosen = |entry: &str| typed.permissions.iter().any(|one| one == entry);
        let declared = view.declared_permissions().await?.masked_by(&organization.effective_ceiling());
        let offered: PermissionSet =
            declared.iter().filter(|one| gives(one.as_str()) || chosen(one.as_str())).cloned().collect();
        let mut picker = Picker::of(&view.catalog().await?, &offered, &typed.permissions, frame);
        // What an account holds is named: a wildcard is for its credentials.
        picker.wildcards.clear();
        let picked: Vec<RoleId> = typed.roles.iter().filter_map(|id| id.parse().ok()).collect();
        let mut known = view.roles_by_id(picked.iter().copied()).await?;
        if here.person.may(permission::ROLES_READ) {
            let page = Page { after: None, limit: MOST_ROLES };
            let all = view.roles(Some(organization.id), None, &page).await?;
            known.extend(all.into_iter().filter(|role| role.permissions.iter().all(|one| gives(one.as_str()))));
        }
        let roles = choices(known, &picked, frame);
        Ok(Self { typed, wrong, roles, picker, of_fleet: false })
    }

    /// The ways of proving oneself: value, label, and whether it is chosen.
    pub(crate) fn methods(&self, frame: &Frame) -> Vec<(String, String, bool)> {
        let any = (String::new(), frame.text("account-method-any"), self.typed.method.is_empty());
        let method = |method: ClientAuthMethod| {
            let word = method.to_string();
            let words = match method {
                ClientAuthMethod::ClientSecretBasic => "account-method-basic",
                ClientAuthMethod::ClientSecretPost => "account-method-post",
                ClientAuthMethod::PrivateKeyJwt => "account-method-key",
                ClientAuthMethod::TlsClientAuth => "account-method-certificate",
                ClientAuthMethod::SelfSignedTlsClientAuth => "account-method-own-certificate",
            };
            (word.clone(), frame.text(words), word == self.typed.method)
        };
        [any].into_iter().chain(ClientAuthMethod::ALL.map(method)).collect()
    }

    /// Whether there is anything in the part of the form that is closed at first.
    pub(crate) fn is_special(&self) -> bool {
        let Typed { method, key_bound, certificate_bound, external_id, .. } = &self.typed;
        let wrong = ["method", "key_bound", "certificate_bound", "external_id"];
        *key_bound
            || *certificate_bound
            || !method.is_empty()
            || !external_id.is_empty()
            || wrong.iter().any(|field| self.wrong.of(field).is_some())
    }
}

/// What the rules say of it, in the reader's language, at the fields that it is about.
pub(in crate::console) fn wrong_by(rejection: &Rejection, typed: &Typed, frame: &Frame) -> Wrong {
    let mut wrong = Wrong::default();
    let errors = match rejection {
        Rejection::Invalid(errors) => errors.as_slice(),
        Rejection::Forbidden { permission, .. } => {
            wrong.page = Some(frame.text_with("form-beyond", "permission", permission));
            return wrong;
        }
        Rejection::Withheld { permission, .. } => {
            wrong.page = Some(frame.text_with("form-beyond", "permission", permission));
            return wrong;
        }
        // Nothing else of an account is unique.
        Rejection::Conflict { code: "taken", .. } => {
            wrong.fields.push(("external_id", frame.text("account-external-id-taken")));
            return wrong;
        }
        Rejection::Conflict { code: "too_many", .. } => {
            wrong.page = Some(frame.text("fleets-too-many"));
            return wrong;
        }
        Rejection::Conflict { .. } => {
            wrong.page = Some(frame.text("form-refused"));
            return wrong;
        }
    };
    for error in errors {
        let mut path = error.pointer.split('/').skip(1);
        let (member, index) = (path.next().unwrap_or_default(), path.next());
        let entry = |all: &[String]| {
            let index: Option<usize> = index.and_then(|index| index.parse().ok());
            index.and_then(|index| all.get(index)).cloned().unwrap_or_default()
        };
        let (field, text) = match (member, error.code) {
            ("name", _) => ("name", frame.text("name-wrong")),
            ("external_id", _) => ("external_id", frame.text("account-external-id-wrong")),
            ("permissions", "too_many") => ("permissions", frame.text("form-too-many")),
            ("permissions", _) => {
                ("permissions", frame.text_with("account-permission-wrong", "name", entry(&typed.permissions)))
            }
            ("device_lifetime_days", _) => ("days", frame.text("fleet-days-wrong")),
            ("roles", _) => ("roles", frame.text_with("account-role-wrong", "name", entry(&typed.roles))),
            _ => {
                wrong.page = Some(frame.text("form-refused"));
                continue;
            }
        };
        if wrong.of(field).is_none() {
            wrong.fields.push((field, text));
        }
    }
    wrong
}

pub(in crate::console) fn sorted(entries: &[String]) -> Vec<&str> {
    let mut entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    entries.sort_unstable();
    entries.dedup();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::language::Language;

    fn typed(roles: &[&str], permissions: &[&str], picks: bool) -> Typed {
        let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
        Typed { name: "ci".to_owned(), roles: owned(roles), permissions: owned(permissions), picks, ..Typed::default() }
    }

    #[test]
    fn only_what_was_typed_otherwise_is_changed() {
        let now = typed(&["member"], &["a:b", "c:d"], true);
        let same = typed(&["member"], &["c:d", "a:b"], true).changes(&now);
        assert!(same.name.is_none() && same.roles.is_none() && same.permissions.is_none());
        assert!(same.external_id.is_none() && same.token_endpoint_auth_method.is_none());
        let fewer = typed(&[], &["a:b"], true).changes(&now);
        assert_eq!((fewer.roles, fewer.permissions), (Some(Vec::new()), Some(vec!["a:b".to_owned()])));
        // A form that showed none takes none away.
        let unseen = typed(&[], &[], false).changes(&now);
        assert!(unseen.roles.is_none() && unseen.permissions.is_none());
        let named = Typed { external_id: " 42 ".to_owned(), method: "private_key_jwt".to_owned(), ..now.clone() };
        let named = named.changes(&now);
        assert_eq!(named.external_id, Some(Some("42".to_owned())));
        assert_eq!(named.token_endpoint_auth_method, Some(Some(ClientAuthMethod::PrivateKeyJwt)));
    }

    #[test]
    fn what_the_rules_say_stands_at_the_field_that_it_is_about() {
        let frame = Frame::sample(Language::English, None);
        let typed = typed(&["x <b>"], &["a:b", "c <i>"], true);
        let check = |rejection: &Rejection, field: &str, part: &str| {
            let wrong = wrong_by(rejection, &typed, &frame);
            let told = wrong.of(field).or(wrong.page.as_deref()).unwrap_or_default();
            assert!(told.contains(part), "{field}: {told}");
        };
        check(&Rejection::field("/name", "invalid_name", ""), "name", "1 to 100 characters");
        check(&Rejection::field("/roles/0", "unknown_role", ""), "roles", "x <b>");
        check(&Rejection::field("/permissions/1", "unknown_permission", ""), "permissions", "c <i>");
        check(&Rejection::field("/metadata", "whatever", ""), "", "not possible");
        check(&Rejection::Conflict { code: "taken", message: String::new() }, "external_id", "Another");
        check(&Rejection::Forbidden { permission: "a:b".to_owned(), message: String::new() }, "", "a:b");
    }

    #[test]
    fn what_was_shown_is_another_text_as_soon_as_any_of_it_is() {
        let now = typed(&["member"], &["a:b"], true);
        let others = [
            typed(&[], &["a:b"], true),
            typed(&["member"], &[], true),
            Typed { key_bound: true, ..now.clone() },
            Typed { method: "x".to_owned(), ..now.clone() },
            Typed { external_id: "x".to_owned(), ..now.clone() },
        ];
        assert!(others.iter().all(|other| other.as_text() != now.as_text()));
    }
}
