//! Which kubeconfigs are understood, and what is said about the others.

use super::*;
use serde_json::{Value, json};

fn config() -> Value {
    json!({
        "current-context": "here",
        "contexts": [
            {"name": "elsewhere", "context": {"cluster": "none"}},
            {"name": "here", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:8001"}}],
        "users": [{"name": "u", "user": {"token": "t\n"}}],
    })
}

fn read(config: &Value) -> Result<Access, KubeconfigError> {
    parse(&config.to_string(), Path::new("f"))?.into_access(Path::new("/dir"))
}

#[test]
fn token_and_address_of_the_current_context() {
    let access = read(&config()).unwrap();
    assert_eq!(access.server, "http://127.0.0.1:8001");
    assert_eq!(access.token, Token::Text("t".to_owned()));
    assert!(access.roots.is_empty() && access.identity.is_none());
}

#[test]
fn a_token_file_is_looked_for_beside_the_kubeconfig() {
    let mut with_file = config();
    with_file["users"][0]["user"] = json!({"tokenFile": "token"});
    assert_eq!(read(&with_file).unwrap().token, Token::File(PathBuf::from("/dir/token")));
    with_file["users"] = Value::Null;
    assert_eq!(read(&with_file).unwrap().token, Token::Absent);
}

#[track_caller]
fn refused(pointer: &str, value: Value, why: &str) {
    let mut changed = config();
    *changed.pointer_mut(pointer).unwrap() = value;
    let text = crate::lines::chain(&read(&changed).unwrap_err());
    assert!(text.contains(why), "`{why}` is missing in: {text}");
}

#[test]
fn what_is_missing_broken_or_not_done_is_named() {
    refused("/current-context", Value::Null, "current-context");
    refused("/current-context", json!("nowhere"), "context of the current name");
    refused("/contexts/1/context/cluster", json!("nowhere"), "cluster of the context's name");
    refused("/clusters/0/cluster", json!({}), "server");
    refused("/clusters/0/cluster/server", json!("127.0.0.1:8001"), "server");
    refused("/clusters/0/cluster/server", json!("ftp://x"), "https://");
    refused("/clusters/0/cluster/server", json!("https://x"), "certificate-authority");
    let with = |extra: Value| {
        let mut cluster = json!({"server": "https://x"});
        cluster.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        cluster
    };
    let cluster = "/clusters/0/cluster";
    refused(cluster, with(json!({"certificate-authority-data": "!"})), "PEM in base64");
    refused(cluster, with(json!({"certificate-authority-data": "eA=="})), "PEM in base64");
    refused(cluster, with(json!({"certificate-authority": "/no/such"})), "PEM in base64");
    refused(cluster, with(json!({"insecure-skip-tls-verify": true})), "without a check");
    refused(cluster, with(json!({"proxy-url": "http://p"})), "a proxy");
    let user = "/users/0/user";
    refused(user, json!({"exec": {"command": "aws"}}), "login by another program");
    refused(user, json!({"auth-provider": {"name": "gcp"}}), "login by another program");
    refused(user, json!({"username": "a", "password": "b"}), "user name");
    refused(user, json!({"client-certificate-data": "eA=="}), "client-key");
    refused("/contexts", json!(7), "is no kubeconfig");
}

#[test]
fn yaml_is_read_and_its_errors_say_where() {
    let yaml = "current-context: a\nusers:\n- name: b\n  user:\n    token: c\n";
    let read = parse(yaml, Path::new("f")).unwrap();
    assert_eq!(read.users.unwrap()[0].user.as_ref().unwrap().token.as_deref(), Some("c"));
    let wrong = parse("users:\n- name: [b\n", Path::new("f")).unwrap_err();
    assert!(crate::lines::chain(&wrong).contains("line "), "{wrong:?}");
}
