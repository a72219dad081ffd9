//! Where a list goes on: pages by the id of the last row, whose addresses keep what was asked for.

use std::{fmt::Display, str::FromStr};

use claviger_store::Page;
use serde::Deserialize;

use super::trouble::Trouble;

/// How many rows a page has.
pub(crate) const MOST: u32 = 50;

/// A list's search is a few words.
const LONGEST_SEARCH: usize = 100;

/// What a list that can only be searched is asked for, as it stands in its address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    pub(crate) q: String,
    #[serde(default)]
    pub(crate) after: String,
}

/// The ways on, and back to the first page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) next: Option<String>,
    pub(crate) first: Option<String>,
    /// Whether the next page looks at more rows, of which perhaps none is meant.
    pub(crate) looks_on: bool,
}

impl Pages {
    /// Of rows of which one more was read than is shown.
    pub(crate) fn of<T, Id: Display>(
        rows: &mut Vec<T>,
        id: impl Fn(&T) -> Id,
        path: &str,
        asked: &[(&str, &str)],
        after: &str,
    ) -> Self {
        let more = rows.len() > MOST as usize;
        rows.truncate(MOST as usize);
        let after_it = |last: &T| address(path, &[asked, &[("after", &id(last).to_string())]].concat());
        let next = rows.last().filter(|_| more).map(after_it);
        Self { next, first: (!after.is_empty()).then(|| address(path, asked)), looks_on: false }
    }

    /// The same of a list of which no more was looked at than up to `looked_to`, if there is more.
    pub(crate) fn through<T, Id: Display>(
        rows: &mut Vec<T>,
        looked_to: Option<Id>,
        id: impl Fn(&T) -> Id,
        path: &str,
        asked: &[(&str, &str)],
        after: &str,
    ) -> Self {
        let pages = Self::of(rows, id, path, asked, after);
        let Some(last) = looked_to else { return pages };
        let next = address(path, &[asked, &[("after", &last.to_string())]].concat());
        Self { next: Some(next), looks_on: true, ..pages }
    }
}

/// What a search asks for.
pub(crate) fn searched(q: &str) -> Option<String> {
    let q: String = q.trim().chars().take(LONGEST_SEARCH).collect();
    (!q.is_empty()).then_some(q)
}

/// The rows of the page that begins after this one, and one more.
pub(crate) fn rows<Id: FromStr>(after: &str) -> Result<Page<Id>, Trouble> {
    let after = match after {
        "" => None,
        after => Some(after.parse().map_err(|_| Trouble::Absent)?),
    };
    Ok(Page { after, limit: MOST + 1 })
}

/// A path with what is asked for, of which nothing that is empty.
pub(crate) fn address(path: &str, asked: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(asked.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[cfg(test)]
impl Pages {
    /// For the test that renders every template.
    pub(crate) fn sample(goes_on: bool, is_later: bool) -> Self {
        let next = goes_on.then(|| "/list?after=1".to_owned());
        Self { next, first: is_later.then(|| "/list".to_owned()), looks_on: goes_on && is_later }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_of_the_same_list() {
        let mut rows: Vec<u32> = (0..=MOST).collect();
        let pages = Pages::of(&mut rows, |row| *row, "/x", &[("q", "a&b"), ("status", "")], "");
        assert_eq!((rows.len(), pages.next.as_deref()), (50, Some("/x?q=a%26b&after=49")));
        assert_eq!(pages.first, None);
        let pages = Pages::of(&mut rows, |row| *row, "/x", &[], "7");
        assert_eq!((pages.next, pages.first.as_deref()), (None, Some("/x")));
        rows.truncate(3);
        let pages = Pages::through(&mut rows, Some(900), |row| *row, "/x", &[], "");
        assert_eq!((pages.next.as_deref(), pages.looks_on), (Some("/x?after=900"), true));
    }
}
