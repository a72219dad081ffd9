//! Service accounts as OAuth clients: the crate `oauth2`, which others wrote, and our own commands.

use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl, Scope,
    TokenIntrospectionResponse as _, TokenResponse as _, TokenUrl, basic::BasicClient,
};

use crate::server::{Done, Instance, Server, done, done_reading};

/// A served example, and a client in it that may read invoices.
struct Machine {
    instance: Instance,
    server: Server,
    admin: String,
    id: String,
    secret: String,
}

impl Machine {
    fn new() -> Self {
        let instance = Instance::new();
        let server = instance.serve(&["--dev"]);
        let (admin, _) = server.keys();
        let run = |arguments: &[&str]| {
            let done = server.user(&instance, &admin, arguments);
            assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
            done
        };
        let account =
            ["service-account", "create", "--organization=acme", "--name=nightly", "--permission=invoices:read"];
        let account = run(&[account.as_slice(), &["--output=json"]].concat()).json();
        let id = account["id"].as_str().unwrap().to_owned();
        let secret = run(&["service-account", "secret", "create", &id, "--name=host 7"]).stdout.trim().to_owned();
        Self { instance, server, admin, id, secret }
    }

    /// A command as this client, with something to read.
    fn run(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.instance.claviger(arguments);
        command.env("CLAVIGER_URL", &self.server.public);
        command.env("CLAVIGER_CLIENT_ID", &self.id).env("CLAVIGER_CLIENT_SECRET", &self.secret);
        done_reading(&mut command, &format!("{input}\n"))
    }
}

fn ask(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let client = reqwest::blocking::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let response = client.execute(request.try_into()?)?;
    let mut answer = HttpResponse::default();
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    *answer.body_mut() = response.bytes()?.to_vec();
    Ok(answer)
}

#[test]
fn the_crate_oauth2_gets_introspects_and_revokes_a_token() {
    let machine = Machine::new();
    let at = |path: &str| format!("{}/oauth/{path}", machine.server.public);
    for how in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = BasicClient::new(ClientId::new(machine.id.clone()))
            .set_client_secret(ClientSecret::new(machine.secret.clone()))
            .set_auth_type(how)
            .set_token_uri(TokenUrl::new(at("token")).unwrap())
            .set_introspection_url(IntrospectionUrl::new(at("introspect")).unwrap());
        let scope = Scope::new("invoices:read".to_owned());
        let token = client.exchange_client_credentials().add_scope(scope.clone()).request(&ask).unwrap();
        assert_eq!(token.scopes(), Some(&vec![scope]));
        assert_eq!(token.expires_in().map(|life| life.as_secs()), Some(600));
        let token: AccessToken = token.access_token().clone();
        let told = client.introspect(&token).request(&ask).unwrap();
        assert!(told.active() && told.client_id().is_some_and(|id| **id == *machine.id));
        // For this the crate wants https, and knows no loopback address: the same request by hand.
        let form = format!("token={}", token.secret());
        let revoke = reqwest::blocking::Client::new().post(at("revoke")).basic_auth(&machine.id, Some(&machine.secret));
        let revoke = revoke.header("content-type", "application/x-www-form-urlencoded").body(form).send().unwrap();
        assert_eq!(revoke.status(), 200);
        let told = client.introspect(&token).request(&ask).unwrap();
        assert!(!told.active());
    }
}

#[test]
fn tokens_are_requested_exchanged_and_introspected_by_command() {
    let machine = Machine::new();
    let requested = machine.run(&["token", "request", "--scope=invoices:read"], "");
    assert_eq!(requested.code, Some(0), "{requested:?}");
    let token = requested.stdout.trim();
    assert!(token.starts_with("eyJ") && requested.stderr.contains("600s") && !requested.stderr.contains(token));

    let told = machine.run(&["introspect", "-", "--output=json"], token);
    assert_eq!((told.code, told.json()["client_id"].as_str()), (Some(0), Some(machine.id.as_str())));
    let shown = machine.run(&["introspect"], token);
    assert!(shown.stdout.contains("active") && shown.stdout.contains("invoices:read"), "{shown:?}");
    let unknown = machine.run(&["introspect", "-", "--output=json"], "nonsense");
    assert_eq!((unknown.code, unknown.json()), (Some(1), serde_json::json!({ "active": false })));

    let exchanged = machine.run(&["token", "exchange", "--output=json"], token);
    assert_eq!(exchanged.json()["scope"], "invoices:read", "{exchanged:?}");
    let refused = machine.run(&["token", "exchange", "--scope=invoices:write"], token);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("invalid_scope"), "{refused:?}");

    // Without a client there is a next step.
    let mut nobody = machine.instance.claviger(&["token", "request"]);
    let nobody = done(nobody.env("CLAVIGER_URL", &machine.server.public).output().unwrap());
    assert_eq!(nobody.code, Some(2));
    assert!(nobody.stderr.contains("CLAVIGER_CLIENT_ID") && nobody.stderr.contains("service-account secret create"));
    let introspected = machine.server.user(&machine.instance, &machine.admin, &["introspect", token]);
    assert_eq!(introspected.code, Some(0), "{introspected:?}");
    machine.instance.assert_nowhere(&[&machine.secret, &machine.admin]);
}
