//! The rules as they are changed. What stricter ones do to the credentials that exist is told first, and asked.

use axum::{extract::State, response::Response};
use claviger_core::{Effect, Kind, Policy, PolicyChanges, Rejection, permission};

use super::{kind_words, path_of, words_of};
use crate::{
    app::App,
    console::{
        ask::{AskPage, Fact},
        credential::{Place, withheld},
        inside::{Inside, InsideForm},
        page::{Frame, go_and_tell},
        sheet::{Draft, Entered, Field, Offered, Part, Section, Sheet, Way},
        shell::Here,
        trouble::Trouble,
    },
    manage::{
        Authority,
        policy::{Touched, updated},
    },
    problem::RequestError,
};

/// The fields that are numbers of days.
const DAYS: [&str; 4] =
    ["pat_max_lifetime_days", "pat_default_lifetime_days", "api_key_max_lifetime_days", "revoke_after_unused_days"];

/// The rules, as the form has them.
fn stands(policy: &Policy) -> Entered {
    let days = |days: Option<u32>| days.map(|days| days.to_string()).unwrap_or_default();
    let kinds = Kind::ALL.into_iter().filter(|kind| policy.allows(*kind)).map(|kind| kind.as_str().to_owned());
    let networks = policy.allowed_networks.iter().flat_map(|all| all.iter()).map(ToString::to_string);
    Entered::default()
        .with("pat_max_lifetime_days", days(policy.pat_max_lifetime_days))
        .with("pat_default_lifetime_days", days(policy.pat_default_lifetime_days))
        .with("api_key_max_lifetime_days", days(policy.api_key_max_lifetime_days))
        .with("revoke_after_unused_days", days(policy.revoke_after_unused_days))
        .with_switch("expiry_required", policy.expiry_required)
        .with_switch("wildcard_allowed", policy.wildcard_allowed)
        .with_switch("members_must_name_objects", policy.members_must_name_objects)
        .with_switch("approval_required", policy.approval_required)
        .with_all("kind", kinds)
        .with("allowed_networks", networks.collect::<Vec<_>>().join("\n"))
}

/// Theirs who changes the rules.
fn writer<'a>(place: &Place<'a>) -> Result<(&'a Here, Authority<'a>), Trouble> {
    let here = place.here.ok_or(Trouble::Absent)?;
    here.must(permission::ORGANIZATIONS_READ)?;
    let authority = Authority::of_person(place.session, &here.person, permission::ORGANIZATIONS_WRITE);
    Ok((here, authority.ok_or(Trouble::Absent)?))
}

/// `GET …/policy/edit`.
pub(crate) async fn show(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = writer(&place)?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &stands(&here.organization.policy), &frame);
    Ok(form(here, draft, frame))
}

/// `POST …/policy/edit`.
pub(crate) async fn submit(State(app): State<App>, sent: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (sent.place(&app), &sent.fields);
    let (here, authority) = writer(&place)?;
    let path = path_of(here);
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{path}/edit")))?;
    let (frame, now) = (place.frame().await?, stands(&here.organization.policy));
    let mut draft = Draft::sent(fields, &now);
    if !draft.is_of(&now, &app) {
        let draft = draft.beside(&now, &app, &frame, |name, value| told_as(name, value, &frame));
        return Ok(form(here, draft, frame));
    }
    if fields.value("step") == "back" {
        return Ok(form(here, draft, frame));
    }
    let changes = changes(&mut draft, &now, &frame);
    if !draft.wrong.is_empty() {
        return Ok(form(here, draft, frame));
    }
    let mut made = match updated(&app, &authority, here.organization.id, changes).await {
        Ok(made) => made,
        Err(RequestError::Rejected(rejection)) => {
            told(&mut draft, &rejection, &frame);
            return Ok(form(here, draft, frame));
        }
        Err(error) => return Err(withheld(error)),
    };
    // Locked now: nobody came between.
    let found = stands(&made.before);
    if found != now {
        drop(made);
        let draft = draft.beside(&found, &app, &frame, |name, value| told_as(name, value, &frame));
        return Ok(form(here, draft, frame));
    }
    let sees = here.person.may(permission::CREDENTIALS_READ);
    let follows: Vec<Fact> = made.touches().await?.iter().filter_map(|one| fact(one, sees, &frame)).collect();
    let mark = Fact::mark(&follows, &app);
    if !follows.is_empty() && fields.value("confirmed") != mark {
        drop(made);
        let hidden = draft.entered.hidden().into_iter().chain([("seen", draft.seen), ("confirmed", mark)]).collect();
        let ask = AskPage {
            title: frame.text("policy-tighten"),
            name: here.organization.name.to_string(),
            warning: frame.text("policy-tighten-what"),
            follows,
            action: format!("{path}/edit"),
            back: Way { path, label: frame.text("policy-title") },
            hidden,
            button: frame.text("policy-tighten-do"),
            of_form: true,
            frame,
        };
        return Ok(ask.shown());
    }
    made.commit(&app).await?;
    Ok(go_and_tell(&path, "saved", []))
}

/// Only what was typed otherwise than it stands.
fn changes(draft: &mut Draft, now: &Entered, frame: &Frame) -> PolicyChanges {
    let entered = draft.entered.clone();
    let differs = |name: &str| entered.all(name) != now.all(name);
    let mut days = |name: &'static str| {
        let text = entered.one(name);
        match text.parse::<u32>() {
            _ if !differs(name) => None,
            _ if text.is_empty() => Some(None),
            Ok(days) => Some(Some(days)),
            Err(_) => {
                draft.refuse(name, frame.text("policy-days-wrong"));
                None
            }
        }
    };
    let switch = |name: &str| differs(name).then(|| entered.is_on(name));
    let chosen = |kind: &Kind| entered.all("kind").iter().any(|word| word == kind.as_str());
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(chosen).collect();
    PolicyChanges {
        pat_max_lifetime_days: days("pat_max_lifetime_days"),
        pat_default_lifetime_days: days("pat_default_lifetime_days"),
        api_key_max_lifetime_days: days("api_key_max_lifetime_days"),
        revoke_after_unused_days: days("revoke_after_unused_days"),
        expiry_required: switch("expiry_required"),
        wildcard_allowed: switch("wildcard_allowed"),
        members_must_name_objects: switch("members_must_name_objects"),
        approval_required: switch("approval_required"),
        // All of them is no rule: whatever comes later is allowed, too.
        allowed_kinds: differs("kind").then(|| Some(kinds).filter(|kinds| kinds.len() < Kind::ALL.len())),
        allowed_networks: differs("allowed_networks")
            .then(|| Some(entered.words("allowed_networks")).filter(|words| !words.is_empty())),
    }
}

fn told(draft: &mut Draft, rejection: &Rejection, frame: &Frame) {
    let entered = draft.entered.clone();
    let too_long = |name: &str| name == "pat_default_lifetime_days" && entered.one(name).parse().is_ok_and(in_range);
    draft.told(rejection, frame, |said| {
        if let Some(name) = DAYS.into_iter().find(|name| *name == said.member) {
            let words = if too_long(name) { "policy-default-too-long" } else { "policy-days-wrong" };
            return Some((name, frame.text(words)));
        }
        let networks = entered.words("allowed_networks");
        (said.member == "allowed_networks")
            .then(|| ("allowed_networks", frame.text_with("form-network-wrong", "name", said.entry(&networks))))
    });
}

fn in_range(days: u32) -> bool {
    (1..=36_500).contains(&days)
}

/// How far those that a rule touches are counted on the page.
const MOST_COUNTED: usize = 1000;

/// What a stricter rule does, if it does anything to what exists.
fn fact(one: &Touched, sees: bool, frame: &Frame) -> Option<Fact> {
    let words = match one.tightening.effect {
        Effect::EndsSooner => "policy-ends-sooner",
        Effect::Disabled => "policy-disabled",
        Effect::LosesWildcards => "policy-loses-wildcards",
        Effect::LimitedToNetworks => "policy-limited-to-networks",
        Effect::Revoked => "policy-revoked",
    };
    let number = usize::try_from(one.counted.number).unwrap_or_default();
    let what = if one.counted.more || number > MOST_COUNTED {
        // So that what was confirmed stays the same while many come and go. Where not all were looked at, nobody says that there are none.
        frame.text_with(words, "count", format!("{}+", number.min(MOST_COUNTED)))
    } else if number > 0 {
        frame.text_counting(words, number)
    } else {
        return None;
    };
    let rule = frame.text(words_of(one.tightening.rule).0);
    let names = one.newest.iter().filter(|_| sees).map(|credential| credential.name.to_string()).collect();
    Some(Fact { label: format!("{rule}: {what}"), entries: names })
}

/// A value as a person reads it.
fn told_as(name: &str, value: &str, frame: &Frame) -> String {
    match Kind::ALL.into_iter().find(|kind| name == "kind" && kind.as_str() == value) {
        Some(kind) => frame.text(kind_words(kind)),
        None if value == "on" => frame.text("policy-yes"),
        None => value.to_owned(),
    }
}

fn form(here: &Here, draft: Draft, frame: Frame) -> Response {
    let field = |name: &'static str| {
        let (label, what) = words_of(if name == "kind" { "allowed_kinds" } else { name });
        Field::of(&draft, name, frame.text(label), frame.text(what))
    };
    let days = |name| Part::Line(Field { kind: "number", ..field(name) });
    let kinds = Kind::ALL.map(|kind| Offered {
        value: kind.as_str().to_owned(),
        label: frame.text(kind_words(kind)),
        hint: String::new(),
        chosen: draft.entered.all("kind").iter().any(|word| word == kind.as_str()),
    });
    let section = |title: &str, parts| Section { title: frame.text(title), hint: String::new(), parts };
    let lives = vec![
        days("pat_max_lifetime_days"),
        days("pat_default_lifetime_days"),
        days("api_key_max_lifetime_days"),
        Part::Switch(field("expiry_required")),
        days("revoke_after_unused_days"),
    ];
    let what = vec![
        Part::Boxes(field("kind"), kinds.into()),
        Part::Switch(field("wildcard_allowed")),
        Part::Switch(field("members_must_name_objects")),
        Part::Lines(field("allowed_networks").like("203.0.113.0/24")),
    ];
    let sections = vec![
        section("policy-lives", lives),
        section("policy-made", what),
        section("policy-approvals", vec![Part::Switch(field("approval_required"))]),
    ];
    let path = path_of(here);
    let action = format!("{path}/edit");
    let sheet = Sheet {
        title: frame.text("policy-change"),
        lead: frame.text("policy-change-what"),
        back: Way { path, label: frame.text("policy-title") },
        hidden: vec![("seen", draft.seen.clone()), ("resume", action.clone())],
        action,
        sections,
        wrong: draft.wrong,
        button: frame.text("save"),
        frame,
    };
    sheet.shown()
}

#[cfg(test)]
mod tests {
    use claviger_core::{Tightening, Touches};
    use claviger_store::CountedAmong;

    use super::*;
    use crate::console::language::Language;

    #[test]
    fn what_is_confirmed_stays_the_same_while_many_come_and_go() {
        let frame = Frame::sample_inside(Language::English, "Ada");
        let told = |number: i64, more: bool| {
            let tightening =
                Tightening { rule: "wildcard_allowed", effect: Effect::LosesWildcards, touches: Touches::Wildcards };
            let touched = Touched { tightening, counted: CountedAmong { number, more }, newest: Vec::new() };
            fact(&touched, true, &frame).map(|fact| fact.label)
        };
        let check = |number: i64, more: bool, expected: &str| {
            let label = told(number, more).unwrap();
            assert!(label.contains(expected), "{label}");
        };
        check(1, false, "one no longer follows");
        check(1000, false, "1000 no longer follow");
        check(1001, false, "1000+ no longer follow");
        check(9999, true, "1000+ no longer follow");
        check(0, true, "0+ no longer follow");
        assert_eq!(told(0, false), None);
        assert_eq!(told(1001, false), told(9999, true));
    }
}
