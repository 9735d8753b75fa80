//! Making, changing and deleting nodes of a catalog.

use serde_json::{Value, json};
use tempfile::TempDir;
use tiled_tests::{Access, Client, Server, configuration, writable_tree};

/// A server with an empty catalog and a folder for data.
pub(super) struct Lab {
    pub server: Server,
    pub folder: TempDir,
}

impl Lab {
    pub fn open() -> Self {
        Self::configured("", "")
    }

    /// `top` goes before the tree, `args` into it.
    pub fn configured(top: &str, args: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trees = writable_tree(folder.path(), args);
        let server = Server::config(&format!("{top}\n{}", configuration(Access::Public, &trees)));
        Lab { server, folder }
    }

    pub fn owner(&self) -> Client {
        self.server.owner()
    }

    pub fn end(self) {
        self.server.end();
    }
}

pub(super) fn container(key: &str) -> Value {
    json!({"id": key, "structure_family": "container", "metadata": {"color": "red", "n": 1}, "specs": [],
           "data_sources": []})
}

/// A table of one column of numbers.
pub(super) fn table(key: &str, partitions: u64) -> Value {
    let structure = json!({"arrow_schema": super::writing_values::schema_uri(), "npartitions": partitions,
                           "columns": ["a"], "resizable": false});
    json!({"id": key, "structure_family": "table", "metadata": {}, "specs": [], "access_tags": null,
           "data_sources": [{"structure_family": "table", "structure": structure, "id": null, "mimetype": null,
                             "parameters": {}, "properties": {}, "assets": [], "management": "writable"}]})
}

fn metadata(client: &Client, path: &str) -> Value {
    client.get(&format!("/api/v1/metadata/{path}")).json()["data"]["attributes"]["metadata"].clone()
}

#[test]
fn a_node_is_made_once_and_found_at_once() {
    let lab = Lab::open();
    let owner = lab.owner();
    assert_eq!(owner.get("/api/v1/metadata/").json()["data"]["attributes"]["structure"]["count"], 0);
    let made = owner.post("/api/v1/metadata/", &container("exp")).json();
    assert_eq!(
        (&made["id"], &made["access_tags"], &made["data_sources"]),
        (&json!("exp"), &json!([]), &json!([]))
    );
    assert_eq!(made["links"]["self"], format!("{}/api/v1/metadata/exp", lab.server.url()));
    assert_eq!(owner.get("/api/v1/metadata/").json()["data"]["attributes"]["structure"]["count"], 1);
    let again = owner.post("/api/v1/metadata/", &container("exp"));
    assert_eq!((again.status, again.detail()), (409, json!("/exp")));
    owner.post("/api/v1/metadata/exp", &container("run")).json();
    let again = owner.post("/api/v1/metadata/exp", &container("run"));
    assert_eq!((again.status, again.detail()), (409, json!("/exp/run")));
    assert_eq!(metadata(&lab.server.client(), "exp/run"), json!({"color": "red", "n": 1}));
    let mut unnamed = container("");
    unnamed["id"] = Value::Null;
    let key = owner.post("/api/v1/metadata/exp", &unnamed).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(owner.get(&format!("/api/v1/metadata/exp/{key}")).status, 200);
    lab.end();
}

#[test]
fn strangers_and_nodes_that_hold_no_nodes_are_refused_before_anything_is_made() {
    let lab = Lab::open();
    let refused = lab.server.client().post("/api/v1/metadata/", &container("x"));
    assert_eq!(refused.status, 401);
    let detail = refused.detail();
    assert!(detail.as_str().unwrap().contains("['write:metadata', 'create:node']"), "{detail}");
    let owner = lab.owner();
    owner.post("/api/v1/metadata/", &table("t", 1)).json();
    assert_eq!(owner.post("/api/v1/metadata/t", &container("x")).status, 405);
    let outside = json!({"id": "outside", "structure_family": "table", "data_sources": [
        {"structure_family": "table", "structure": table("x", 1)["data_sources"][0]["structure"],
         "mimetype": "text/csv", "management": "external",
         "assets": [{"data_uri": "file://localhost/etc/passwd", "is_directory": false, "parameter": "data_uris",
                     "num": 0}]}]});
    let refused = owner.post("/api/v1/metadata/", &outside);
    assert_eq!((refused.status, refused.detail().as_str().unwrap().contains("register")), (400, true));
    // As with Tiled it may be registered, and is not read.
    owner.post("/api/v1/register/", &outside).json();
    assert_eq!(owner.get("/api/v1/table/full/outside").status, 403);
    let asset = &owner.get("/api/v1/metadata/outside?include_data_sources=true").json()["data"]["attributes"]
        ["data_sources"][0]["assets"][0]["id"];
    assert_eq!(owner.get(&format!("/api/v1/asset/bytes/outside?id={asset}")).status, 403);
    let mut unknown = outside;
    unknown["id"] = json!("x");
    unknown["data_sources"][0]["mimetype"] = json!("image/bogus");
    assert_eq!(
        owner.post("/api/v1/register/", &unknown).detail(),
        "The given data source mimetype, image/bogus, is not one that the Tiled server knows how to read."
    );
    let mut unknown = table("x", 1);
    unknown["data_sources"][0]["mimetype"] = json!("image/bogus");
    let refused = owner.post("/api/v1/metadata/", &unknown);
    assert_eq!(refused.status, 415);
    assert!(refused.detail().as_str().unwrap().ends_with("knows how to write."));
    let page = owner.get("/api/v1/search/?fields=").json();
    // `t` and `outside`.
    assert_eq!(page["data"].as_array().unwrap().len(), 2, "{page}");
    lab.end();
}

#[test]
fn documents_that_make_no_sense_are_422_and_never_500() {
    let lab = Lab::configured("reject_undeclared_specs = true\nspecs = [{ spec = \"known\" }]", "");
    let owner = lab.owner();
    let bad = |change: fn(&mut Value)| {
        let mut document = container("x");
        change(&mut document);
        owner.post("/api/v1/metadata/", &document).status
    };
    assert_eq!(bad(|d| d["structure_family"] = json!("picture")), 422);
    assert_eq!(bad(|d| d["metadata"] = json!([1])), 422);
    assert_eq!(bad(|d| d["id"] = json!("a/b")), 422);
    assert_eq!(bad(|d| d["specs"] = json!([{"name": "known"}, {"name": "known"}])), 422);
    assert_eq!(bad(|d| d["specs"] = json!([{"name": "x".repeat(256)}])), 422);
    assert_eq!(bad(|d| d["specs"] = (0..21).map(|i| json!({"name": format!("s{i}")})).collect()), 422);
    assert_eq!(bad(|d| d["specs"] = json!([{"name": "unheard-of"}])), 400);
    assert_eq!(bad(|d| d["structure_family"] = json!("array")), 422);
    let mut two = table("x", 1);
    two["data_sources"][0]["surprise"] = json!(1);
    assert_eq!(owner.post("/api/v1/metadata/", &two).status, 422);
    let mut none = table("x", 1);
    none["data_sources"][0]["structure"]["npartitions"] = json!(0);
    assert_eq!(owner.post("/api/v1/metadata/", &none).status, 422);
    assert_eq!(owner.send("POST", "/api/v1/metadata/", &[], b"{").status, 422);
    assert_eq!(owner.send("POST", "/api/v1/metadata/", &[], b"").status, 422);
    let mut good = container("x");
    good["specs"] = json!([{"name": "known", "version": null}]);
    assert_eq!(owner.post("/api/v1/metadata/", &good).status, 200);
    lab.end();
}

#[test]
fn metadata_are_replaced_and_patched_and_former_ones_kept() {
    let lab = Lab::open();
    let owner = lab.owner();
    owner.post("/api/v1/metadata/", &container("x")).json();
    let change = |method: &str, body: Value| owner.send_json(method, "/api/v1/metadata/x", &body);
    assert_eq!(change("PUT", json!({"metadata": {"a": 1}})).json(), json!({"id": "x"}));
    let merge = json!({"content-type": "application/merge-patch+json", "metadata": {"b": {"c": 2}, "a": null},
                       "specs": null});
    change("PATCH", merge).json();
    assert_eq!(metadata(&owner, "x"), json!({"b": {"c": 2}}));
    let patch = json!({"content-type": "application/json-patch+json",
                       "metadata": [{"op": "add", "path": "/b/d", "value": 3}],
                       "specs": [{"op": "add", "path": "/0", "value": {"name": "s", "version": null}}]});
    change("PATCH", patch).json();
    let node = owner.get("/api/v1/metadata/x").json();
    assert_eq!(node["data"]["attributes"]["metadata"], json!({"b": {"c": 2, "d": 3}}));
    assert_eq!(node["data"]["attributes"]["specs"], json!([{"name": "s", "version": null}]));
    let failing = json!({"content-type": "application/json-patch+json",
                         "metadata": [{"op": "remove", "path": "/none"}], "specs": null});
    assert_eq!(change("PATCH", failing).status, 422);
    assert_eq!(
        change("PATCH", json!({"content-type": "text/plain", "metadata": {}, "specs": null})).status,
        406
    );
    assert_eq!(
        change("PATCH", json!({"content-type": "application/merge-patch+json", "metadata": {}})).status,
        422
    );
    let page = owner.get("/api/v1/revisions/x?page[limit]=2").json();
    assert_eq!((&page["meta"]["count"], page["data"].as_array().unwrap().len()), (&json!(3), 2));
    assert_eq!(page["data"][0]["attributes"]["metadata"], json!({"color": "red", "n": 1}));
    assert!(page["links"]["next"].as_str().unwrap().contains("page[offset]=2"), "{page}");
    assert!(page["data"][0]["attributes"]["time_updated"].as_str().unwrap().contains('T'));
    assert_eq!(owner.delete("/api/v1/revisions/x?number=1").json(), Value::Null);
    let gone = owner.delete("/api/v1/revisions/x?number=1");
    assert_eq!(
        (gone.status, gone.detail().as_str().unwrap().starts_with("No revision 1 for node")),
        (404, true)
    );
    owner.send_json("PUT", "/api/v1/metadata/x?drop_revision=true", &json!({"metadata": {}})).json();
    assert_eq!(owner.get("/api/v1/revisions/x").json()["meta"]["count"], 2);
    lab.end();
}

#[test]
fn of_many_changes_at_once_none_is_lost() {
    let lab = Lab::open();
    lab.owner().post("/api/v1/metadata/", &container("x")).json();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let owner = lab.owner();
            scope.spawn(move || {
                for i in 0..10 {
                    let patch = json!({"content-type": "application/merge-patch+json",
                                       "metadata": {format!("{writer}-{i}"): i}, "specs": null});
                    owner.send_json("PATCH", "/api/v1/metadata/x", &patch).json();
                }
            });
        }
    });
    assert_eq!(metadata(&lab.owner(), "x").as_object().unwrap().len(), 2 + 80);
    assert_eq!(lab.owner().get("/api/v1/revisions/x?page[limit]=0").json()["meta"]["count"], 80);
    lab.end();
}

#[test]
fn nothing_is_deleted_by_mistake() {
    let lab = Lab::open();
    let owner = lab.owner();
    owner.post("/api/v1/metadata/", &container("x")).json();
    owner.post("/api/v1/metadata/x", &table("t", 1)).json();
    let refused = owner.delete("/api/v1/metadata/x");
    assert_eq!((refused.status, refused.detail().as_str().unwrap().contains("recursive=True")), (409, true));
    let refused = owner.delete("/api/v1/metadata/x?recursive=true");
    assert_eq!(
        (refused.status, refused.detail().as_str().unwrap().contains("external_only=False")),
        (409, true)
    );
    let data = lab.folder.path().join("data");
    assert!(data.join("x/t").exists());
    assert_eq!(owner.delete("/api/v1/metadata/x?recursive=true&external_only=false").json(), Value::Null);
    assert!(!data.join("x/t").exists(), "the data are gone with their rows");
    assert_eq!(owner.get("/api/v1/metadata/x").status, 404);
    assert_eq!(lab.server.client().delete("/api/v1/metadata/x").status, 401);
    lab.end();
}

#[test]
fn files_that_are_there_are_registered_and_never_removed() {
    let lab = Lab::open();
    let owner = lab.owner();
    let file = lab.folder.path().join("data/mine.csv");
    std::fs::write(&file, "a\n1\n2\n").unwrap();
    let mut document = table("mine", 1);
    document["data_sources"][0]["mimetype"] = json!("text/csv");
    document["data_sources"][0]["management"] = json!("external");
    let asset = |path: &std::path::Path| {
        json!({"data_uri": format!("file://localhost{}", path.display()), "is_directory": false,
               "parameter": "data_uris", "num": 0})
    };
    document["data_sources"][0]["assets"] = json!([asset(&file)]);
    let made = owner.post("/api/v1/register/", &document).json();
    assert_eq!(owner.get("/api/v1/table/full/mine?format=csv").text(), "a\n1\n2\n");
    let id = made["data_sources"][0]["id"].clone();
    let mut source = document["data_sources"][0].clone();
    source["id"] = json!(77);
    let refused = owner.send_json("PUT", "/api/v1/data_source/mine", &json!({"data_source": source}));
    assert_eq!((refused.status, refused.detail()), (404, json!("No data_source 77 on this node.")));
    source["id"] = id;
    source["structure"]["npartitions"] = json!(2);
    let more = lab.folder.path().join("data/more.csv");
    std::fs::write(&more, "a\n3\n").unwrap();
    source["assets"][0] = asset(&more);
    source["assets"][0]["num"] = json!(1);
    let url = "/api/v1/data_source/mine";
    assert_eq!(owner.send_json("PUT", url, &json!({"data_source": source})).status, 200);
    let half = owner.send_json("PUT", &format!("{url}?patch_shape=1"), &json!({"data_source": source}));
    assert_eq!(half.status, 400);
    assert_eq!(owner.get("/api/v1/table/full/mine?format=csv").text(), "a\n1\n2\n3\n");
    let assets = owner.get("/api/v1/metadata/mine?include_data_sources=true").json();
    let asset = assets["data"]["attributes"]["data_sources"][0]["assets"][1]["id"].to_string();
    let gone = owner.delete(&format!("/api/v1/asset/mine?id={asset}")).json();
    assert_eq!(gone, json!({"asset_deleted": true, "data_deleted": false}));
    assert_eq!(owner.delete(&format!("/api/v1/asset/mine?id={asset}")).status, 404);
    assert_eq!(owner.delete("/api/v1/metadata/mine").json(), Value::Null);
    assert!(file.exists() && more.exists());
    lab.end();
}

#[test]
fn a_folder_that_is_served_is_not_written() {
    let example = super::Example::serve();
    let owner = example.server.owner();
    let refused = owner.post("/api/v1/metadata/arrays", &container("x"));
    assert_eq!((refused.status, refused.detail()), (405, json!("Data cannot be written at the path arrays")));
    let change = owner.send_json("PUT", "/api/v1/metadata/arrays/wave", &json!({"metadata": {}}));
    assert_eq!(change.detail(), "This node does not support update of metadata.");
    let delete = owner.delete("/api/v1/metadata/arrays/wave");
    assert_eq!((delete.status, delete.detail()), (405, json!("This node does not support deletion.")));
    let put = owner.put("/api/v1/array/full/arrays/wave", "application/octet-stream", &[0; 4000]);
    assert_eq!((put.status, put.detail()), (405, json!("This node cannot accept array data.")));
    example.end();
}

#[test]
fn a_mount_node_is_made_where_that_is_wished() {
    let lab = Lab::configured("create_mount_nodes_if_not_exist = true", "mount_node = \"/lab/shift\"");
    let owner = lab.owner();
    owner.post("/api/v1/metadata/", &table("t", 1)).json();
    assert_eq!(owner.get("/api/v1/metadata/t").status, 200);
    assert!(lab.folder.path().join("data/lab/shift/t").exists());
    lab.end();
}

#[test]
fn a_cookie_alone_changes_nothing() {
    let lab = Lab::open();
    let client = lab.server.client();
    let make = |headers: &[(&str, &str)], query: &str| {
        let headers = [&[("content-type", "application/json")], headers].concat();
        let body = container("x").to_string();
        client.send("POST", &format!("/api/v1/metadata/{query}"), &headers, body.as_bytes()).status
    };
    assert_eq!(make(&[("cookie", "tiled_api_key=secret")], ""), 403);
    assert_eq!(make(&[("cookie", "tiled_api_key=secret; tiled_csrf=abc")], ""), 403);
    assert_eq!(make(&[("cookie", "tiled_api_key=secret; tiled_csrf=abc"), ("x-csrf", "abd")], ""), 403);
    assert_eq!(make(&[("cookie", "tiled_api_key=secret; tiled_csrf=abc"), ("x-csrf", "abc")], ""), 200);
    assert_eq!(make(&[("cookie", "tiled_api_key=secret; tiled_csrf=abc")], "?csrf=abc"), 409);
    lab.end();
}

#[test]
fn a_node_can_be_declared_complete() {
    let lab = Lab::open();
    let owner = lab.owner();
    owner.post("/api/v1/metadata/", &container("run")).json();
    assert_eq!(owner.delete("/api/v1/stream/close/run").json(), Value::Null);
    assert_eq!(owner.delete("/api/v1/stream/close/none").status, 404);
    assert_eq!(lab.server.client().delete("/api/v1/stream/close/run").status, 401);
    lab.end();
}
