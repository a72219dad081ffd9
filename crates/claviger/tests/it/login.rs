//! `claviger login` against a real server, with somebody who approves as a browser would.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Stdio},
};

use reqwest::blocking::{Client, RequestBuilder, Response};

use crate::server::{Done, Instance, Server, done};

/// Somebody who is signed in, with what their browser keeps.
pub(crate) struct Person<'a> {
    server: &'a Server,
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl<'a> Person<'a> {
    /// By the link that `--dev` prints.
    pub(crate) fn signed_in(server: &'a Server) -> Self {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let mut person = Self { server, client, cookies: BTreeMap::new() };
        let stdout = server.stdout();
        let link = stdout.split_whitespace().find(|word| word.contains("/sign-in/link?code=")).unwrap();
        person.get(link.strip_prefix(&server.public).unwrap());
        let page = person.get("/sign-in/link");
        person.post("/sign-in/link", &[("csrf", &field(&page, "csrf"))]);
        person
    }

    fn get(&mut self, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.server.public));
        self.sent(request).text().unwrap()
    }

    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let request = self.client.post(format!("{}{path}", self.server.public)).form(fields);
        let response = self.sent(request);
        assert!(response.status().is_redirection(), "{path}: {}", response.text().unwrap());
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    fn sent(&mut self, request: RequestBuilder) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header("cookie", cookies.join("; ")).send().unwrap();
        for line in response.headers().get_all("set-cookie") {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
        response
    }

    pub(crate) fn approve(&mut self, user_code: &str) {
        let page = self.get(&format!("/device?user_code={user_code}"));
        let fields = ["csrf", "user_code", "organization", "seen"].map(|name| (name, field(&page, name)));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // The first form is that of the frame, to sign out; its token is the same.
        self.post("/device/approve", &fields);
    }

    fn deny(&mut self, user_code: &str) {
        let page = self.get(&format!("/device?user_code={user_code}"));
        self.post("/device/deny", &[("csrf", &field(&page, "csrf")), ("user_code", user_code)]);
    }
}

fn field(page: &str, name: &str) -> String {
    let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    rest.unwrap_or_else(|| panic!("no field {name} in {page}")).split('"').next().unwrap().to_owned()
}

/// A login that waits, and the code that it shows.
fn begun(instance: &Instance, server: &Server, more: &[&str]) -> (Child, String, BufReader<std::process::ChildStderr>) {
    let arguments = [["login", "--no-browser", "--url", &server.public].as_slice(), more].concat();
    let mut child = instance.claviger(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let code = loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "it said no code");
        if let Some(code) = line.trim().strip_prefix("code ") {
            break code.to_owned();
        }
    };
    (child, code, said)
}

fn ended((child, _, mut said): (Child, String, BufReader<std::process::ChildStderr>)) -> Done {
    let mut stderr = String::new();
    said.read_to_string(&mut stderr).unwrap();
    Done { stderr, ..done(child.wait_with_output().unwrap()) }
}

#[test]
fn somebody_signs_in_works_and_signs_out() {
    let instance = Instance::new();
    let server = instance.serve(&["--dev"]);
    let mut person = Person::signed_in(&server);
    assert!(instance.refused(&["logout"]).contains("claviger login"));

    let login = begun(&instance, &server, &[]);
    person.approve(&login.1);
    let first = ended(login);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stderr.contains("for 30 days") && first.stdout.contains("claviger login on "), "{first:?}");

    let file = instance.path().join("config/claviger/login.json");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let kept = || serde_json::from_slice::<serde_json::Value>(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept()["url"], server.public.as_str());
    let token = kept()["token"].as_str().unwrap().to_owned();
    assert!(!first.stdout.contains(&token) && !first.stderr.contains(&token));
    instance.assert_nowhere(&[&token]);

    // Neither an address nor a token has to be given from now on, and what is given counts.
    assert!(instance.ok(&["whoami"]).contains("claviger login on "));
    assert!(instance.ok(&["token", "list"]).contains("claviger login on "));
    let (admin, _) = server.keys();
    assert!(server.user(&instance, &admin, &["whoami"]).stdout.contains("sa_"));
    let elsewhere = instance.run(&["whoami", "--url=http://127.0.0.1:1"]);
    assert!(
        elsewhere.stderr.contains("127.0.0.1:1 does not answer") || elsewhere.stderr.contains("127.0.0.1:1/"),
        "{elsewhere:?}"
    );
    // What counts at one service is shown to no other.
    let other = Instance::new().with("XDG_CONFIG_HOME", instance.path().join("config").display().to_string());
    let stranger = other.serve(&["--dev"]);
    let asked = other.run(&["whoami", "--url", &stranger.public]);
    assert!(
        asked.code == Some(1) && asked.stderr.contains("401") && asked.stderr.contains("claviger login"),
        "{asked:?}"
    );

    // Who signs in again has one token.
    let again = begun(&instance, &server, &["--scope=claviger:personal_access_tokens:read"]);
    person.approve(&again.1);
    assert_eq!(ended(again).code, Some(0));
    let verdict = |token: &str| {
        let answer = server.user(&instance, &admin, &["verify", token, "--output=json"]);
        answer.json()["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict(&token), "revoked");
    let second = kept()["token"].as_str().unwrap().to_owned();
    assert_eq!(verdict(&second), "valid");
    assert_eq!(instance.run(&["api-key", "list"]).code, Some(1));

    let out = instance.run(&["logout"]);
    assert!(out.code == Some(0) && out.stderr.contains("the token has ended"), "{out:?}");
    assert_eq!(verdict(&second), "revoked");
    assert!(!file.exists() && instance.run(&["logout"]).code == Some(1));
}

#[test]
fn a_login_that_is_denied_keeps_nothing() {
    let instance = Instance::new();
    let server = instance.serve(&["--dev"]);
    let mut person = Person::signed_in(&server);
    let login = begun(&instance, &server, &[]);
    person.deny(&login.1);
    let denied = ended(login);
    assert!(denied.code == Some(1) && denied.stdout.is_empty(), "{denied:?}");
    assert!(denied.stderr.contains("it was denied") && denied.stderr.contains("begins again"), "{denied:?}");
    assert!(!instance.path().join("config").exists());
    let unknown = instance.run(&["login", "--url", &server.public, "--scope=claviger:nothing:read"]);
    assert!(unknown.code == Some(1) && unknown.stderr.contains("invalid_scope"), "{unknown:?}");
}

#[test]
fn a_login_that_cannot_be_ended_is_forgotten_only_if_that_is_meant() {
    let instance = Instance::new();
    let file = instance.path().join("config/claviger/login.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, r#"{"url":"http://127.0.0.1:1","token":"clv_pat_x"}"#).unwrap();
    let kept = instance.run(&["logout"]);
    assert!(kept.code == Some(1) && kept.stderr.contains("--forget") && file.exists(), "{kept:?}");
    let forgotten = instance.run(&["logout", "--forget"]);
    assert!(forgotten.code == Some(0) && forgotten.stderr.contains("until its end") && !file.exists(), "{forgotten:?}");
    fs::write(&file, "clv_pat_x").unwrap();
    let unreadable = instance.refused(&["whoami"]);
    assert!(unreadable.contains("remove it") && !unreadable.contains("clv_pat_x"), "{unreadable}");
}
