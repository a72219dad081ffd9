use std::fs;

use crate::server::Instance;

#[test]
fn a_sound_trail_proves_beside_a_running_server() {
    let instance = Instance::new();
    let _server = instance.serve(&["--dev"]);
    let said = instance.ok(&["audit", "verify"]);
    assert!(said.contains("proved: ") && (said.contains("in 3 chains") || said.contains("in 2 chains")), "{said}");
    assert!(said.contains("instance"), "{said}");
}

#[test]
fn a_changed_event_is_found() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let proved = instance.ok(&["audit", "verify", "--json"]);
    assert!(proved.contains(r#""ok": true"#), "{proved}");
    instance.tamper(
        "UPDATE audit_event SET record = replace(record, 'operator', 'nobody') WHERE action = 'instance.bootstrapped'",
    );
    let done = instance.run(&["audit", "verify", "--json"]);
    let report = done.json();
    assert_eq!((done.code, report["ok"].as_bool()), (Some(1), Some(false)));
    assert_eq!(report["findings"][0]["chain"], "instance");
    let done = instance.run(&["audit", "verify"]);
    assert!(done.code == Some(1) && done.stdout.contains("was changed"), "{done:?}");
}

#[test]
fn a_trail_cut_short_is_found_with_the_heads_of_earlier() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    fs::copy(instance.data("claviger.db"), instance.path().join("copy.db")).unwrap();
    instance.ok(&["bootstrap", "--another-key"]);
    let heads = instance.path().join("heads.json");
    fs::write(&heads, instance.ok(&["audit", "verify", "--json"])).unwrap();
    let with_heads = ["audit", "verify", "--heads", heads.to_str().unwrap()];
    instance.ok(&with_heads);
    instance.ok(&["bootstrap", "--another-key"]);
    instance.ok(&with_heads);

    // An older copy proves by itself; only the heads tell.
    fs::copy(instance.path().join("copy.db"), instance.data("claviger.db")).unwrap();
    instance.ok(&["audit", "verify"]);
    let done = instance.run(&with_heads);
    assert!(done.code == Some(1) && done.stdout.contains("when its head was saved"), "{done:?}");

    // Written anew to the same length, it proves again, and is another.
    instance.ok(&["bootstrap", "--another-key"]);
    instance.ok(&["audit", "verify"]);
    let done = instance.run(&with_heads);
    assert!(done.code == Some(1) && done.stdout.contains("the event is another"), "{done:?}");

    let said = instance.refused(&["audit", "verify", "--heads=absent.json"]);
    assert!(said.contains("absent.json"), "{said}");
}

#[test]
fn without_a_database_there_is_nothing_to_prove_and_nothing_is_made() {
    let instance = Instance::new();
    let said = instance.refused(&["audit", "verify"]);
    assert!(said.contains("claviger.db"), "{said}");
    assert!(!instance.data("").exists());
    instance.ok(&["migrate"]);
    let said = instance.refused(&["audit", "verify"]);
    assert!(said.contains("no keys yet"), "{said}");
    assert!(!instance.data("master.key").exists());
}
