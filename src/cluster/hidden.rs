//! What a Secret holds, so that it can be kept out of whatever is told. Pure.

use crate::cluster::object::Object;
use data_encoding::BASE64;

/// Shorter values are words and numbers that stand everywhere.
const SHORTEST: usize = 6;
/// Keys that tell where something is, or who somebody is, as every manifest beside the Secret does.
const KNOWN_TO_ALL: [&str; 12] =
    ["username", "user", "database", "dbname", "db", "host", "hostname", "port", "namespace", "ca.crt", "tls.crt", "service-ca.crt"];

/// The values of a Secret, decoded. Those that are no text, or that nobody hides, are left out.
pub fn values(secret: &Object) -> Vec<String> {
    if secret.kind() != "Secret" {
        return Vec::new();
    }
    let texts = |at: &str| -> Vec<(String, String)> {
        let map = secret.at(at).and_then(serde_json::Value::as_object);
        map.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    };
    let decoded = texts("/data").into_iter().filter_map(|(key, value)| {
        let bytes = BASE64.decode(value.as_bytes()).ok()?;
        Some((key, String::from_utf8(bytes).ok()?))
    });
    let all = decoded.chain(texts("/stringData"));
    all.filter(|(key, value)| value.len() >= SHORTEST && !KNOWN_TO_ALL.contains(&key.as_str())).map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::values;
    use crate::cluster::object::Object;
    use serde_json::json;

    #[test]
    fn values_are_decoded_and_what_all_know_is_left_out() {
        let secret = json!({
            "kind": "Secret",
            "data": { "password": "aHVudGVyMi0uLi4=", "username": "cG9zdGdyZXM=", "short": "YWI=", "binary": "//79" },
            "stringData": { "token": "abc-def-ghi" }
        });
        assert_eq!(values(&Object(secret.clone())), ["hunter2-...", "abc-def-ghi"]);
        let mut map = secret;
        map["kind"] = json!("ConfigMap");
        assert!(values(&Object(map)).is_empty());
    }
}
