//! A sheet: a page with one form, whose fields are told and not drawn. What was typed comes back with what is wrong with it, and of two
//! who change the same thing the later sees what stands now. It must not know what the fields mean.

use std::collections::BTreeMap;

use askama::Template;
use axum::{http::StatusCode, response::Response};
use claviger_core::{Color, Rejection};

use super::{
    credential::{Place, form::Wrong, picker::Picker},
    form::{CUT, Fields},
    page::{Frame, page_with},
};
use crate::{app::App, session::hex};

/// Where a page leads back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) path: String,
    pub(crate) label: String,
}

#[derive(Template)]
#[template(path = "sheet.html")]
pub(crate) struct Sheet {
    pub(crate) frame: Frame,
    pub(crate) back: Way,
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) action: String,
    pub(crate) hidden: Vec<(&'static str, String)>,
    pub(crate) wrong: Wrong,
    pub(crate) sections: Vec<Section>,
    pub(crate) button: String,
}

/// Fields that belong together; a title or a hint that is empty is none.
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) hint: String,
    pub(crate) parts: Vec<Part>,
}

/// A field as it is drawn.
pub(crate) enum Part {
    /// One line.
    Line(Field),
    /// One line with a colour, and what that looks like.
    Color(Field),
    /// Several.
    Lines(Field),
    /// One of a list.
    Choice(Field, Vec<Offered>),
    /// Any of a list.
    Boxes(Field, Vec<Offered>),
    /// Yes or no.
    Switch(Field),
    /// Permissions, by API.
    Permissions(Field, Picker),
}

/// A field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: String,
    pub(crate) hint: String,
    pub(crate) value: String,
    pub(crate) error: Option<String>,
    pub(crate) example: &'static str,
    pub(crate) required: bool,
    /// What browsers call what is typed.
    pub(crate) kind: &'static str,
}

/// Something that can be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) hint: String,
    pub(crate) chosen: bool,
}

impl Sheet {
    /// The page, with the status that says whether something is wrong.
    pub(crate) fn shown(&self) -> Response {
        let status = if self.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        page_with(status, self, [])
    }
}

impl Section {
    /// Fields without a title.
    pub(crate) fn plain(parts: Vec<Part>) -> Self {
        Self { title: String::new(), hint: String::new(), parts }
    }
}

impl Field {
    /// What a draft has of a field.
    pub(crate) fn of(draft: &Draft, name: &'static str, label: String, hint: String) -> Self {
        Self {
            name,
            label,
            hint,
            value: draft.entered.one(name).to_owned(),
            error: draft.wrong.of(name).map(str::to_owned),
            kind: "text",
            ..Self::default()
        }
    }

    pub(crate) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(crate) fn like(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// The colour that was typed, as a picture is filled with it; no other text gets there.
    pub(crate) fn fill(&self) -> String {
        Color::parse(&self.value).map_or("none".to_owned(), |color| color.to_string())
    }

    /// What it is described by.
    pub(crate) fn described(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = self.error.is_some().then(|| format!("{}-error", self.name));
        hint.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

/// What stands in a form: of each of its fields, the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entered(BTreeMap<&'static str, Vec<String>>);

impl Entered {
    /// What was sent. Of a list that the form did not show, what `stands` stays.
    fn sent(fields: &Fields, stands: &Self) -> Self {
        let shown = fields.values("shown");
        let value = |name: &'static str, old: &Vec<String>| {
            let is_list = LISTS.contains(&name);
            let new = if is_list && !shown.contains(&name) { old.clone() } else { read(fields, name) };
            (name, new)
        };
        Self(stands.0.iter().map(|(name, old)| value(name, old)).collect())
    }

    /// With a field that has this value; an empty one has none.
    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        self.with_all(name, [value.into()])
    }

    pub(crate) fn with_all(mut self, name: &'static str, values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
        values.sort_unstable();
        self.0.insert(name, values);
        self
    }

    /// With a switch.
    pub(crate) fn with_switch(self, name: &'static str, on: bool) -> Self {
        self.with(name, if on { ON } else { "" })
    }

    /// The value of a field, or nothing.
    pub(crate) fn one(&self, name: &str) -> &str {
        self.0.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }

    /// All values of a field.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.one(name) == ON
    }

    /// What stands between spaces or commas.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        let words = self.one(name).split(|character: char| character.is_whitespace() || character == ',');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// Its fields, to be sent once more.
    pub(crate) fn hidden(&self) -> Vec<(&'static str, String)> {
        let shown = LISTS.into_iter().filter(|name| self.0.contains_key(name)).map(|name| ("shown", name.to_owned()));
        let values = self.0.iter().flat_map(|(name, values)| values.iter().map(move |value| (*name, value.clone())));
        shown.chain(values).collect()
    }

    /// What a form carries of what it showed.
    pub(crate) fn seen(&self, app: &App) -> String {
        let parts =
            self.0.iter().flat_map(|(name, values)| std::iter::once(*name).chain(values.iter().map(String::as_str)));
        let parts: Vec<&[u8]> = parts.map(str::as_bytes).collect();
        hex(&app.peppers.keyed_hash("sheet-seen", &parts))
    }
}

/// Fields that have any number of values, and may not be shown at all.
const LISTS: [&str; 3] = ["role", "permission", "kind"];

const ON: &str = "on";

fn read(fields: &Fields, name: &str) -> Vec<String> {
    let values = fields.values(name).into_iter().map(|value| value.trim().replace("\r\n", "\n"));
    let mut values: Vec<String> = values.filter(|value| !value.is_empty()).collect();
    if LISTS.contains(&name) {
        values.sort_unstable();
        values.dedup();
    } else {
        values.truncate(1);
    }
    values
}

/// A form on its way: what stands in it, what it showed, and what is wrong with it.
pub(crate) struct Draft {
    pub(crate) entered: Entered,
    pub(crate) seen: String,
    pub(crate) wrong: Wrong,
}

impl Draft {
    /// As a thing stands, or as it was typed before somebody had to sign in.
    pub(crate) fn begun(place: &Place<'_>, stands: &Entered, frame: &Frame) -> Self {
        let fresh = || Self { entered: stands.clone(), seen: stands.seen(place.app), wrong: Wrong::default() };
        match place.taken_up() {
            None => fresh(),
            Some(fields) if fields.value(CUT).is_empty() => Self::sent(&fields, stands),
            Some(_) => {
                let wrong = Wrong { page: Some(frame.text("form-cut")), ..Wrong::default() };
                Self { wrong, ..fresh() }
            }
        }
    }

    /// As it was sent.
    pub(crate) fn sent(fields: &Fields, stands: &Entered) -> Self {
        Self { entered: Entered::sent(fields, stands), seen: fields.value("seen").to_owned(), wrong: Wrong::default() }
    }

    /// Whether it was made from what stands now.
    pub(crate) fn is_of(&self, stands: &Entered, app: &App) -> bool {
        self.seen == stands.seen(app)
    }

    /// With what stands now beside what was typed otherwise, where somebody else changed it meanwhile. `label` tells a value for a person.
    pub(crate) fn beside(
        self,
        stands: &Entered,
        app: &App,
        frame: &Frame,
        label: impl Fn(&'static str, &str) -> String,
    ) -> Self {
        let mut wrong = Wrong { page: Some(frame.text("edit-changed-meanwhile")), ..Wrong::default() };
        for (&name, now) in stands.0.iter().filter(|(name, now)| self.entered.all(name) != now.as_slice()) {
            let now: Vec<String> = now.iter().map(|value| label(name, value)).collect();
            let now = if now.is_empty() { "—".to_owned() } else { now.join(", ") };
            wrong.fields.push((name, frame.text_with("edit-now", "value", now)));
        }
        Self { entered: self.entered, seen: stands.seen(app), wrong }
    }

    /// With something wrong at a field.
    pub(crate) fn refuse(&mut self, name: &'static str, text: String) {
        if self.wrong.of(name).is_none() {
            self.wrong.fields.push((name, text));
        }
    }

    /// With what the rules say, at the fields that it is about: `at` finds the field and the text for what is said.
    pub(crate) fn told(
        &mut self,
        rejection: &Rejection,
        frame: &Frame,
        at: impl Fn(&Said<'_>) -> Option<(&'static str, String)>,
    ) {
        let said: Vec<Said<'_>> = match rejection {
            Rejection::Invalid(errors) => errors.iter().map(|error| Said::at(&error.pointer, error.code)).collect(),
            Rejection::Forbidden { permission, .. } => {
                self.wrong.page = Some(frame.text_with("form-beyond", "permission", permission));
                return;
            }
            Rejection::Withheld { permission, .. } => {
                self.wrong.page = Some(frame.text_with("form-beyond", "permission", permission));
                return;
            }
            Rejection::Conflict { code, .. } => vec![Said { member: "", index: None, code }],
        };
        for one in said {
            match at(&one) {
                Some(("", text)) => self.wrong.page = Some(text),
                Some((name, text)) => self.refuse(name, text),
                None => self.wrong.page = Some(frame.text("form-refused")),
            }
        }
    }
}

/// What a rule says no to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said<'a> {
    /// The member of the body; empty: all of it.
    pub(crate) member: &'a str,
    /// The entry of a list.
    pub(crate) index: Option<usize>,
    pub(crate) code: &'a str,
}

impl<'a> Said<'a> {
    fn at(pointer: &'a str, code: &'a str) -> Self {
        let mut path = pointer.split('/').skip(1);
        let (member, index) = (path.next().unwrap_or_default(), path.next());
        Self { member, index: index.and_then(|index| index.parse().ok()), code }
    }

    /// The entry that it is about.
    pub(crate) fn entry<'b>(&self, all: &'b [String]) -> &'b str {
        self.index.and_then(|index| all.get(index)).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stands() -> Entered {
        Entered::default().with("name", "a").with_all("role", ["x".to_owned()]).with_switch("open", true)
    }

    #[test]
    fn what_was_not_shown_stays_and_what_was_is_as_it_was_sent() {
        let sent = |query: &str| Entered::sent(&Fields::of_query(&format!("/x?{query}")), &stands());
        assert_eq!(sent("name=b").all("role"), ["x"]);
        assert!(sent("name=b&shown=role").all("role").is_empty());
        assert_eq!(sent("shown=role&role=z&role=y&role=y").all("role"), ["y", "z"]);
        assert_eq!((sent("name=+b%0D%0Ac+").one("name"), sent("").one("name")), ("b\nc", ""));
        assert!(!sent("name=b").is_on("open") && sent("open=on").is_on("open"));
        // What nobody asked for is not taken.
        assert_eq!(sent("other=1").one("other"), "");
        let again = stands().hidden();
        assert_eq!(
            again,
            [("shown", "role"), ("name", "a"), ("open", "on"), ("role", "x")]
                .map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn a_rule_is_told_at_its_field() {
        let said = Said::at("/permissions/3/name", "duplicate");
        assert_eq!(said, Said { member: "permissions", index: Some(3), code: "duplicate" });
        let all = ["a", "b", "c", "d"].map(str::to_owned);
        assert_eq!((said.entry(&all), Said::at("", "x").entry(&all)), ("d", ""));
    }
}
