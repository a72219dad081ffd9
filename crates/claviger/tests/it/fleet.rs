//! `claviger fleet` and `claviger enrol` against a real server: whoever runs a fleet, and a device of it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::server::{Done, Instance, Server, done};

struct Fleet {
    instance: Instance,
    server: Server,
    token: String,
    id: String,
}

impl Fleet {
    fn new() -> Self {
        let instance = Instance::new();
        let server = instance.serve(&["--dev"]);
        let (token, _) = server.keys();
        let create = [
            "fleet",
            "create",
            "--organization=acme",
            "--name=gateways",
            "--permission=invoices:read",
            "--output=json",
        ];
        let made = server.user(&instance, &token, &create);
        assert_eq!(made.code, Some(0), "{made:?}");
        let id = made.json()["id"].as_str().unwrap().to_owned();
        Self { instance, server, token, id }
    }

    fn ok(&self, arguments: &[&str]) -> Done {
        let done = self.server.user(&self.instance, &self.token, arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done
    }

    fn code(&self) -> String {
        let made = self.ok(&["fleet", "claim-code", "create", &self.id]);
        assert!(!made.stderr.contains(made.stdout.trim()), "{made:?}");
        made.stdout.trim().to_owned()
    }

    /// A command of a device, which has no credential of anybody's.
    fn device(&self, code: &str, arguments: &[&str]) -> Done {
        let mut command = self.instance.claviger(arguments);
        command.env("CLAVIGER_URL", &self.server.public);
        if !code.is_empty() {
            command.env("CLAVIGER_CLAIM_CODE", code);
        }
        done(command.output().unwrap())
    }
}

#[test]
fn a_device_enrols_gets_a_token_renews_and_ends() {
    let fleet = Fleet::new();
    let (code, key) = (fleet.code(), fleet.instance.path().join("device.pem"));
    let enrol = ["enrol", "--name=SN-1", "--key=device.pem", "--output=json"];
    let enrolled = fleet.device(&code, &enrol);
    assert_eq!(enrolled.code, Some(0), "{enrolled:?}");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let first = fs::read_to_string(&key).unwrap();
    // Once more it is the same device.
    assert_eq!(fleet.device(&code, &enrol).json(), enrolled.json());
    assert_eq!(fs::read_to_string(&key).unwrap(), first);
    let id = enrolled.json()["service_account_id"].as_str().unwrap().to_owned();
    let request = ["token", "request", "--client-id", &id, "--key=device.pem"];
    let token = fleet.device("", &request);
    assert!(token.stdout.starts_with("eyJ"), "{token:?}");
    let listed = fleet.ok(&["fleet", "devices", &fleet.id]);
    assert!(listed.stdout.contains(&id) && listed.stdout.contains("active"), "{listed:?}");

    let renewed = fleet.device("", &["enrol", "renew", "--client-id", &id, "--key=device.pem", "--output=json"]);
    assert_eq!(renewed.json()["service_account_id"], id.as_str(), "{renewed:?}");
    assert_ne!(renewed.json()["public_key_id"], enrolled.json()["public_key_id"]);
    assert_ne!(fs::read_to_string(&key).unwrap(), first);
    assert!(!fleet.instance.path().join("device.pem.next").exists());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fleet.device("", &request).stdout.starts_with("eyJ"));

    let revoke = ["fleet", "revoke", &fleet.id];
    let asked = fleet.server.user(&fleet.instance, &fleet.token, &revoke);
    assert_eq!(asked.code, Some(2), "{asked:?}");
    fleet.ok(&[revoke.as_slice(), &["--reason=compromised", "--yes"]].concat());
    assert!(fleet.device("", &request).refused().contains("invalid_client"));
    assert!(fleet.ok(&["fleet", "devices", &fleet.id]).stdout.contains("revoked"));
    fleet.ok(&["fleet", "delete", &fleet.id, "--yes"]);
    fleet.instance.assert_nowhere(&[&code, first.lines().nth(1).unwrap()]);
}

#[test]
fn a_renewal_that_was_cut_short_goes_on_with_the_key_that_waits() {
    let fleet = Fleet::new();
    let enrolled = fleet.device(&fleet.code(), &["enrol", "--name=SN-1", "--key=device.pem", "--output=json"]);
    let id = enrolled.json()["service_account_id"].as_str().unwrap().to_owned();
    let renew = ["enrol", "renew", "--client-id", &id, "--key=device.pem", "--output=json"];
    let (key, next) = (fleet.instance.path().join("device.pem"), fleet.instance.path().join("device.pem.next"));
    let before = fleet.instance.path().join("before.pem");
    fs::copy(&key, &before).unwrap();
    // As if power had been lost while the next key was written.
    fs::write(&next, "").unwrap();
    let renewed = fleet.device("", &renew).json();
    let registered = fs::read(&key).unwrap();
    // As if nothing had come back: the answer is the same for the same key.
    fs::rename(&key, &next).unwrap();
    fs::copy(&before, &key).unwrap();
    assert_eq!(fleet.device("", &renew).json(), renewed);
    assert!(!next.exists() && fs::read(&key).unwrap() == registered);
    // As if that had been so long ago that the key before has ended: the one that waited is the device's, and renews.
    let code = fleet.code();
    let enrolled = fleet.device(&code, &["enrol", "--name=SN-2", "--key=waited.pem", "--output=json"]).json();
    let id = enrolled["service_account_id"].as_str().unwrap().to_owned();
    fs::rename(fleet.instance.path().join("waited.pem"), &next).unwrap();
    let renew = ["enrol", "renew", "--client-id", &id, "--key=device.pem", "--output=json"];
    let renewed = fleet.device("", &renew);
    assert_eq!((renewed.code, renewed.json()["service_account_id"].as_str()), (Some(0), Some(&*id)), "{renewed:?}");
    assert!(!next.exists() && fs::read(&key).unwrap() != registered);
    assert!(fleet.device("", &["token", "request", "--client-id", &id, "--key=device.pem"]).stdout.starts_with("eyJ"));
    // What is refused for another reason goes no further: no key is made for what would be refused again.
    let waiting = fs::read(&key).unwrap();
    fs::write(&next, waiting).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
    fleet.ok(&["fleet", "update", &fleet.id, "--close"]);
    assert!(fleet.device("", &renew).refused().contains("fleet_closed"));
    assert!(next.exists() && !fleet.instance.path().join("device.pem.next.next").exists());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(fleet.device("", &renew).stderr.contains("by others"));
}

#[test]
fn a_certificate_takes_nobodys_place_and_is_got_by_the_key_that_waits() {
    let fleet = Fleet::new();
    let at = |name: &str| fleet.instance.path().join(name);
    let enrol = |name: &str, key: &str, certificate: &str| {
        let (name, key) = (format!("--name={name}"), format!("--key={key}"));
        fleet.device(&fleet.code(), &["enrol", &name, &key, &format!("--certificate={certificate}"), "--output=json"])
    };
    for certificate in ["device.pem", "./device.pem", "device.pem.next"] {
        let refused = enrol("SN-1", "device.pem", certificate);
        assert!(refused.code == Some(2) && refused.stderr.contains("a file of its own"), "{refused:?}");
    }
    fs::write(at("notes"), "mine").unwrap();
    let refused = enrol("SN-1", "device.pem", "notes");
    assert!(refused.code == Some(1) && refused.stderr.contains("is not replaced"), "{refused:?}");
    assert!(fs::read(at("notes")).unwrap() == b"mine" && !at("device.pem").exists());
    assert_eq!(enrol("SN-1", "device.pem", "device.crt").code, Some(0));
    // As if the answer to a renewal had been lost for so long that what is there has ended, and the key waits that was registered.
    let enrolled = enrol("SN-2", "waited.pem", "waited.crt").json();
    let (registered, id) = (fs::read(at("waited.pem")).unwrap(), enrolled["service_account_id"].as_str().unwrap());
    let renew = ["enrol", "renew", "--client-id", id, "--key=device.pem", "--certificate=device.crt", "--output=json"];
    let refused = fleet.device("", &renew);
    assert!(refused.code == Some(1) && refused.stderr.contains("invalid_request"), "{refused:?}");
    fs::rename(at("waited.pem"), at("device.pem.next")).unwrap();
    let renewed = fleet.device("", &renew);
    assert_eq!(
        (renewed.code, &renewed.json()["certificate_pem"]),
        (Some(0), &enrolled["certificate_pem"]),
        "{renewed:?}"
    );
    assert!(!at("device.pem.next").exists() && fs::read(at("device.pem")).unwrap() == registered);
    assert_eq!(fs::read(at("device.crt")).unwrap(), fs::read(at("waited.crt")).unwrap());
    let renew = ["enrol", "renew", "--client-id", id, "--key=device.pem", "--certificate=device.pem"];
    let refused = fleet.device("", &renew);
    assert_eq!((refused.code, fs::read(at("device.pem")).unwrap()), (Some(2), registered), "{refused:?}");
}

#[test]
fn what_is_no_claim_code_or_no_key_is_told_in_words() {
    let fleet = Fleet::new();
    let enrol = |code: &str, more: &[&str]| fleet.device(code, &[["enrol", "--name=SN-1"].as_slice(), more].concat());
    let refused = enrol("clv_claim_x", &["--key=device.pem"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("no claim code that counts"), "{refused:?}");
    assert!(!refused.stderr.contains("CLAVIGER_TOKEN"), "{refused:?}");
    fs::write(fleet.instance.path().join("other.pem"), "x").unwrap();
    fs::set_permissions(fleet.instance.path().join("other.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    let code = fleet.code();
    assert!(enrol(&code, &["--key=other.pem"]).stderr.contains("no private key"));
    for missing in [enrol("", &["--key=device.pem"]), enrol(&code, &[]), fleet.device("", &["enrol", "renew"])] {
        assert_eq!(missing.code, Some(2), "{missing:?}");
    }
    let shown = fleet.ok(&["fleet", "claim-code", "list", &fleet.id]);
    assert!(shown.stdout.contains("1 of 1") && shown.stdout.contains("open"), "{shown:?}");
    let id = shown.stdout.split_whitespace().find(|word| word.starts_with("claim_")).unwrap().to_owned();
    fleet.ok(&["fleet", "claim-code", "revoke", &fleet.id, &id]);
    assert!(fleet.ok(&["fleet", "claim-code", "show", &fleet.id, &id]).stdout.contains("revoked"));
    assert!(enrol(&code, &["--key=device.pem"]).stderr.contains("no claim code that counts"));
    let changed = fleet.ok(&["fleet", "update", &fleet.id, "--close", "--device-lifetime-days=7"]);
    assert!(changed.stdout.contains("7 days"), "{changed:?}");
    assert!(fleet.ok(&["fleet", "list", "--organization=acme"]).stdout.contains("gateways"));
}
