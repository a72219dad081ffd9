//! What shells and manuals are told.

use std::fs;

use crate::server::Instance;

#[test]
fn every_shell_gets_completions() {
    let instance = Instance::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = instance.ok(&["completions", shell]);
        assert!(script.contains("service-account") && script.contains("rate-limit"), "{shell}: {script}");
    }
    assert_eq!(instance.run(&["completions", "cmd"]).code, Some(2));
}

#[test]
fn every_command_gets_a_page() {
    let instance = Instance::new();
    let page = instance.ok(&["man"]);
    assert!(page.contains(".TH claviger 1") && page.contains("claviger\\-doctor(1)"), "{page}");
    let done = instance.run(&["man", "pages/man1"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""), "{done:?}");
    for page in ["claviger", "claviger-serve", "claviger-api-key-create", "claviger-org-policy-update"] {
        let text = fs::read_to_string(instance.path().join("pages/man1").join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    fs::write(instance.path().join("file"), "").unwrap();
    assert!(instance.refused(&["man", "file"]).contains("cannot write to file"));
}
