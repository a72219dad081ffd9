//! What is wrong with what somebody typed of a credential, in their language and at the field that it is about. What the rules say
//! is said in English, to programs: here is what it means.

use claviger_core::Rejection;

use super::form::Typed;
use crate::console::page::Frame;

/// What is wrong with it: by the name of the field, and with all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) page: Option<String>,
}

impl Wrong {
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.page.is_none()
    }

    /// What is wrong with a field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }

    /// What the rules say of it, in the reader's language, at the fields that it is about.
    pub(crate) fn by(rejection: &Rejection, typed: &Typed, frame: &Frame) -> Self {
        let mut wrong = Self::default();
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
            Rejection::Conflict { code, .. } => {
                wrong.page = Some(frame.text(match *code {
                    "kind_not_allowed" => "form-kind",
                    "pending_approval" => "form-pending",
                    "revoked" => "form-revoked",
                    "expired" => "form-expired",
                    "too_many" => "clients-too-many",
                    _ => "form-refused",
                }));
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
            let of_list = |all: Option<Vec<String>>| entry(&all.unwrap_or_default());
            let (field, text) = match member {
                "name" => ("name", frame.text("name-wrong")),
                "permissions" => match error.code {
                    "too_many" => ("permissions", frame.text("form-too-many")),
                    _ => ("permissions", frame.text_with("form-permission-wrong", "name", entry(&typed.permissions))),
                },
                "objects" => match error.code {
                    "too_many" => ("objects", frame.text("form-objects-too-many")),
                    "objects_required" => ("objects", frame.text("form-objects-required")),
                    _ => ("objects", frame.text_with("form-object-wrong", "name", of_list(typed.objects()))),
                },
                "allowed_networks" => match error.code {
                    "too_many" => ("networks", frame.text("form-networks-too-many")),
                    _ => ("networks", frame.text_with("form-network-wrong", "name", of_list(typed.networks()))),
                },
                "expires_at" => match error.code {
                    "expiry_required" => ("life", frame.text("form-end-required")),
                    "in_the_past" => ("until", frame.text("form-end-past")),
                    "after_certificate" => ("life", frame.text("certificate-end-late")),
                    _ => ("life", frame.text("form-end-late")),
                },
                "rate_limits" => ("rate", frame.text("form-number-wrong")),
                "quota" => ("quota", frame.text("form-number-wrong")),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::language::Language;

    #[test]
    fn what_the_rules_say_stands_at_the_field_that_it_is_about() {
        let typed = Typed {
            permissions: vec!["a".to_owned(), "b <i>".to_owned()],
            objects: "x y:1".to_owned(),
            ..Typed::default()
        };
        let frame = Frame::sample(Language::English, None);
        let check = |pointer: &str, code: &'static str, field: &str, part: &str| {
            let wrong = Wrong::by(&Rejection::field(pointer, code, "in English"), &typed, &frame);
            let told = wrong.of(field).or(wrong.page.as_deref()).unwrap_or_default();
            assert!(told.contains(part), "{pointer} {code}: {told}");
        };
        check("/name", "invalid_name", "name", "1 to 100 characters");
        check("/permissions/1", "permission_not_held", "permissions", "b <i>");
        check("/permissions/9", "permission_not_held", "permissions", "");
        check("/objects/0", "invalid_object", "objects", "x");
        check("/objects", "too_many", "objects", "more than 100 objects");
        check("/objects", "objects_required", "objects", "wants objects");
        check("/allowed_networks", "too_many", "networks", "more than 100 networks");
        check("/expires_at", "expiry_required", "life", "an end");
        check("/expires_at", "in_the_past", "until", "past");
        check("/metadata", "whatever", "", "not possible");
        let beyond = Rejection::Forbidden { permission: "a:b".to_owned(), message: String::new() };
        assert!(Wrong::by(&beyond, &typed, &frame).page.unwrap().contains("a:b"));
    }
}
