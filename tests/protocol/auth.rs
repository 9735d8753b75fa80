//! Who may come in.

use tiled_tests::{Access, KEY, Server, example_data};

#[test]
fn a_private_server_asks_for_the_key() {
    let data = example_data();
    let server = Server::directory(data.path(), Access::Private);
    let stranger = server.client();
    let answer = stranger.get("/api/v1/metadata/");
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.detail(),
        "Not enough permissions. Requires scopes ['read:metadata']. Request had scopes []"
    );
    assert_eq!(answer.header("x-tiled-root"), format!("{}/api/v1", server.url()));
    assert_eq!(stranger.get("/api/v1/array/full/arrays/wave").status, 401);
    assert_eq!(stranger.get("/api/v1/array/full/nothing").status, 401, "what is there is not told");
    assert_eq!(stranger.get("/api/v1/").json()["authentication"]["required"], true);
    server.end();
}

#[test]
fn the_key_opens_as_header_query_and_cookie() {
    let data = example_data();
    let server = Server::directory(data.path(), Access::Private);
    assert_eq!(server.owner().get("/api/v1/metadata/").status, 200);
    let stranger = server.client();
    let by_query = stranger.get(&format!("/api/v1/metadata/?api_key={KEY}"));
    assert_eq!(by_query.status, 200);
    let cookie = format!("tiled_api_key={KEY}");
    assert_eq!(stranger.get_with("/api/v1/metadata/", &[("cookie", &cookie)]).status, 200);
    for (name, value) in
        [("authorization", "Apikey wrong"), ("authorization", "Bearer x"), ("cookie", "tiled_api_key=x")]
    {
        assert_eq!(stranger.get_with("/api/v1/metadata/", &[(name, value)]).status, 401, "{value}");
    }
    assert_eq!(stranger.get_with("/api/v1/metadata/", &[("authorization", "nonsense")]).status, 400);
    server.end();
}

#[test]
fn a_wrong_key_is_refused_also_where_none_is_needed() {
    let data = example_data();
    let server = Server::directory(data.path(), Access::Public);
    let stranger = server.client();
    assert_eq!(stranger.get("/api/v1/metadata/").status, 200);
    let answer = stranger.get("/api/v1/metadata/?api_key=wrong");
    assert_eq!((answer.status, answer.detail()), (401, "Invalid API key".into()));
    server.end();
}
