use std::{fs, net::TcpListener};

use crate::server::Instance;

#[test]
fn an_unknown_setting_is_refused_with_its_name_and_place() {
    let instance = Instance::new();
    fs::write(instance.path().join("claviger.toml"), "listn = '127.0.0.1:7420'").unwrap();
    let said = instance.refused(&["serve"]);
    assert!(said.contains("listn in claviger.toml") && said.contains("internal_listen"), "{said}");

    let instance = Instance::new().with("CLAVIGER_LISTN", "127.0.0.1:7420");
    let said = instance.refused(&["serve"]);
    assert!(said.contains("listn in CLAVIGER_LISTN"), "{said}");
    assert!(!instance.data("").exists(), "a refused start leaves nothing behind");
}

#[test]
fn a_value_out_of_range_is_refused_with_what_would_be_right() {
    let instance = Instance::new();
    let file = instance.path().join("other.toml");
    fs::write(&file, "max_staleness = '2h'").unwrap();
    let said = instance.refused(&["serve", "--config", file.to_str().unwrap()]);
    assert!(said.contains("max_staleness in ") && said.contains("other.toml") && said.contains("1s to 60s"), "{said}");
    let said = instance.refused(&["serve", "--listen=localhost"]);
    assert!(said.contains("--listen") && said.contains("127.0.0.1:7420"), "{said}");
    let said = instance.refused(&["serve", "--config=absent.toml"]);
    assert!(said.contains("absent.toml"), "{said}");
}

#[test]
fn wrong_usage_exits_2() {
    let instance = Instance::new();
    assert_eq!(instance.run(&["serve", "--frobnicate"]).code, Some(2));
    assert_eq!(instance.run(&["api-key", "create", "--name=x"]).code, Some(2));
    assert_eq!(instance.run(&["api-key", "roll", "key_1", "--overlap=soon"]).code, Some(2));
    assert_eq!(instance.run(&[]).code, Some(2));
    assert_eq!(instance.run(&["--help"]).code, Some(0));
}

#[test]
fn a_port_in_use_is_refused_with_the_address_and_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let held = TcpListener::bind(taken).unwrap();
    let instance = Instance::new();
    let said = instance.refused(&["serve", "--listen", &taken.to_string()]);
    assert!(said.contains(&taken.to_string()) && said.contains("--listen"), "{said}");
    drop(held);
}

#[test]
fn an_open_internal_listener_wants_a_token() {
    let said = Instance::new().refused(&["serve", "--internal-listen=0.0.0.0:0"]);
    assert!(said.contains("CLAVIGER_INTERNAL_TOKEN"), "{said}");
}

#[test]
fn a_data_directory_that_cannot_be_is_refused() {
    let instance = Instance::new();
    fs::write(instance.path().join("file"), "").unwrap();
    let said = instance.refused(&["serve", "--data-dir=file/data"]);
    assert!(said.contains("file/data") && said.contains("os error"), "{said}");
    let said = instance.refused(&["bootstrap", "--database-url=sqlite:///nowhere/at/all.db"]);
    assert!(said.contains("/nowhere/at/all.db"), "{said}");
}

#[test]
fn an_unreachable_database_is_refused_without_its_password() {
    let said =
        Instance::new().with("CLAVIGER_DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/keys").refused(&["migrate"]);
    assert!(said.contains("postgres://127.0.0.1:1/keys") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_newer_schema_is_refused() {
    let instance = Instance::new();
    assert!(instance.ok(&["migrate"]).contains("made schema"));
    assert!(instance.ok(&["migrate"]).contains("nothing to do"));
    instance.tamper(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999, 'later', 1, X'00', 1)",
    );
    for command in ["serve", "migrate", "bootstrap"] {
        let said = instance.refused(&[command]);
        assert!(said.contains("newer Claviger (schema 999)"), "{said}");
    }
}
