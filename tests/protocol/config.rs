//! The program with a configuration file.

use tiled_tests::{Access, Server, configuration, example_data};

#[test]
fn several_trees_share_one_server() {
    let data = example_data();
    let folder = data.path().display();
    let trees = format!(
        r#"
        [[trees]]
        path = "/a"
        tree = "directory"
        args = {{ directory = "{folder}/arrays" }}
        [[trees]]
        path = "/b/tables"
        tree = "directory"
        args = {{ directory = "{folder}/tables", metadata = {{ color = "red" }} }}
        "#
    );
    let server = Server::config(&configuration(Access::Public, &trees));
    let client = server.client();
    let mut roots = Vec::new();
    for node in client.get("/api/v1/search/").json()["data"].as_array().unwrap() {
        roots.push(node["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(roots, ["a", "b"]);
    assert_eq!(client.get("/api/v1/array/full/a/wave?slice=:2").body.len(), 16);
    let tables = client.get("/api/v1/metadata/b/tables").json();
    assert_eq!(tables["data"]["attributes"]["metadata"]["color"], "red");
    assert_eq!(client.get("/api/v1/metadata/b/tables/weather").status, 200);
    server.end();
}
