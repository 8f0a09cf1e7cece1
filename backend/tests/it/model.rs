use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Server};

fn names(connection: &Value) -> Vec<&str> {
    connection["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_created_changed_renamed_deleted_and_restored() {
    let (server, admin) = Server::with_model().await;
    let update = "mutation { updateModel(input: {model: \"vision/ocr\", description: \"**bold** <script>x</script>\"}) {
        model { path descriptionHtml } } }";
    let model = admin.ok(update, json!({})).await["updateModel"]["model"].take();
    assert_eq!(model["path"], "vision/ocr");
    let html = model["descriptionHtml"].as_str().unwrap();
    assert!(html.contains("<strong>bold</strong>") && !html.contains("script"), "{html}");

    let rename =
        "mutation($name: String!) { renameModel(input: {model: \"vision/ocr\", name: $name}) {
        model { path experiment { name } } } }";
    assert_eq!(admin.refused(rename, json!({ "name": "a/b" })).await.field, "name");
    admin.create_model("taken").await;
    assert_eq!(admin.refused(rename, json!({ "name": "taken" })).await.code, "ALREADY_EXISTS");
    let model = admin.ok(rename, json!({ "name": "läser" })).await["renameModel"]["model"].take();
    assert_eq!(model, json!({"path": "vision/läser", "experiment": {"name": "[model]läser"}}));

    let find =
        "{ old: model(path: \"vision/ocr\") { name } new: model(path: \"vision/läser\") { name }
        project(path: \"vision\") { models(search: \"äse\") { nodes { name } totalCount } } }";
    let found = admin.ok(find, json!({})).await;
    assert_eq!(found["old"]["name"], "läser", "who has the old name still finds it");
    assert_eq!(names(&found["project"]["models"]), ["läser"]);

    let delete =
        "mutation { deleteModel(input: {model: \"vision/läser\"}) { model { id deletedAt } } }";
    let deleted = admin.ok(delete, json!({})).await["deleteModel"]["model"].take();
    let trash = "{ project(path: \"vision\") { modelCount trash { totalCount nodes {
        deletedAt deletedBy { username } item { __typename ... on Model { id name } } } } } }";
    let listed = admin.ok(trash, json!({})).await["project"].take();
    assert_eq!(listed["modelCount"], 1);
    assert_eq!(
        listed["trash"]["nodes"][0]["item"],
        json!({"__typename": "Model", "id": deleted["id"], "name": "läser"})
    );
    assert_eq!(listed["trash"]["nodes"][0]["deletedBy"]["username"], "admin");

    // Its name can be used again; both deleted ones can be told apart by their ids.
    admin.create_model("läser").await;
    let second = admin.ok(delete, json!({})).await["deleteModel"]["model"]["id"].take();
    let restore = "mutation($id: ID) { restoreModel(input: {model: \"vision/läser\", id: $id}) { model { id } } }";
    let restored = admin.ok(restore, json!({ "id": deleted["id"] })).await;
    assert_eq!(restored["restoreModel"]["model"]["id"], deleted["id"]);
    assert_eq!(admin.refused(restore, json!({ "id": second })).await.code, "ALREADY_EXISTS");
    assert_eq!(admin.refused(restore, json!({ "id": deleted["id"] })).await.code, "NOT_FOUND");

    let actions =
        "{ project(path: \"vision\") { events(first: 100) { nodes { action subject } } } }";
    let events = admin.ok(actions, json!({})).await["project"]["events"]["nodes"].take();
    let actions: Vec<&str> =
        events.as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "model.restore",
            "model.delete",
            "model.create",
            "model.delete",
            "model.rename",
            "model.create",
            "model.update",
            "model.create",
            "project.create"
        ]
    );
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_follow_mlflows_rules_and_are_normalised() {
    let (_server, admin) = Server::with_model().await;
    let create = "mutation($name: String!) {
        createModel(input: {project: \"vision\", name: $name}) { model { name } } }";
    let long = "x".repeat(256);
    for name in
        ["", " a", "a ", "a/b", "a:b", "a@b", "a#b", "a?b", "a%b", "a\\b", "a\nb", "a\u{0}", &long]
    {
        let refusal = admin.refused(create, json!({ "name": name })).await;
        assert_eq!(
            (refusal.code.as_str(), refusal.field.as_str()),
            ("INVALID", "name"),
            "{name:?}"
        );
    }
    let model = admin.ok(create, json!({ "name": "cafe\u{301}" })).await;
    assert_eq!(model["createModel"]["model"]["name"], "café");
    assert_eq!(admin.refused(create, json!({ "name": "café" })).await.code, "ALREADY_EXISTS");
    admin.create_model(&"ü".repeat(255)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_searched_filtered_sorted_and_paged_in_both_directions() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.ok(CREATE_PROJECT, json!({ "path": "speech" })).await;
    let create = "mutation($name: String!, $tags: [TagInput!]) {
        createModel(input: {project: \"vision\", name: $name, tags: $tags}) { model { id } } }";
    for (name, team) in
        [("b", "x"), ("B", "y"), ("a", "x"), ("ab_c", "y"), ("ab%".trim_end_matches('%'), "x")]
    {
        admin.ok(create, json!({"name": name, "tags": [{"key": "team", "value": team}]})).await;
    }
    let list =
        "query($s: String, $f: String, $first: Int, $after: String, $last: Int, $before: String,
                      $field: ModelOrderField = NAME, $direction: OrderDirection = ASC) {
        project(path: \"vision\") { models(search: $s, filter: $f, first: $first, after: $after,
            last: $last, before: $before, orderBy: {field: $field, direction: $direction}) {
            nodes { name } edges { cursor } totalCount
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
    let models =
        async |variables: Value| admin.ok(list, variables).await["project"]["models"].take();
    assert_eq!(
        names(&models(json!({})).await),
        ["B", "a", "ab", "ab_c", "b"],
        "by bytes, on every database"
    );
    assert_eq!(names(&models(json!({"direction": "DESC", "first": 2})).await), ["b", "ab_c"]);
    assert_eq!(names(&models(json!({"field": "CREATED_AT"})).await), ["b", "B", "a", "ab_c", "ab"]);
    assert_eq!(names(&models(json!({"s": "B_"})).await), ["ab_c"], "_ is no wildcard");
    assert_eq!(names(&models(json!({"s": "%"})).await), [""; 0], "% is no wildcard");
    assert_eq!(names(&models(json!({"f": "tags.team = 'x'"})).await), ["a", "ab", "b"]);
    assert_eq!(names(&models(json!({"f": "tag.team != 'x' AND name LIKE 'ab%'"})).await), ["ab_c"]);
    assert_eq!(names(&models(json!({"f": "name like 'B'"})).await), ["B"], "LIKE minds the case");
    assert_eq!(names(&models(json!({"f": "name ilike 'B'"})).await), ["B", "b"]);
    assert_eq!(names(&models(json!({"f": "name IN ('a', \"b\")"})).await), ["a", "b"]);
    assert_eq!(names(&models(json!({"f": "tags.`no such` = 'x'"})).await), [""; 0]);

    // Walk forth page by page, then back: the same rows, each once.
    let mut forth = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = models(json!({"first": 2, "after": after})).await;
        forth.extend(names(&page).into_iter().map(str::to_owned));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(forth, ["B", "a", "ab", "ab_c", "b"]);
    let back = models(json!({"last": 2, "before": after})).await;
    assert_eq!(names(&back), ["ab", "ab_c"]);
    assert_eq!(back["pageInfo"]["hasPreviousPage"], true);

    for (variables, field) in [
        (json!({"first": 101}), "first"),
        (json!({"first": -1}), "first"),
        (json!({"first": 1, "last": 1}), "last"),
        (json!({"after": "x"}), "after"),
        (json!({"f": "name ="}), "filter"),
        (json!({"f": "name = 'a' or name = 'b'"}), "filter"),
        (json!({"f": "nonsense = 'a'"}), "filter"),
        (json!({"f": "name = 'a"}), "filter"),
        (json!({"f": "tags = 'a'"}), "filter"),
        (json!({"f": "name = 'a'; DROP TABLE models"}), "filter"),
    ] {
        let refusal = admin.refused(list, variables.clone()).await;
        assert_eq!(
            (refusal.code.as_str(), refusal.field.as_str()),
            ("INVALID", field),
            "{variables}"
        );
    }
    let all = admin.ok("{ models(search: \"ab\") { totalCount } }", json!({})).await;
    assert_eq!(all["models"]["totalCount"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_is_found_whether_the_index_has_it_or_is_to_get_it() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    let change = async |from: usize, to: usize| {
        for number in from..to {
            admin.create_model(&format!("Äpfel-{number}")).await;
        }
    };
    let count = async |text: &str| {
        let query = "query($s: String) { models(search: $s) { totalCount } }";
        admin.ok(query, json!({ "s": text })).await["models"]["totalCount"].as_i64().unwrap()
    };
    let purge = async |number: i32| {
        let path = format!("vision/Äpfel-{number}");
        let delete =
            "mutation($path: String!) { deleteModel(input: {model: $path}) { model { id } } }";
        let id =
            admin.ok(delete, json!({ "path": path })).await["deleteModel"]["model"]["id"].take();
        let purge = "mutation($id: ID!) { emptyTrash(input: {project: \"vision\", item: $id}) { project { path } } }";
        admin.ok(purge, json!({ "id": id })).await;
    };
    change(0, 3).await;
    assert_eq!([count("äPFEL").await, count("äp").await, count("Ä").await], [3; 3]);
    // More than wait for the index.
    change(3, 300).await;
    assert_eq!([count("ÄPFEL-").await, count("äp").await], [300; 2]);
    assert_eq!([count("fel-29").await, count("FEL-299").await], [11, 1]);
    // One that is in the index, and those at its end.
    for number in [7, 299, 298] {
        purge(number).await;
    }
    assert_eq!([count("fel-29").await, count("äpfel-7").await], [9, 10]);
    change(298, 301).await;
    assert_eq!([count("fel-29").await, count("äpfel-30").await], [11, 2]);
    let rename = "mutation($from: String!, $to: String!) {
        renameModel(input: {model: $from, name: $to}) { model { id } } }";
    for number in [1, 300] {
        let from = format!("vision/Äpfel-{number}");
        admin.ok(rename, json!({"from": from, "to": format!("birne-{number}")})).await;
    }
    assert_eq!([count("Birne").await, count("äpfel").await], [2, 298]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_set_replaced_and_deleted() {
    let (_server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let set = "mutation($v: String, $value: String!) { setTag(input:
        {model: \"vision/ocr\", version: $v, key: \"team\", value: $value}) { tag { key value } } }";
    admin.ok(set, json!({"value": "a"})).await;
    admin.ok(set, json!({"value": "b"})).await;
    admin.ok(set, json!({"v": "1.0.0", "value": "c"})).await;
    assert_eq!(admin.refused(set, json!({"value": "x".repeat(100_001)})).await.field, "value");
    assert_eq!(admin.refused(set, json!({"v": "2.0.0", "value": ""})).await.code, "NOT_FOUND");
    let read = "{ model(path: \"vision/ocr\") { tags { key value } version(ref: \"1.0.0\") { tags { value } } } }";
    let model = admin.ok(read, json!({})).await["model"].take();
    assert_eq!(
        model,
        json!({"tags": [{"key": "team", "value": "b"}], "version": {"tags": [{"value": "c"}]}})
    );
    let delete =
        "mutation { deleteTag(input: {model: \"vision/ocr\", key: \"team\"}) { tag { value } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(admin.refused(delete, json!({})).await.code, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_name_that_turns_text_around_is_there_and_no_new_one_is_given() {
    let (server, admin) = Server::with_model().await;
    let create = "mutation($n: String!) { createModel(input: {project: \"vision\", name: $n}) { model { id } } }";
    let turned = "model-\u{202e}xnno.exe";
    let refusal = admin.refused(create, json!({ "n": turned })).await;
    assert_eq!((refusal.code.as_str(), refusal.field.as_str()), ("INVALID", "name"));
    let older = "UPDATE models SET name = 'model-\u{202e}xnno.exe';
        UPDATE projects SET name = 'a\u{200f}b'; UPDATE users SET name = 'c\u{200f}d'";
    server.app.db.run_script(older).await.unwrap();
    // Clients create a model before they register a version of it, and go on where it is there.
    assert_eq!(admin.refused(create, json!({ "n": turned })).await.code, "ALREADY_EXISTS");
    let path = format!("vision/{turned}");
    let version = "mutation($m: String!) { createModelVersion(input: {model: $m}) { modelVersion { version } } }";
    admin.ok(version, json!({ "m": path })).await;
    let project = "mutation($n: String!) { updateProject(input: {project: \"vision\", name: $n, description: \"d\"}) { project { name } } }";
    admin.ok(project, json!({"n": "a\u{200f}b"})).await;
    assert_eq!(admin.refused(project, json!({"n": "\u{200f}b"})).await.field, "name");
    let tag = "mutation($m: String!, $k: String!) { setTag(input: {model: $m, key: $k, value: \"v\"}) { tag { key } } }";
    assert_eq!(admin.refused(tag, json!({ "m": path, "k": turned })).await.field, "key");
}
