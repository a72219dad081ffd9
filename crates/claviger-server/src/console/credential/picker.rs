//! The permissions that a form offers: by API, each with what it does, and no more than can be given.

use std::collections::BTreeSet;

use claviger_core::Api;
use claviger_token::PermissionSet;

use crate::console::page::Frame;

/// All that is offered, and what is chosen of it.
pub(crate) struct Picker {
    /// What follows the principal.
    pub(crate) wildcards: Vec<Choice>,
    pub(crate) groups: Vec<Group>,
}

/// The permissions of one API.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) identifier: String,
    pub(crate) choices: Vec<Choice>,
}

/// A box to tick.
pub(crate) struct Choice {
    pub(crate) entry: String,
    pub(crate) what: String,
    pub(crate) chosen: bool,
}

impl Picker {
    /// Of `offered`, and of what is chosen already though it is not offered any more.
    pub(crate) fn of(apis: &[Api], offered: &PermissionSet, chosen: &[String], frame: &Frame) -> Self {
        let chosen: BTreeSet<&str> = chosen.iter().map(String::as_str).collect();
        let mut seen = BTreeSet::new();
        let mut groups = Vec::new();
        // Claviger's own come last: most credentials need none of them.
        for builtin in [false, true] {
            for api in apis.iter().filter(|api| api.builtin == builtin) {
                let declared = api.permissions.iter().filter(|known| offered.contains(known.name.as_str()));
                let choices: Vec<Choice> = declared
                    .map(|known| {
                        seen.insert(known.name.as_str());
                        Choice {
                            entry: known.name.to_string(),
                            what: known.description.clone().unwrap_or_default(),
                            chosen: chosen.contains(known.name.as_str()),
                        }
                    })
                    .collect();
                if !choices.is_empty() {
                    let (name, identifier) = (api.name.to_string(), api.identifier.clone());
                    groups.push(Group { name, identifier, choices });
                }
            }
        }
        let lost = chosen.iter().filter(|entry| !seen.contains(*entry) && !entry.ends_with('*'));
        let lost: Vec<Choice> = lost
            .map(|entry| Choice { entry: (*entry).to_owned(), what: frame.text("picker-lost-what"), chosen: true })
            .collect();
        if !lost.is_empty() {
            groups.push(Group { name: frame.text("picker-lost"), identifier: String::new(), choices: lost });
        }
        let wildcards = [("*", "picker-every-api"), ("claviger:*", "picker-every-builtin")];
        let wildcards = wildcards.map(|(entry, words)| Choice {
            entry: entry.to_owned(),
            what: frame.text(words),
            chosen: chosen.contains(entry),
        });
        Self { wildcards: wildcards.into(), groups }
    }

    /// Without a wildcard that cannot be given; one that is chosen already stays.
    pub(crate) fn without_wildcards(mut self) -> Self {
        self.wildcards.retain(|choice| choice.chosen);
        self
    }

    /// Whether there is nothing to choose, nor to take away.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && !self.wildcards.iter().any(|choice| choice.chosen)
    }

    /// Whether there are so many that one looks for them.
    pub(crate) fn is_long(&self) -> bool {
        self.groups.iter().map(|group| group.choices.len()).sum::<usize>() > 8
    }
}
