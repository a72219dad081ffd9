//! `claviger api import`: an API as its OpenAPI document describes it, beside what the service has of it. What the document does not
//! have stays, unless it shall go.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
};

use clap::Args;
use claviger_core::{DeclaredPermission, RouteRule};
use claviger_token::{Permission, PermissionSet, same_audience};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{
    api::Protected,
    body::Body,
    client::{Output, Service},
    consent::Consent,
    failure::Failure,
    noun,
    openapi::{self, Described, LARGEST, ObjectOfPaths},
    output,
    route_rule::{self, shape},
};

/// Make or update one from an OpenAPI document: its permissions from scopes, its route rules from paths
///
/// What the document says of an operation's `security` becomes the rule of its method and path. A path or an operation may say
/// `x-claviger-object: "app:{appId}"` and `x-claviger-filters-objects: true`. What cannot be a rule is told, and has none.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// OpenAPI 3.0 to 3.2, YAML or JSON; - reads it from stdin
    file: PathBuf,
    /// The API's identifier [default: the document's first server]
    #[arg(long, value_name = "URI")]
    identifier: Option<String>,
    /// How people call it [default: the document's title, when it is made]
    #[arg(long)]
    name: Option<String>,
    /// The object of paths with these parameters, such as app={appId}; may be given several times, and the first that fits counts
    #[arg(long = "object", value_name = "TYPE={PARAMETER}", value_parser = ObjectOfPaths::parse)]
    objects: Vec<ObjectOfPaths>,
    /// What stands before every path [default: the path of the document's first server]
    #[arg(long, value_name = "PATH")]
    path_prefix: Option<String>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Take away permissions and rules that the document does not have; such permissions stop working everywhere
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    consent: Consent,
}

/// The largest body that the service reads, in bytes.
const LARGEST_BODY: usize = 64 << 10;

/// What the service has.
#[derive(Debug, Deserialize)]
struct Known {
    id: String,
    identifier: String,
    name: String,
    permissions: Vec<DeclaredPermission>,
    route_rules: Option<Vec<RouteRule>>,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Known>,
    next_cursor: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    change: &'static str,
    what: &'static str,
    name: String,
    detail: String,
}

/// What would change, and the members that say so.
#[derive(Debug)]
struct Plan {
    changes: Vec<Change>,
    body: Json,
}

pub(crate) fn run(service: &Service, import: Import) -> Result<(), Failure> {
    let described = openapi::read(&document(&import.file)?, &import.objects, import.path_prefix.as_deref())?;
    let identifier = import.identifier.clone().or_else(|| described.identifier.clone());
    let identifier = identifier.ok_or_else(|| {
        Failure::usage("the document's first server has no whole address; say what the API is called with --identifier")
    })?;
    for remark in &described.remarks {
        output::note(&output::printable(&format!("warning: {remark}")));
    }
    let known = known(service, &identifier)?;
    let plan = match &known {
        Some(known) => known.plan(described.permissions, described.rules, import.name.as_deref(), import.prune)?,
        None => plan_new(&identifier, import.name.as_deref(), &described)?,
    };
    if described.is_partly_unread && plan.changes.iter().any(Change::ends_permission) {
        return Err(Failure::new(
            "some of the document was not understood and may name what --prune would take away; mend what the warnings tell, or \
             import without --prune",
        ));
    }
    if import.dry_run {
        return tell(service, known.as_ref(), &identifier, &plan, &described.remarks);
    }
    if plan.changes.is_empty() {
        output::note("Nothing changes: the service has all that the document says.");
        return known.map_or(Ok(()), |known| noun::show::<Protected>(service, &known.id));
    }
    if plan.changes.iter().any(|change| change.change == "remove") {
        let deed = format!("take away from {identifier} what the document does not have");
        import.consent.must_be_given(&deed, || Ok(table(&plan)))?;
    }
    let answer = match &known {
        Some(known) => service.patch(&["apis", &known.id], &plan.body)?,
        None => service.post(&["apis"], &plan.body)?,
    };
    noun::shown::<Protected>(service, &answer)?;
    let done = if known.is_some() { "Changed" } else { "Made" };
    output::note(&format!("{done}: {}. Gateways ask by `api=`.", counted(&plan.changes)));
    Ok(())
}

fn document(file: &PathBuf) -> Result<String, Failure> {
    let because = |error: io::Error| {
        Failure::because(format!("cannot read {}", output::printable(&file.to_string_lossy())), &error)
    };
    let mut text = String::new();
    match file.to_str() {
        Some("-") => io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text).map_err(because)?,
        _ => File::open(file).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text)).map_err(because)?,
    };
    if u64::try_from(text.len()).is_ok_and(|length| length > LARGEST) {
        return Err(Failure::new(format!("the document has more than {} MiB", LARGEST >> 20)));
    }
    Ok(text)
}

fn known(service: &Service, identifier: &str) -> Result<Option<Known>, Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", "200")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = service.get(&["apis"], &query)?;
        let page: Page = noun::understood(&answer)?;
        let found = page.items.into_iter().find(|api| same_audience(&api.identifier, identifier));
        if found.is_some() || page.next_cursor.is_none() {
            return Ok(found);
        }
        cursor = page.next_cursor;
    }
}

fn tell(
    service: &Service,
    known: Option<&Known>,
    identifier: &str,
    plan: &Plan,
    remarks: &[String],
) -> Result<(), Failure> {
    match service.output {
        Output::Json => {
            let id = known.map(|known| known.id.as_str());
            let told = json!({ "id": id, "identifier": identifier, "changes": plan.changes, "warnings": remarks });
            output::json(&told.to_string())
        }
        Output::Table if plan.changes.is_empty() => {
            output::note("Nothing would change: the service has all that the document says.");
            Ok(())
        }
        Output::Table => {
            output::answer(&table(plan))?;
            output::note(&format!("Nothing was done. Without --dry-run: {}.", counted(&plan.changes)));
            Ok(())
        }
    }
}

fn table(plan: &Plan) -> String {
    let row = |change: &Change| {
        vec![change.name.clone(), change.what.to_owned(), change.change.to_owned(), change.detail.clone()]
    };
    output::table(&["NAME", "WHAT", "CHANGE", "BY THE DOCUMENT"], plan.changes.iter().map(row))
}

fn counted(changes: &[Change]) -> String {
    let count =
        |change: &str, what: &str| changes.iter().filter(|one| one.change == change && one.what == what).count();
    let told = ["permission", "route"]
        .into_iter()
        .flat_map(|what| ["add", "change", "remove"].map(|change| (count(change, what), format!("{change} {what}"))));
    let told: Vec<String> =
        told.filter(|(count, _)| *count > 0).map(|(count, text)| format!("{count} × {text}")).collect();
    if told.is_empty() { "its name".to_owned() } else { told.join(", ") }
}

fn plan_new(identifier: &str, name: Option<&str>, described: &Described) -> Result<Plan, Failure> {
    let name = name.or(described.title.as_deref()).unwrap_or(identifier);
    let mut changes = vec![change("add", "api", identifier, name)];
    changes.extend(described.permissions.iter().map(|permission| {
        change("add", "permission", permission.name.as_str(), permission.description.as_deref().unwrap_or_default())
    }));
    let (rules, told) = merge_rules(Vec::new(), described.rules.clone(), false);
    changes.extend(told);
    let body =
        json!({ "identifier": identifier, "name": name, "permissions": described.permissions, "route_rules": rules });
    taken(&rules, &described.permissions, &body)?;
    Ok(Plan { changes, body })
}

/// Refuses what the service would, so that a dry run tells it as well.
fn taken(rules: &[RouteRule], declared: &[DeclaredPermission], body: &Json) -> Result<(), Failure> {
    let declared: PermissionSet = declared.iter().map(|permission| permission.name.clone()).collect();
    if let Some(problem) = route_rule::refused(rules.to_vec(), &declared) {
        return Err(Failure::new(format!("the service does not take such rules: {problem}")));
    }
    let length = body.to_string().len();
    if length > LARGEST_BODY {
        let most = LARGEST_BODY >> 10;
        return Err(Failure::new(format!(
            "permissions and rules have {length} bytes, and the service takes {most} KiB; shorten descriptions, or make several APIs"
        )));
    }
    Ok(())
}

impl Change {
    /// Whether a permission stops working everywhere.
    fn ends_permission(&self) -> bool {
        self.change == "remove" && self.what == "permission"
    }
}

fn change(change: &'static str, what: &'static str, name: &str, detail: &str) -> Change {
    Change { change, what, name: name.to_owned(), detail: detail.to_owned() }
}

impl Known {
    fn plan(
        &self,
        permissions: Vec<DeclaredPermission>,
        rules: Vec<RouteRule>,
        name: Option<&str>,
        prune: bool,
    ) -> Result<Plan, Failure> {
        let before = self.route_rules.clone().ok_or_else(|| {
            Failure::new(
                "route rules are shown and changed with instance scope only; your credential does not reach so far",
            )
        })?;
        let renamed = name.filter(|name| **name != self.name);
        let mut changes: Vec<Change> = renamed.iter().map(|name| change("change", "api", &self.name, name)).collect();
        let (declared, of_permissions) = merge_permissions(self.permissions.clone(), permissions, prune);
        let (rules, of_rules) = merge_rules(before, rules, prune);
        let body = Body::new()
            .with("name", renamed)
            .with("permissions", (!of_permissions.is_empty()).then(|| json!(declared)))
            .with("route_rules", (!of_rules.is_empty()).then(|| json!(rules)))
            .json();
        taken(&rules, &declared, &body)?;
        changes.extend(of_permissions);
        changes.extend(of_rules);
        Ok(Plan { changes, body })
    }
}

fn merge_permissions(
    mut before: Vec<DeclaredPermission>,
    wanted: Vec<DeclaredPermission>,
    prune: bool,
) -> (Vec<DeclaredPermission>, Vec<Change>) {
    let mut changes = Vec::new();
    if prune {
        let names: BTreeSet<&Permission> = wanted.iter().map(|permission| &permission.name).collect();
        before.retain(|permission| {
            let stays = names.contains(&permission.name);
            if !stays {
                changes.push(change("remove", "permission", permission.name.as_str(), "not there"));
            }
            stays
        });
    }
    for permission in wanted {
        let said = permission.description.clone().unwrap_or_default();
        match before.iter_mut().find(|known| known.name == permission.name) {
            None => {
                changes.push(change("add", "permission", permission.name.as_str(), &said));
                before.push(permission);
            }
            // A document that does not describe it leaves what somebody wrote.
            Some(known) if permission.description.is_some() && known.description != permission.description => {
                changes.push(change("change", "permission", permission.name.as_str(), &said));
                known.description = permission.description;
            }
            Some(_) => {}
        }
    }
    (before, changes)
}

/// Rules for one method each, by path and method, whatever parameters are called.
type ByRequest = BTreeMap<(String, String), RouteRule>;

fn by_request(rules: Vec<RouteRule>) -> ByRequest {
    let mut single = ByRequest::new();
    for rule in rules {
        for method in &rule.methods {
            let one = RouteRule { methods: vec![method.clone()], ..rule.clone() };
            // Which of two that are for the same is right, the service does not guess either: it refuses both.
            single.entry((shape(&rule.path), method.clone())).or_insert(one);
        }
    }
    single
}

fn merge_rules(before: Vec<RouteRule>, wanted: Vec<RouteRule>, prune: bool) -> (Vec<RouteRule>, Vec<Change>) {
    let (mut rules, wanted) = (by_request(before), by_request(wanted));
    let mut changes = Vec::new();
    let named = |rule: &RouteRule| format!("{} {}", rule.methods.join(","), rule.path);
    let detail = |rule: &RouteRule| route_rule::shown(rule).splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    if prune {
        rules.retain(|request, rule| {
            let stays = wanted.contains_key(request);
            if !stays {
                changes.push(change("remove", "route", &named(rule), "not there"));
            }
            stays
        });
    }
    for (request, rule) in wanted {
        match rules.get(&request) {
            Some(known) if *known == rule => continue,
            Some(_) => changes.push(change("change", "route", &named(&rule), &detail(&rule))),
            None => changes.push(change("add", "route", &named(&rule), &detail(&rule))),
        }
        rules.insert(request, rule);
    }
    (together(rules), changes)
}

/// What is alike but for the method is one rule.
fn together(rules: ByRequest) -> Vec<RouteRule> {
    let mut merged: Vec<RouteRule> = Vec::new();
    for (_, mut rule) in rules {
        let methods = std::mem::take(&mut rule.methods);
        let alike = |other: &&mut RouteRule| RouteRule { methods: Vec::new(), ..(**other).clone() } == rule;
        match merged.iter_mut().rev().take_while(|other| other.path == rule.path).find(alike) {
            Some(other) => other.methods.extend(methods),
            None => merged.push(RouteRule { methods, ..rule }),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(lines: &[&str]) -> Vec<RouteRule> {
        lines.iter().map(|line| route_rule::parse(line).unwrap()).collect()
    }

    fn permissions(names: &[(&str, Option<&str>)]) -> Vec<DeclaredPermission> {
        let declared = |(name, description): &(&str, Option<&str>)| DeclaredPermission {
            name: name.parse().unwrap(),
            description: description.map(str::to_owned),
        };
        names.iter().map(declared).collect()
    }

    fn told(changes: &[Change]) -> Vec<String> {
        changes.iter().map(|one| format!("{} {} {}", one.change, one.name, one.detail)).collect()
    }

    #[test]
    fn what_the_document_does_not_have_stays_unless_it_shall_go() {
        let before = rules(&["GET,PUT /apps/{id} a:read app:{id}", "GET /old a:read"]);
        let wanted =
            rules(&["GET /apps/{id} a:read app:{id}", "PUT /apps/{appId} a:write app:{appId}", "POST /apps a:write"]);
        let (merged, changes) = merge_rules(before.clone(), wanted.clone(), false);
        let expected = [
            "POST /apps a:write",
            "GET /apps/{id} a:read app:{id}",
            "PUT /apps/{appId} a:write app:{appId}",
            "GET /old a:read",
        ];
        assert_eq!(merged.iter().map(route_rule::shown).collect::<Vec<_>>(), expected);
        assert_eq!(told(&changes), ["add POST /apps a:write", "change PUT /apps/{appId} a:write app:{appId}"]);
        let (pruned, changes) = merge_rules(before, wanted.clone(), true);
        assert_eq!(pruned.iter().map(route_rule::shown).collect::<Vec<_>>(), expected[..3]);
        assert_eq!(told(&changes)[0], "remove GET /old not there");

        let known = permissions(&[("a:read", Some("By hand")), ("a:old", None)]);
        let wanted = permissions(&[("a:read", None), ("a:write", Some("Write"))]);
        let (merged, changes) = merge_permissions(known.clone(), wanted.clone(), false);
        assert_eq!(merged, permissions(&[("a:read", Some("By hand")), ("a:old", None), ("a:write", Some("Write"))]));
        assert_eq!(told(&changes), ["add a:write Write"]);
        let (merged, changes) = merge_permissions(known, wanted, true);
        assert_eq!(merged.len(), 2);
        assert_eq!(told(&changes), ["remove a:old not there", "add a:write Write"]);
    }

    #[test]
    fn a_dry_run_tells_what_the_service_does_not_take() {
        let known = |rules| Known {
            id: "api_1".to_owned(),
            identifier: "https://a.test".to_owned(),
            name: "A".to_owned(),
            permissions: permissions(&[("a:read", None)]),
            route_rules: Some(rules),
        };
        let said = |known: &Known, wanted: Vec<DeclaredPermission>, rules: Vec<RouteRule>| match known
            .plan(wanted, rules, None, false)
        {
            Ok(plan) => format!("{} changes", plan.changes.len()),
            Err(failure) => failure.to_string(),
        };
        let many = |count: usize| -> Vec<RouteRule> {
            (0..count).map(|number| route_rule::parse(&format!("GET /{number} a:read")).unwrap()).collect()
        };
        assert_eq!(said(&known(many(499)), Vec::new(), rules(&["GET /x a:read"])), "1 changes");
        let refused = said(&known(many(500)), Vec::new(), rules(&["GET /x a:read"]));
        assert!(refused.contains("does not take such rules"), "{refused}");
        let long = "x".repeat(500);
        let names: Vec<String> = (0..150).map(|number| format!("a:p{number}")).collect();
        let wordy: Vec<_> = names.iter().map(|name| (name.as_str(), Some(long.as_str()))).collect();
        let refused = said(&known(Vec::new()), permissions(&wordy), Vec::new());
        assert!(refused.contains("takes 64 KiB"), "{refused}");
    }

    #[test]
    fn doing_it_again_changes_nothing() {
        let wanted = rules(&["PUT /b a:read", "GET /b a:read", "DELETE /b a:write", "GET /a/{x} -"]);
        let (merged, _) = merge_rules(Vec::new(), wanted.clone(), false);
        let expected = ["GET /a/{x} -", "DELETE /b a:write", "GET,PUT /b a:read"];
        assert_eq!(merged.iter().map(route_rule::shown).collect::<Vec<_>>(), expected);
        for prune in [false, true] {
            let (again, changes) = merge_rules(merged.clone(), wanted.clone(), prune);
            assert_eq!((again, changes), (merged.clone(), Vec::new()));
        }
    }
}
