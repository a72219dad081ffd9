use claviger_token::Object;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    fixtures::{said, set},
    invalid::Rejection,
};

const DECLARED: &str = "apps:read apps:write admin:all";

fn read(rules: Value) -> Result<Routes, Rejection> {
    let mut errors = FieldErrors::default();
    let routes = Routes::read(serde_json::from_value(rules).unwrap(), &set(DECLARED), &mut errors);
    errors.finish().map(|()| routes.unwrap())
}

fn rule(methods: &[&str], path: &str, permission: &str) -> Value {
    json!({ "methods": methods, "path": path, "permissions": [permission] })
}

fn with(mut rule: Value, name: &str, value: Value) -> Value {
    rule[name] = value;
    rule
}

/// What is asked for, in words.
fn found(routes: &Routes, method: &str, target: &str) -> String {
    let address = match Address::read(target) {
        Ok(address) => address,
        Err(error) => return format!("{error:?}"),
    };
    match routes.find(method, &address) {
        Ok(Some(Ruled { permissions, object, filters_objects })) => {
            let names = permissions.iter().map(Permission::as_str).collect::<Vec<_>>().join("+");
            let object = object.map(|object| format!(" {object}")).unwrap_or_default();
            format!("{names}{object}{}", if filters_objects { " filters" } else { "" })
        }
        Ok(None) => "none".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn every_wrong_member_is_named() {
    let check = |rules: Value, expected: &str| assert_eq!(said(&read(rules.clone())), expected, "{rules}");
    let get = |path: &str| rule(&["GET"], path, "apps:read");
    check(json!([]), "ok");
    check(json!([get("/"), get("/apps"), get("/apps/"), get("/apps/{id}"), get("/{*rest}")]), "ok");
    check(json!([get("/a-b_c.d~e/f:g@h/$&'()+,=!/{a}/{b.c-d_e}")]), "ok");
    for bad in [
        "",
        "apps",
        "https://a.test/apps",
        "/a//b",
        "/./a",
        "/a/..",
        "/a/{id",
        "/a/id}",
        "/a/{}",
        "/a/v{id}",
        "/a/{id}:run",
        "/a/{i d}",
        "/a/{*}",
        "/{*rest}/a",
        "/{a}/{a}",
        "/a/{a}/{*a}",
        "/a/*",
        "/a b",
        "/a?b",
        "/a;b",
        "/a%20b",
        "/é",
        "/a\\b",
    ] {
        check(json!([get("/apps"), get(bad)]), "/route_rules/1/path invalid_path");
    }
    check(json!([get(&format!("/{}", "x".repeat(511)))]), "ok");
    check(json!([get(&format!("/{}", "x".repeat(512)))]), "/route_rules/0/path invalid_path");
    check(json!([get(&"/x".repeat(32))]), "ok");
    check(json!([get(&"/x".repeat(33))]), "/route_rules/0/path invalid_path");

    check(json!([rule(&[], "/a", "apps:read")]), "/route_rules/0/methods no_methods");
    for bad in ["", "get", "GET POST", "*", &"A".repeat(21)] {
        check(json!([rule(&["GET", bad], "/a", "apps:read")]), "/route_rules/0/methods/1 invalid_method");
    }
    check(json!([rule(&["GET"], "/a", "apps:delete")]), "/route_rules/0/permissions/0 unknown_permission");
    check(json!([with(get("/a"), "permissions", json!([]))]), "ok");

    let object = |text: &str| json!([with(get("/r/{owner}/{name}/{*rest}"), "object", json!(text))]);
    for sound in ["repo:{owner}", "repo:{owner}/{name}", "file:{name}/{rest}", "tenant:main"] {
        check(object(sound), "ok");
    }
    for bad in [
        "repo",
        "{owner}:x",
        "Repo:x",
        "repo:",
        "repo:*",
        "repo:{owner}/*",
        "repo:{id}",
        "repo:{owner}-{name}",
        "repo:v{name}",
        "repo:{rest}/x",
        "repo:{owner",
        "a:../b",
    ] {
        check(object(bad), "/route_rules/0/object invalid_object");
    }
    let both = with(with(get("/a/{id}"), "object", json!("app:{id}")), "filters_objects", json!(true));
    check(json!([both]), "/route_rules/0/filters_objects object_named");

    let many = |count: usize| (0..count).map(|number| get(&format!("/a{number}"))).collect::<Value>();
    check(many(500), "ok");
    check(many(501), "/route_rules too_many");
    check(json!([with(get("/a"), "permissions", json!(vec!["apps:read"; 21]))]), "/route_rules/0/permissions too_many");
}

#[test]
fn a_request_has_one_rule_at_most() {
    let check = |second: Value, expected: &str| {
        assert_eq!(said(&read(json!([rule(&["GET", "PUT"], "/apps/{id}", "apps:read"), second]))), expected);
    };
    check(rule(&["POST", "PUT"], "/apps/{id}", "apps:write"), "/route_rules/1/methods/1 duplicate");
    check(rule(&["GET"], "/apps/{other}", "apps:write"), "/route_rules/1/methods/0 duplicate");
    check(rule(&["GET"], "/Apps/{id}", "apps:write"), "/route_rules/1/methods/0 duplicate");
    check(rule(&["DELETE", "DELETE"], "/apps/{id}", "apps:write"), "/route_rules/1/methods/1 duplicate");
    check(rule(&["DELETE", "HEAD"], "/apps/{app}", "apps:write"), "ok");
    check(rule(&["GET"], "/apps/{id}/", "apps:write"), "ok");
    check(rule(&["GET"], "/apps/{*rest}", "apps:write"), "ok");
}

fn apps() -> Routes {
    read(json!([
        with(rule(&["GET"], "/apps", "apps:read"), "filters_objects", json!(true)),
        with(rule(&["GET", "PATCH"], "/apps/{id}", "apps:read"), "object", json!("app:{id}")),
        with(rule(&["DELETE"], "/apps/{app}", "apps:write"), "object", json!("app:{app}")),
        rule(&["GET"], "/apps/admin", "admin:all"),
        with(rule(&["GET"], "/files/{*path}", "apps:read"), "object", json!("file:{path}")),
        rule(&["HEAD", "GET"], "/health/", "apps:read"),
        with(rule(&["POST"], "/r/{owner}/{name}", "apps:write"), "object", json!("repo:{owner}/{name}")),
    ]))
    .unwrap()
}

#[test]
fn the_path_chooses_and_then_the_method() {
    let routes = apps();
    let check = |method: &str, target: &str, expected: &str| {
        assert_eq!(found(&routes, method, target), expected, "{method} {target}");
    };
    check("GET", "/apps", "apps:read filters");
    check("GET", "/apps?of=acme/../x", "apps:read filters");
    check("HEAD", "/apps", "apps:read filters");
    check("POST", "/apps", "none");
    check("OPTIONS", "/apps", "none");
    check("get", "/apps", "none");
    check("", "/apps", "none");
    check("GET", "/apps/7", "apps:read app:7");
    check("DELETE", "/apps/7", "apps:write app:7");
    check("GET", "/apps/admin", "admin:all");
    check("DELETE", "/apps/admin", "none");
    check("GET", "/apps/", "none");
    check("GET", "/apps/7/", "none");
    check("GET", "/apps/7/x", "none");
    check("GET", "/health/", "apps:read");
    check("GET", "/health", "none");
    check("GET", "/files/a/b.txt", "apps:read file:a/b.txt");
    check("GET", "/files/", "none");
    check("GET", "/files", "none");
    check("GET", "/files/7", "apps:read file:7");
    check("POST", "/r/acme/site", "apps:write repo:acme/site");
    check("GET", "/", "none");
    assert_eq!(found(&Routes::default(), "GET", "/apps"), "none");
}

#[test]
fn case_is_told_apart_and_never_makes_a_parameter_of_a_text() {
    let routes = apps();
    let check = |target: &str, expected: &str| assert_eq!(found(&routes, "GET", target), expected, "{target}");
    check("/apps/App7", "apps:read app:App7");
    check("/Apps/7", "none");
    check("/APPS", "none");
    check("/apps/Admin", "none");
    check("/apps/ADMIN", "none");
}

#[test]
fn a_slash_at_the_end_never_leads_to_a_path_that_says_less() {
    let routes = read(json!([
        rule(&["GET"], "/{*rest}", "apps:read"),
        rule(&["GET"], "/admin", "admin:all"),
        rule(&["GET"], "/admin/users", "admin:all"),
        rule(&["GET"], "/apps/{id}", "apps:read"),
        rule(&["GET"], "/apps/new/", "apps:write"),
        rule(&["GET"], "/both/{id}", "apps:read"),
        rule(&["GET"], "/both/{id}/", "apps:write"),
        rule(&["GET"], "/closed/", "admin:all"),
        rule(&["GET"], "/{a}/text", "apps:write"),
        rule(&["GET"], "/{a}/{b}/", "apps:read"),
    ]))
    .unwrap();
    let check = |target: &str, expected: &str| assert_eq!(found(&routes, "GET", target), expected, "{target}");
    check("/admin", "admin:all");
    check("/admin/users", "admin:all");
    for target in
        ["/admin/", "/Admin/", "/ADMIN", "/admin/users/", "/admin/Users/", "/admin/?a=b", "/closed", "/Closed"]
    {
        check(target, "none");
    }
    check("/closed/", "admin:all");
    check("/apps/7", "apps:read");
    check("/apps/7/", "none");
    check("/apps/new/", "apps:write");
    check("/apps/new", "none");
    check("/both/7", "apps:read");
    check("/both/7/", "apps:write");
    check("/x/text", "apps:write");
    check("/x/text/", "none");
    check("/x/other/", "apps:read");
    check("/x/other", "none");
    // Both are all that follows.
    check("/a/b/c", "apps:read");
    check("/a/b/c/", "apps:read");
}

#[test]
fn what_two_readers_could_take_for_two_paths_is_refused() {
    let routes = apps();
    let check = |target: &str, expected: &str| assert_eq!(found(&routes, "GET", target), expected, "{target}");
    for target in ["", "*", "apps/7", "http://a.test/apps/7", "?/apps/7", "//"] {
        let expected = if target == "//" { "EmptySegment" } else { "NotAPath" };
        check(target, expected);
    }
    for target in ["//apps/7", "/apps//7", "/apps/7//"] {
        check(target, "EmptySegment");
    }
    for target in ["/apps/.", "/apps/../apps/7", "/files/a/../b", "/./apps"] {
        check(target, "DotSegment");
    }
    for target in [
        "/apps/%2e%2e/7",
        "/apps/%2E",
        "/apps/a%2fb",
        "/apps/a%2Fb",
        "/apps/a%5cb",
        "/apps/a%252fb",
        "/apps/%61dmin",
        "/apps/a%00",
        "/apps/a%0ab",
        "/apps/a%7fb",
        "/apps/a%3bb",
        "/apps/a%3fb",
        "/apps/a%3Fb",
        "/apps/a%23b",
        "/apps/%c2%85",
    ] {
        check(target, "Encoded");
    }
    for target in [
        "/apps/a\\b",
        "/apps/a;b",
        "/apps/a b",
        "/apps/é",
        "/apps/a#b",
        "/apps/a\0",
        "/apps/{id}",
        "/apps/a|b",
        "/apps/\"a\"",
    ] {
        check(target, "Character");
    }
    for target in ["/apps/%", "/apps/%4", "/apps/%g0", "/apps/%+1"] {
        check(target, "Encoding");
    }
    check("/apps/%ff", "NotText");
    check("/apps/me%40acme.test", "apps:read app:me@acme.test");
    check("/apps/%C3%A9", "apps:read app:é");
    check("/apps/a%3Ab", "apps:read app:a:b");
    check("/apps/a%20b", "Whitespace");
    check("/apps/*", "Wildcard");
    check("/apps/%2A", "Wildcard");
    check(&format!("/apps/{}", "x".repeat(600)), "TooLong");
    check(&format!("/{}", "x".repeat(4096)), "TooLong");
    check(&format!("/{}?{}", "x".repeat(4095), "y".repeat(100_000)), "none");
    check(&"/x".repeat(2048), "none");
}

#[test]
fn what_was_checked_when_it_was_written_reads_again() {
    let routes = apps();
    let text = serde_json::to_string(routes.rules()).unwrap();
    assert_eq!(Routes::restore(serde_json::from_str(&text).unwrap()), Some(routes));
    assert_eq!(Routes::restore(Vec::new()), Some(Routes::default()));
    assert_eq!(Routes::restore(serde_json::from_value(json!([rule(&["GET"], "x", "a")])).unwrap()), None);
}

/// How a path of a rule fits: the smaller, the more is said; `None` if it does not.
fn closeness(path: &str, target: &str) -> Option<(usize, Vec<u8>)> {
    let (path, target): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), target.split('/').collect());
    let mut how = Vec::new();
    for (index, segment) in path.iter().enumerate() {
        let value = target.get(index)?;
        match () {
            () if segment.starts_with("{*") => return (target[index..] != [""]).then_some((100 - index, how)),
            () if segment.starts_with('{') && !value.is_empty() => how.push(1),
            () if segment.is_empty() && segment == value => {}
            () if segment == value => how.push(0),
            () => return None,
        }
    }
    (path.len() == target.len()).then_some((0, how))
}

proptest! {
    /// The order of the rules does not matter: of those that fit, the one that says most from left to right, unless one says more of the
    /// path that has a slash more or less at its end.
    #[test]
    fn the_rule_that_says_most_from_left_to_right_counts(
        paths in proptest::collection::vec("((/(a|b|ab|\\{p\\})){1,2}(/(a|b|\\{q\\}|\\{\\*r\\}))?|(/(a|b|\\{p\\})){1,2}/|/\\{\\*r\\})", 1..16),
        target in "(/(a|b|ab|c)){1,4}/?",
    ) {
        let mut paths: Vec<String> = paths.into_iter().filter(|path| path.matches("{p}").count() < 2).collect();
        let shape = |path: &String| path.replace("{q}", "{p}");
        paths.sort_by_key(shape);
        paths.dedup_by_key(|path| shape(path));
        let rules = paths.iter().map(|path| with(rule(&["GET"], path, "apps:read"), "object", json!(format!("t:{}", number(&paths, path)))));
        let routes = read(rules.collect()).unwrap();
        let closest = |target: &str| paths.iter().filter_map(|path| Some((closeness(path, target)?, path))).min();
        let other = target.strip_suffix('/').map_or_else(|| format!("{target}/"), str::to_owned);
        let says_more = |(how, _): &((usize, Vec<u8>), &String)| closest(&other).is_none_or(|(other, _)| *how <= other);
        let expected = closest(&target).filter(says_more);
        let address = Address::read(&target).unwrap();
        let found = routes.find("GET", &address).unwrap().map(|ruled| ruled.object.unwrap());
        let expected = expected.map(|(_, path)| format!("t:{}", number(&paths, path)).parse::<Object>().unwrap());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_address_makes_it_fail(target in ".{0,64}", method in "[A-Z]{0,8}") {
        found(&apps(), &method, &target);
        found(&apps(), "GET", &format!("/apps/{target}"));
    }
}

fn number(paths: &[String], path: &String) -> usize {
    paths.iter().position(|other| other == path).unwrap()
}
