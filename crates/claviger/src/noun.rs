//! What the commands of every noun share: a thing shown, made, changed and taken away, and lists of them. What a noun
//! calls itself, and which of its members a table shows, stands in the noun's own file.

use clap::Args;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, value::RawValue};

use crate::{
    client::{Output, Service},
    consent::Consent,
    failure::Failure,
    output::{self, Progress},
};

/// A thing of the management API, as the tables need it.
pub(crate) trait Noun: DeserializeOwned {
    /// Its part of the path.
    const PATH: &'static str;
    /// Its command.
    const COMMAND: &'static str;
    /// The columns of a list.
    const TITLES: &'static [&'static str];

    /// A line of a list.
    fn row(self) -> Vec<String>;

    /// All that there is to say about one.
    fn details(self) -> Vec<(&'static str, String)>;

    /// What somebody should know before they go on with it.
    fn warning(&self) -> Option<String> {
        None
    }

    /// What ends with one besides itself, and how much of it, as far as whoever asks may know.
    fn ends_with(_service: &Service, _id: &str) -> Vec<(&'static str, Option<String>)> {
        Vec::new()
    }
}

/// How much of a list.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// How many at most, or with --all how many at a time: 1 to 200
    #[arg(long)]
    limit: Option<u32>,
    /// Every page
    #[arg(long)]
    all: bool,
}

/// A page of a list, or several made one. The items stay the service's own bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

pub(crate) fn show<N: Noun>(service: &Service, id: &str) -> Result<(), Failure> {
    shown::<N>(service, &service.get(&[N::PATH, id], &[])?)
}

/// `next` is what one does with a new one.
pub(crate) fn create<N: Noun>(service: &Service, body: &Json, next: impl FnOnce(&N) -> String) -> Result<(), Failure> {
    let answer = service.post(&[N::PATH], body)?;
    shown::<N>(service, &answer)?;
    let next = next(&understood::<N>(&answer)?);
    output::note(&format!("Made. Next: {}", output::printable(&next)));
    Ok(())
}

pub(crate) fn update<N: Noun>(service: &Service, id: &str, changes: &Json) -> Result<(), Failure> {
    shown::<N>(service, &service.patch(&[N::PATH, id], changes)?)?;
    output::note("Changed: on that node from now on, and on every other within a second.");
    Ok(())
}

/// `gone` is what went with it.
pub(crate) fn delete<N: Noun>(service: &Service, id: &str, consent: &Consent, gone: &str) -> Result<(), Failure> {
    consent.must_be_given(&format!("delete {id}"), || {
        let thing = understood::<N>(&service.get(&[N::PATH, id], &[])?)?;
        let others = N::ends_with(service, id).into_iter().filter_map(|(what, many)| Some((what, many?)));
        let rows = thing.details().into_iter().chain(others);
        Ok(output::details(rows.map(|(name, value)| (name.to_owned(), value))))
    })?;
    service.delete(&[N::PATH, id])?;
    output::note(&format!(
        "Deleted {}. {gone}\n`claviger audit list --target {0}` shows what happened to it.",
        output::printable(id)
    ));
    Ok(())
}

pub(crate) fn shown<N: Noun>(service: &Service, answer: &str) -> Result<(), Failure> {
    match service.output {
        Output::Json => output::json(answer),
        Output::Table => {
            let thing = understood::<N>(answer)?;
            let warning = thing.warning();
            output::answer(&detailed(thing))?;
            if let Some(warning) = warning {
                output::note(&warning);
            }
            Ok(())
        }
    }
}

pub(crate) fn detailed<N: Noun>(thing: N) -> String {
    output::details(thing.details().into_iter().map(|(name, value)| (name.to_owned(), value)))
}

pub(crate) fn understood<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Failure> {
    serde_json::from_str(answer).map_err(|error| {
        Failure::because("the service answered what this version does not understand; try --output json", &error)
    })
}

pub(crate) fn list<N: Noun>(
    service: &Service,
    paging: &Paging,
    filters: &[(&str, Option<&str>)],
) -> Result<(), Failure> {
    list_at::<N>(service, &[N::PATH], paging, filters)
}

/// The same for what stands below another thing.
pub(crate) fn list_at<N: Noun>(
    service: &Service,
    path: &[&str],
    paging: &Paging,
    filters: &[(&str, Option<&str>)],
) -> Result<(), Failure> {
    let limit = paging.limit.or(paging.all.then_some(200)).map(|limit| limit.to_string());
    let filters = filters.iter().copied().chain([("limit", limit.as_deref())]);
    let filters: Vec<(&str, &str)> = filters.filter_map(|(name, value)| Some((name, value?))).collect();
    let first = service.get(path, &filters)?;
    if !paging.all && service.output == Output::Json {
        return output::json(&first);
    }
    let mut page: Page = understood(&first)?;
    let progress = Progress::unless(service.output == Output::Json);
    while let Some(cursor) = page.next_cursor.take_if(|_| paging.all) {
        progress.tell(&format!("{} so far …", page.items.len()));
        let next = service.get(path, &[filters.as_slice(), &[("cursor", cursor.as_str())]].concat())?;
        let next: Page = understood(&next)?;
        page.items.extend(next.items);
        page.next_cursor = next.next_cursor;
    }
    drop(progress);
    if service.output == Output::Json {
        return output::json(&serde_json::to_string(&page)?);
    }
    tabled::<N>(&page)
}

/// A list that a change answered with.
pub(crate) fn listed<N: Noun>(service: &Service, answer: &str) -> Result<(), Failure> {
    match service.output {
        Output::Json => output::json(answer),
        Output::Table => tabled::<N>(&understood(answer)?),
    }
}

fn tabled<N: Noun>(page: &Page) -> Result<(), Failure> {
    let things = page.items.iter().map(|item| understood::<N>(item.get())).collect::<Result<Vec<_>, _>>()?;
    if things.is_empty() {
        output::note(&format!("There are none here. See `claviger {} --help`.", N::COMMAND));
        return Ok(());
    }
    output::answer(&output::table(N::TITLES, things.into_iter().map(N::row)))?;
    if page.next_cursor.is_some() {
        output::note("There are more: --all shows every page.");
    }
    Ok(())
}

/// How many there are, as far as the longest page tells; nothing if whoever asks may not know.
pub(crate) fn count(service: &Service, path: &[&str], filters: &[(&str, &str)]) -> Option<String> {
    let page = service.get(path, &[filters, &[("limit", "200")]].concat()).ok()?;
    let page: Page = understood(&page).ok()?;
    let more = if page.next_cursor.is_some() { "more than " } else { "" };
    Some(format!("{more}{}", page.items.len()))
}

/// The first that `is` it, among those in which `called` is found.
pub(crate) fn find<N: DeserializeOwned>(
    service: &Service,
    path: &str,
    called: &str,
    is: impl Fn(&N) -> bool,
) -> Result<Option<N>, Failure> {
    let mut cursor = None;
    loop {
        let query = [("q", called), ("limit", "200")].into_iter().chain(cursor.as_deref().map(|at| ("cursor", at)));
        let page = service.get(&[path], &query.collect::<Vec<_>>())?;
        let page: Page = understood(&page)?;
        for item in &page.items {
            let thing = understood::<N>(item.get())?;
            if is(&thing) {
                return Ok(Some(thing));
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(None);
        }
    }
}

/// A member that may be null.
pub(crate) fn or(value: Option<String>, none: &str) -> String {
    value.unwrap_or_else(|| none.to_owned())
}

/// A list that may be null, or empty.
pub(crate) fn joined(items: Option<Vec<String>>, none: &str) -> String {
    or(items.filter(|items| !items.is_empty()).map(|items| items.join(" ")), none)
}

/// A moment to the minute, as a list shows it.
pub(crate) fn short(at: &str) -> String {
    at.get(..16).map_or_else(|| at.to_owned(), |start| start.replace('T', " "))
}

pub(crate) fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}
