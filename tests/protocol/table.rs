//! `/api/v1/table/full|partition/{path}`.

use serde_json::{Value, json};

use super::Example;

const FULL: &str = "/api/v1/table/full/tables/weather";
const PARTITION: &str = "/api/v1/table/partition/tables/weather";

#[test]
fn a_table_is_an_arrow_file_unless_another_form_is_wished() {
    let example = Example::serve();
    let client = example.client();
    let arrow = client.get(FULL);
    assert_eq!(arrow.header("content-type"), "application/vnd.apache.arrow.file");
    assert!(arrow.body.starts_with(b"ARROW1"));
    let csv = client.get(&format!("{FULL}?format=csv"));
    let mut lines = csv.text().lines();
    assert_eq!(lines.next(), Some("index,place,temperature,pressure,valid"));
    assert_eq!(lines.count(), 200);
    let json = client.get(&format!("{FULL}?format=json")).json();
    assert_eq!(json["place"].as_array().unwrap().len(), 200);
    example.end();
}

#[test]
fn columns_are_chosen_by_query_and_by_body() {
    let example = Example::serve();
    let client = example.client();
    let asked = client.get(&format!("{PARTITION}?partition=0&column=valid&column=index&format=json")).json();
    let mut names: Vec<&String> = asked.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["index", "valid"]);
    let posted =
        client.post(&format!("{PARTITION}?partition=0&format=json"), &json!(["valid", "index"])).json();
    assert_eq!(posted, asked);
    assert_eq!(asked["valid"][3], false);
    example.end();
}

#[test]
fn rows_come_one_a_line() {
    let example = Example::serve();
    let rows = example.client().get(&format!("{PARTITION}?partition=0&format=application/json-seq"));
    let first = rows.text().lines().next().unwrap().trim_start_matches('\u{1e}');
    let first: Value = serde_json::from_str(first).unwrap();
    assert_eq!((&first["index"], &first["place"]), (&json!(0), &json!("north")));
    example.end();
}

#[test]
fn unknown_parts_of_a_table_are_refused() {
    let example = Example::serve();
    let client = example.client();
    assert_eq!(client.get(PARTITION).status, 422, "a partition must be named");
    let answer = client.get(&format!("{PARTITION}?partition=1"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!((400..500).contains(&client.get(&format!("{FULL}?column=nothing")).status));
    assert_eq!(client.get("/api/v1/table/full/arrays/wave").status, 404);
    example.end();
}
