//! The words of the pages, in the languages that there are, and which one somebody gets: the one they chose, or else the
//! best that their browser asks for.

use std::{borrow::Cow, collections::HashMap};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use fluent_templates::{LanguageIdentifier, Loader as _, fluent_bundle::FluentValue, langid, static_loader};
use serde::Deserialize;

use super::query::Query;
use crate::{app::App, cookies::Cookie, origin};

static_loader! {
    static WORDS = {
        locales: "./locales",
        fallback_language: "en",
        // A name is set apart by the pages' own marks; invisible characters in it would be copied along.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Dutch,
    French,
    Japanese,
}

impl Language {
    /// All, in the order in which pages offer them.
    pub(crate) const ALL: [Self; 4] = [Self::English, Self::Dutch, Self::French, Self::Japanese];

    /// Its tag (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Dutch => "nl",
            Self::French => "fr",
            Self::Japanese => "ja",
        }
    }

    /// Its name in itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Dutch => "Nederlands",
            Self::French => "Français",
            Self::Japanese => "日本語",
        }
    }

    fn id(self) -> LanguageIdentifier {
        match self {
            Self::English => langid!("en"),
            Self::Dutch => langid!("nl"),
            Self::French => langid!("fr"),
            Self::Japanese => langid!("ja"),
        }
    }

    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// What a request asks for (RFC 9110, section 12.5.4).
    pub(crate) fn of(headers: &HeaderMap, secure: bool) -> Self {
        if let Some(chosen) = Cookie::Language.read(headers, secure).and_then(Self::of_tag) {
            return chosen;
        }
        let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0, Self::English);
        for range in asked.split(',').take(20) {
            let mut parts = range.split(';').map(str::trim);
            let Some(language) = parts.next().and_then(Self::of_tag) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
            if let Ok(weight) = weight
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The text of a key. One that is missing shows as itself, and a test sees to it that none is.
    pub(crate) fn text(self, key: &str) -> String {
        WORDS.try_lookup(&self.id(), key).unwrap_or_else(|| key.to_owned())
    }

    /// The same with `{ $name }` filled in.
    pub(crate) fn text_with(self, key: &str, name: &'static str, value: &str) -> String {
        let arguments: HashMap<Cow<'static, str>, FluentValue<'_>> =
            HashMap::from([(Cow::Borrowed(name), FluentValue::from(value))]);
        WORDS.try_lookup_with_args(&self.id(), key, &arguments).unwrap_or_else(|| key.to_owned())
    }

    /// The same with a number, which may choose between forms.
    pub(crate) fn text_counting(self, key: &str, count: usize) -> String {
        let arguments: HashMap<Cow<'static, str>, FluentValue<'_>> =
            HashMap::from([(Cow::Borrowed("count"), FluentValue::from(count))]);
        WORDS.try_lookup_with_args(&self.id(), key, &arguments).unwrap_or_else(|| key.to_owned())
    }
}

/// What keeps a choice in somebody's browser.
pub(crate) fn kept(language: Language, app: &App) -> HeaderValue {
    Cookie::Language.set(language.tag(), app.is_secure())
}

/// Query of `GET /language`.
#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    to: String,
    #[serde(default)]
    next: String,
}

/// `GET /language?to=nl&next=/sign-in`: keeps the choice and goes back.
pub(crate) async fn choose(State(app): State<App>, Query(choice): Query<Choice>) -> Response {
    let back = Redirect::to(&origin::local(&choice.next).unwrap_or_else(|| "/".to_owned()));
    match Language::of_tag(&choice.to) {
        Some(language) => (AppendHeaders([(header::SET_COOKIE, kept(language, &app))]), back).into_response(),
        None => back.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn a_request_gets_the_language_that_it_asks_for_most() {
        let check = |accepted: &str, expected: Language| {
            let headers = [(header::ACCEPT_LANGUAGE, HeaderValue::from_str(accepted).unwrap())].into_iter().collect();
            assert_eq!(Language::of(&headers, true), expected, "{accepted}");
        };
        check("", Language::English);
        check("nl", Language::Dutch);
        check("nl-BE, fr;q=0.9", Language::Dutch);
        check("de, fr-CA;q=0.4, ja;q=0.8", Language::Japanese);
        check("fr;q=0, *", Language::English);
        check("fr;q=x, ja;q=0.1", Language::Japanese);
        check("FR", Language::French);
        check("klingon", Language::English);
    }

    #[test]
    fn a_choice_outlives_what_the_browser_asks_for() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("nl"));
        headers.insert(header::COOKIE, HeaderValue::from_static("__Host-claviger-language=ja"));
        assert_eq!(Language::of(&headers, true), Language::Japanese);
        headers.insert(header::COOKIE, HeaderValue::from_static("__Host-claviger-language=xx"));
        assert_eq!(Language::of(&headers, true), Language::Dutch);
    }

    /// Key → the variables in its text.
    fn keys(source: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut last = String::new();
        for line in source.lines() {
            if let Some((key, _)) = line.split_once(" =")
                && !line.starts_with([' ', '#', '['])
            {
                last = key.to_owned();
                assert!(keys.insert(last.clone(), BTreeSet::new()).is_none(), "{key} twice");
            }
            let variables = line.split('$').skip(1);
            let variables = variables.map(|rest| rest.chars().take_while(char::is_ascii_lowercase).collect());
            keys.entry(last.clone()).or_default().extend(variables.filter(|name: &String| !name.is_empty()));
        }
        keys.remove("");
        keys
    }

    /// All that there is in a language: each part of the pages has a file of its own.
    fn source(language: Language) -> String {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("locales").join(language.tag());
        let files = std::fs::read_dir(directory).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap() + "\n").collect()
    }

    #[test]
    fn no_language_misses_a_text_or_a_part_of_it() {
        let english = keys(&source(Language::English));
        assert!(english.len() > 50);
        for language in Language::ALL {
            assert_eq!(keys(&source(language)), english, "{}", language.tag());
            for key in english.keys() {
                let alone = WORDS.lookup_single_language::<&str>(&language.id(), key, None);
                let needs_arguments = !english[key].is_empty();
                assert!(alone.is_ok() || needs_arguments, "{} {key}", language.tag());
            }
        }
    }

    #[test]
    fn every_text_that_a_template_or_a_handler_asks_for_exists() {
        let english = keys(&source(Language::English));
        let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut asked, mut sources) = (BTreeSet::new(), String::new());
        let mut rest = vec![manifest.join("templates"), manifest.join("src/console")];
        while let Some(directory) = rest.pop() {
            for file in std::fs::read_dir(directory).unwrap() {
                let path = file.unwrap().path();
                if path.is_dir() {
                    rest.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                for call in ["text(\"", "text_with(\"", "text_counting(\"", "Words(\""] {
                    asked.extend(text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
                }
                sources += &text;
            }
        }
        for key in &asked {
            assert!(english.contains_key(key), "no text {key}");
        }
        for key in english.keys() {
            assert!(sources.contains(&format!("\"{key}\"")), "nobody asks for {key}");
        }
    }

    #[test]
    fn what_is_filled_in_stands_there_as_it_is() {
        assert_eq!(Language::English.text_with("signed-in-as", "name", "Zoë <b>"), "Signed in as Zoë <b>");
        assert!(Language::Japanese.text_counting("recovery-codes-left", 3).contains('3'));
    }
}
