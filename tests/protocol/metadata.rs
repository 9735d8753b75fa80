//! `GET /api/v1/metadata/{path}`.

use serde_json::json;

use super::Example;

#[test]
fn a_node_is_described_in_tileds_shape() {
    let example = Example::serve();
    let document = example.client().get("/api/v1/metadata/arrays/wave").json();
    let node = &document["data"];
    assert_eq!(node["id"], "wave");
    assert_eq!(node["attributes"]["ancestors"], json!(["arrays"]));
    assert_eq!(node["attributes"]["structure_family"], "array");
    let structure = &node["attributes"]["structure"];
    assert_eq!((&structure["shape"], &structure["chunks"]), (&json!([500]), &json!([[500]])));
    assert_eq!(structure["data_type"]["kind"], "f");
    let full = format!("{}/api/v1/array/full/arrays/wave", example.server.url());
    assert_eq!(node["links"]["full"], full);
    example.end();
}

#[test]
fn pythons_clients_before_0_2_13_get_no_sizes_of_assets() {
    let example = Example::serve();
    let client = example.client();
    let has_size = |agent: &str| {
        let url = "/api/v1/metadata/arrays/wave?include_data_sources=true";
        let document = client.get_with(url, &[("user-agent", agent)]).json();
        document["data"]["attributes"]["data_sources"][0]["assets"][0].get("size").is_some()
    };
    let agents = ["python-tiled/0.2.13", "python-tiled/0.2.12", "curl/8"];
    assert_eq!(agents.map(has_size), [true, false, true]);
    example.end();
}

#[test]
fn only_the_fields_that_are_asked_for_come() {
    let example = Example::serve();
    let document =
        example.client().get("/api/v1/metadata/arrays/wave?fields=structure_family&omit_links=true").json();
    let attributes = &document["data"]["attributes"];
    assert_eq!(attributes["structure_family"], "array");
    assert!(attributes["structure"].is_null() && attributes["metadata"].is_null(), "{document}");
    assert!(document["data"]["links"].is_null());
    example.end();
}

#[test]
fn nodes_inside_a_file_and_columns_of_tables_are_nodes_too() {
    let example = Example::serve();
    let client = example.client();
    let counts = client.get("/api/v1/metadata/scans/scan_001/entry/data/counts").json();
    assert_eq!(counts["data"]["attributes"]["metadata"]["units"], "1/s");
    let column = client.get("/api/v1/metadata/tables/weather/temperature").json();
    assert_eq!(column["data"]["attributes"]["structure_family"], "array");
    assert_eq!(column["data"]["attributes"]["structure"]["shape"], json!([200]));
    example.end();
}

#[test]
fn an_answer_that_the_caller_has_already_is_not_sent_again() {
    let example = Example::serve();
    let client = example.client();
    let url = "/api/v1/metadata/arrays/wave";
    let first = client.get(url);
    let tag = first.header("etag");
    assert!(!tag.is_empty());
    let second = client.get_with(url, &[("if-none-match", tag)]);
    assert_eq!((second.status, second.header("etag"), second.body.len()), (304, tag, 0));
    assert_eq!(client.get_with(url, &[("if-none-match", "\"other\"")]).status, 200);
    example.end();
}

#[test]
fn what_is_not_there_is_named() {
    let example = Example::serve();
    let client = example.client();
    for path in ["nothing", "arrays/nothing", "scans/scan_001/entry/nothing", "tables/weather/nothing"] {
        let answer = client.get(&format!("/api/v1/metadata/{path}"));
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.detail().as_str().unwrap().starts_with("No such entry: ["), "{path}");
    }
    let answer = client.get("/api/v1/metadata/arrays?fields=colour");
    assert_eq!((answer.status, &answer.detail()[0]["loc"]), (422, &json!(["query", "fields"])));
    example.end();
}
