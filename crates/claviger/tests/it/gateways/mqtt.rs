//! The guide to MQTT brokers: its commands, and the questions that its configurations make brokers ask. No broker runs here.

use reqwest::blocking::Client;
use serde_json::{Map, Value, json};

use crate::{
    guides::{blocks, check},
    server::Instance,
};

const GUIDE: &str = include_str!("../../../../../docs/gateways/mqtt.md");

#[test]
fn the_guide_to_mqtt_brokers_works_as_written() {
    let instance = Instance::new();
    let server = instance.serve(&[]);
    let told = instance.path().join("told");
    let script = format!(
        "export CLAVIGER_TOKEN=$(claviger bootstrap)\n{}\nprintf '%s\\n%s' \"$KEY_ID\" \"$KEY\" > {}",
        blocks(GUIDE, "sh").join("\n"),
        told.display(),
    );
    let expected = [
        "https://mqtt.acme.test",
        r#"{"ok":true,"error":""}"#,
        r#"{"ok":true,"error":""}"#,
        r#"{"result":"deny","is_superuser":false}"#,
    ];
    check(&instance, &server, &script, &expected);
    let told = std::fs::read_to_string(told).unwrap();
    let (id, key) = told.split_once('\n').unwrap();

    let client = Client::builder().no_proxy().build().unwrap();
    let ask = |address: &str, body: &Value| {
        let path = address.trim_start_matches("http://127.0.0.1:7421");
        let answer = client.post(format!("{}{path}", server.internal)).json(body).send().unwrap();
        (answer.status().as_u16(), answer.json::<Value>().unwrap())
    };
    let configured = blocks(GUIDE, "text");
    let option = |name: &str| {
        let line = configured[0].lines().find_map(|line| line.strip_prefix(&format!("auth_opt_http_{name} ")));
        line.unwrap().to_owned()
    };
    let connect = json!({ "username": id, "password": key, "clientid": id });
    assert_eq!(ask(&option("getuser_uri"), &connect), (200, json!({ "ok": true, "error": "" })));
    assert_eq!(ask(&option("superuser_uri"), &json!({ "username": id })).0, 403);
    for (acc, topic, status) in [
        (2, "devices/42/up", 200),
        (2, "devices/43/up", 403),
        (2, "other/42", 403),
        (4, "devices/42/#", 403),
        (1, "devices/42/down", 403),
    ] {
        let sent = json!({ "username": id, "clientid": id, "topic": topic, "acc": acc });
        assert_eq!(ask(&option("aclcheck_uri"), &sent).0, status, "{acc} {topic}");
    }

    let values = |line: &str| -> Vec<String> { line.split('"').skip(1).step_by(2).map(str::to_owned).collect() };
    let lines = |key: &str| -> Vec<&str> {
        configured[1].lines().map(str::trim).filter(|line| line.starts_with(key)).collect()
    };
    let (addresses, bodies) = (lines("url = "), lines("body {"));
    assert_eq!((addresses.len(), bodies.len()), (2, 2));
    let emqx = |question: usize, topic: &str, action: &str| {
        let fill = |text: &str| match text {
            "${username}" => id.to_owned(),
            "${password}" => key.to_owned(),
            "${peerhost}" => "192.0.2.7".to_owned(),
            "${topic}" => topic.to_owned(),
            "${action}" => action.to_owned(),
            other => panic!("{other}"),
        };
        let names =
            bodies[question].trim_start_matches("body {").split(',').map(|pair| pair.split_once('=').unwrap().0);
        let body: Map<String, Value> = names
            .zip(values(bodies[question]))
            .map(|(name, value)| (name.trim().to_owned(), fill(&value).into()))
            .collect();
        let (status, told) = ask(&values(addresses[question])[0], &body.into());
        assert_eq!((status, &told["is_superuser"]), (200, &json!(false)));
        told["result"].as_str().unwrap().to_owned()
    };
    assert_eq!(emqx(0, "", ""), "allow");
    assert_eq!(emqx(1, "devices/42/up", "publish"), "allow");
    assert_eq!(emqx(1, "devices/43/up", "publish"), "deny");
    assert_eq!(emqx(1, "devices/42/up", "subscribe"), "deny");
    assert_eq!(emqx(1, "$SYS/broker", "publish"), "deny");
}
