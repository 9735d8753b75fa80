//! `GET /api/v1/search/{path}`.

use serde_json::Value;

use super::Example;

fn keys(document: &Value) -> Vec<&str> {
    document["data"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect()
}

#[test]
fn pages_follow_each_other_to_the_end() {
    let example = Example::serve();
    let client = example.client();
    let (mut url, mut found) = (Some("/api/v1/search/?page[limit]=4".to_owned()), Vec::new());
    let mut pages = 0;
    while let Some(page) = url {
        let document = client.get(&page).json();
        assert_eq!(document["meta"]["count"], 6);
        found.extend(keys(&document).into_iter().map(str::to_owned));
        let next = document["links"]["next"].as_str().map(str::to_owned);
        url = next.map(|next| next.strip_prefix(example.server.url()).unwrap().to_owned());
        pages += 1;
    }
    found.sort();
    assert_eq!(found, ["arrays", "climate", "images", "scans", "spectra", "tables"]);
    assert_eq!(pages, 2);
    example.end();
}

#[test]
fn an_offset_skips_and_a_limit_of_none_counts() {
    let example = Example::serve();
    let client = example.client();
    let all = client.get("/api/v1/search/tables?sort=").json();
    let rest = client.get("/api/v1/search/tables?page[offset]=1&page[limit]=2").json();
    assert_eq!(keys(&rest), keys(&all)[1..3]);
    let count = client.get("/api/v1/search/tables?page[limit]=0&fields=count").json();
    assert_eq!((keys(&count).len(), &count["meta"]["count"]), (0, &Value::from(4)));
    let answer = client.get("/api/v1/search/tables?page[limit]=-1");
    assert_eq!((answer.status, &answer.detail()[0]["type"]), (422, &Value::from("greater_than_equal")));
    example.end();
}

#[test]
fn filters_choose() {
    let example = Example::serve();
    let client = example.client();
    let filter = "filter[lookup][condition][key]=weather";
    assert_eq!(keys(&client.get(&format!("/api/v1/search/tables?{filter}")).json()), ["weather"]);
    let filter = "filter[structure_family][condition][value]=container";
    assert_eq!(keys(&client.get(&format!("/api/v1/search/tables?{filter}")).json()), ["samples"]);
    let inside = client.get("/api/v1/search/scans/scan_001/entry").json();
    let mut inside = keys(&inside);
    inside.sort_unstable();
    assert_eq!(inside, ["data", "instrument"]);
    example.end();
}

#[test]
fn only_containers_have_children() {
    let example = Example::serve();
    let answer = example.client().get("/api/v1/search/arrays/wave");
    assert_eq!(answer.status, 404);
    assert!(answer.detail().as_str().unwrap().contains("StructureFamily.array"), "{:?}", answer.text());
    example.end();
}
