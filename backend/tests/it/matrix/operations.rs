//! What the matrix tries: each mutation and query, and where each type of a project's data is read.

/// How each mutation is tried: what an administrator lays out before, its fields, and what they take
/// back afterwards. `{p}` is the project, `{n}` a fresh number, `{x}` what was laid out: an id or secret.
pub const MUTATIONS: &[(&str, &str, &str, &str)] = &[
    ("createProject", "", r#"createProject(input: {path: "new-{n}"}) { project { id } }"#, ""),
    (
        "updateProject",
        "",
        r#"updateProject(input: {project: "{p}", description: "d"}) { project { id } }"#,
        "",
    ),
    (
        "updateProject/visibility",
        "",
        r#"updateProject(input: {project: "{p}", visibility: {v}}) { project { id } }"#,
        "",
    ),
    (
        "updateProject/name",
        "",
        r#"updateProject(input: {project: "{p}", name: "{p}"}) { project { id } }"#,
        "",
    ),
    (
        "renameProject",
        "",
        r#"renameProject(input: {project: "{p}", path: "moved-{p}"}) { project { id } }"#,
        r#"renameProject(input: {project: "moved-{p}", path: "{p}"}) { project { id } }"#,
    ),
    (
        "deleteProject",
        "",
        r#"deleteProject(input: {project: "{p}"}) { project { id } }"#,
        RESTORE_PROJECT,
    ),
    (
        "restoreProject",
        r#"deleteProject(input: {project: "{p}"}) { project { id } }"#,
        r#"restoreProject(input: {project: "{p}"}) { project { id } }"#,
        RESTORE_PROJECT,
    ),
    (
        "createModel",
        "",
        r#"createModel(input: {project: "{p}", name: "new-{n}"}) { model { id } }"#,
        "",
    ),
    (
        "updateModel",
        "",
        r#"updateModel(input: {model: "{p}/ocr", description: "d"}) { model { id } }"#,
        "",
    ),
    (
        "renameModel",
        MODEL,
        r#"renameModel(input: {model: "{p}/m-{n}", name: "renamed-{n}"}) { model { id } }"#,
        "",
    ),
    ("deleteModel", MODEL, r#"deleteModel(input: {model: "{p}/m-{n}"}) { model { id } }"#, ""),
    (
        "deleteModel/protected",
        PROTECTED,
        r#"deleteModel(input: {model: "{p}/m-{n}"}) { model { id } }"#,
        "",
    ),
    (
        "restoreModel",
        r#"createModel(input: {project: "{p}", name: "m-{n}"}) { model { id } }
        deleteModel(input: {model: "{p}/m-{n}"}) { model { id } }"#,
        r#"restoreModel(input: {model: "{p}/m-{n}"}) { model { id } }"#,
        "",
    ),
    (
        "createModelVersion",
        "",
        r#"createModelVersion(input: {model: "{p}/ocr", version: "3.{n}.0"}) { modelVersion { id } }"#,
        "",
    ),
    (
        "updateModelVersion",
        "",
        r#"updateModelVersion(input: {model: "{p}/ocr", version: "1.0.0", description: "d"}) { modelVersion { id } }"#,
        "",
    ),
    (
        "publishModelVersion",
        VERSION,
        r#"publishModelVersion(input: {model: "{p}/ocr", version: "4.{n}.0"}) { modelVersion { id } }"#,
        "",
    ),
    (
        "deleteModelVersion",
        VERSION,
        r#"deleteModelVersion(input: {model: "{p}/ocr", version: "4.{n}.0"}) { modelVersion { id } }"#,
        "",
    ),
    (
        "deleteModelVersion/protected",
        PROTECTED,
        r#"deleteModelVersion(input: {model: "{p}/m-{n}", version: "1.0.0"}) { modelVersion { id } }"#,
        "",
    ),
    (
        "restoreModelVersion",
        r#"createModelVersion(input: {model: "{p}/ocr", version: "4.{n}.0"}) { modelVersion { id } }
        deleteModelVersion(input: {model: "{p}/ocr", version: "4.{n}.0"}) { modelVersion { id } }"#,
        r#"restoreModelVersion(input: {model: "{p}/ocr", version: "4.{n}.0"}) { modelVersion { id } }"#,
        "",
    ),
    (
        "createCandidate",
        "",
        r#"createCandidate(input: {model: "{p}/ocr"}) { candidate { id } }"#,
        "",
    ),
    (
        "updateCandidate",
        "",
        r#"updateCandidate(input: {model: "{p}/ocr", candidate: 1, name: "c"}) { candidate { id } }"#,
        "",
    ),
    (
        "deleteCandidate",
        "",
        r#"deleteCandidate(input: {model: "{p}/ocr", candidate: 2}) { candidate { id } }"#,
        r#"restoreCandidate(input: {model: "{p}/ocr", candidate: 2}) { candidate { id } }"#,
    ),
    (
        "restoreCandidate",
        r#"deleteCandidate(input: {model: "{p}/ocr", candidate: 2}) { candidate { id } }"#,
        r#"restoreCandidate(input: {model: "{p}/ocr", candidate: 2}) { candidate { id } }"#,
        r#"restoreCandidate(input: {model: "{p}/ocr", candidate: 2}) { candidate { id } }"#,
    ),
    (
        "promoteCandidate",
        r#"createModel(input: {project: "{p}", name: "m-{n}"}) { model { id } }
        createCandidate(input: {model: "{p}/m-{n}"}) { candidate { id } }"#,
        r#"promoteCandidate(input: {model: "{p}/m-{n}", candidate: 1}) { modelVersion { id } }"#,
        "",
    ),
    (
        "promoteCandidate/run",
        "RUN",
        r#"promoteCandidate(input: {model: "{p}/ocr", runId: "{x}"}) { modelVersion { id } }"#,
        "",
    ),
    (
        "setAlias",
        "",
        r#"setAlias(input: {model: "{p}/ocr", name: "free", version: "1.0.0"}) { alias { id } }"#,
        "",
    ),
    (
        "setAlias/protected",
        "",
        r#"setAlias(input: {model: "{p}/ocr", name: "champion", version: "1.0.0"}) { alias { id } }"#,
        "",
    ),
    (
        "deleteAlias",
        r#"setAlias(input: {model: "{p}/ocr", name: "free", version: "1.0.0"}) { alias { id } }"#,
        r#"deleteAlias(input: {model: "{p}/ocr", name: "free"}) { alias { id } }"#,
        "",
    ),
    (
        "deleteAlias/protected",
        PROTECTED,
        r#"deleteAlias(input: {model: "{p}/m-{n}", name: "champion"}) { alias { id } }"#,
        "",
    ),
    (
        "setTag",
        "",
        r#"setTag(input: {model: "{p}/ocr", key: "k", value: "v"}) { tag { key } }"#,
        "",
    ),
    (
        "deleteTag",
        r#"setTag(input: {model: "{p}/ocr", key: "gone", value: "v"}) { tag { key } }"#,
        r#"deleteTag(input: {model: "{p}/ocr", key: "gone"}) { tag { key } }"#,
        "",
    ),
    (
        "deleteFile",
        "PUT",
        r#"deleteFile(input: {model: "{p}/ocr", candidate: 1, path: "f-{n}"}) { file { path } }"#,
        "",
    ),
    (
        "emptyTrash",
        r#"createModel(input: {project: "{p}", name: "m-{n}"}) { model { id } }
        deleteModel(input: {model: "{p}/m-{n}"}) { model { id } }"#,
        r#"emptyTrash(input: {project: "{p}", item: "{x}"}) { removedCount }"#,
        "",
    ),
    (
        "addMember",
        INVITED,
        r#"addMember(input: {project: "{p}", username: "u{n}", role: MAINTAINER}) { member { id } }"#,
        "",
    ),
    (
        "addMember/owner",
        INVITED,
        r#"addMember(input: {project: "{p}", username: "u{n}", role: OWNER}) { member { id } }"#,
        "",
    ),
    (
        "updateMember",
        MEMBER,
        r#"updateMember(input: {project: "{p}", username: "u{n}", role: DEVELOPER}) { member { id } }"#,
        "",
    ),
    (
        "updateMember/owner",
        OWNER,
        r#"updateMember(input: {project: "{p}", username: "u{n}", role: GUEST}) { member { id } }"#,
        "",
    ),
    (
        "removeMember",
        MEMBER,
        r#"removeMember(input: {project: "{p}", username: "u{n}"}) { member { id } }"#,
        "",
    ),
    (
        "removeMember/owner",
        OWNER,
        r#"removeMember(input: {project: "{p}", username: "u{n}"}) { member { id } }"#,
        "",
    ),
    (
        "protectAlias",
        "",
        r#"protectAlias(input: {project: "{p}", pattern: "p-{n}"}) { protectedAlias { pattern } }"#,
        "",
    ),
    (
        "protectAlias/model",
        "",
        r#"protectAlias(input: {model: "{p}/ocr", pattern: "p-{n}"}) { protectedAlias { pattern } }"#,
        "",
    ),
    (
        "unprotectAlias",
        r#"protectAlias(input: {project: "{p}", pattern: "q-{n}"}) { protectedAlias { pattern } }"#,
        r#"unprotectAlias(input: {project: "{p}", pattern: "q-{n}"}) { protectedAlias { pattern } }"#,
        "",
    ),
    (
        "signIn",
        "",
        r#"signIn(input: {username: "owner", password: "{password}"}) { user { id } }"#,
        "",
    ),
    ("signOut", "", "signOut { signedOut }", ""),
    ("revokeSession", "SESSION", r#"revokeSession(input: {id: "{x}"}) { session { id } }"#, ""),
    ("createToken", "", r#"createToken(input: {name: "t"}) { token { id } }"#, ""),
    (
        "createProjectToken",
        "",
        r#"createProjectToken(input: {project: "{p}", name: "t", role: GUEST}) { token { id } }"#,
        "",
    ),
    (
        "revokeToken",
        r#"createProjectToken(input: {project: "{p}", name: "t", role: GUEST}) { token { id } }"#,
        r#"revokeToken(input: {id: "{x}"}) { token { id } }"#,
        "",
    ),
    ("inviteUser", "", r#"inviteUser(input: {username: "i{n}"}) { user { id } }"#, ""),
    ("resetUser", INVITED, r#"resetUser(input: {username: "u{n}"}) { user { id } }"#, ""),
    ("blockUser", INVITED, r#"blockUser(input: {username: "u{n}"}) { user { id } }"#, ""),
    ("unblockUser", INVITED, r#"unblockUser(input: {username: "u{n}"}) { user { id } }"#, ""),
    ("deleteUser", INVITED, r#"deleteUser(input: {username: "u{n}"}) { user { id } }"#, ""),
    (
        "updateUser",
        INVITED,
        r#"updateUser(input: {username: "u{n}", isAdmin: true}) { user { id } }"#,
        "",
    ),
    ("updateViewer", "", r#"updateViewer(input: {name: "Somebody"}) { user { id } }"#, ""),
    (
        "changePassword",
        "",
        r#"changePassword(input: {currentPassword: "{password}", newPassword: "{password}"}) { user { id } }"#,
        "",
    ),
    (
        "acceptInvitation",
        INVITED,
        r#"acceptInvitation(input: {secret: "{x}", password: "{password}"}) { user { id } }"#,
        "",
    ),
];

const RESTORE_PROJECT: &str = r#"restoreProject(input: {project: "{p}"}) { project { id } }"#;
const MODEL: &str = r#"createModel(input: {project: "{p}", name: "m-{n}"}) { model { id } }"#;
const VERSION: &str =
    r#"createModelVersion(input: {model: "{p}/ocr", version: "4.{n}.0"}) { modelVersion { id } }"#;
const PROTECTED: &str = r#"createModel(input: {project: "{p}", name: "m-{n}"}) { model { id } }
    createModelVersion(input: {model: "{p}/m-{n}", version: "1.0.0"}) { modelVersion { id } }
    setAlias(input: {model: "{p}/m-{n}", name: "champion", version: "1.0.0"}) { alias { id } }"#;
const INVITED: &str = r#"inviteUser(input: {username: "u{n}"}) { invitation { url } }"#;
const MEMBER: &str = r#"inviteUser(input: {username: "u{n}"}) { user { id } }
    addMember(input: {project: "{p}", username: "u{n}", role: GUEST}) { member { id } }"#;
const OWNER: &str = r#"inviteUser(input: {username: "u{n}"}) { user { id } }
    addMember(input: {project: "{p}", username: "u{n}", role: OWNER}) { member { id } }"#;

/// Where the types of a project's data are read, `{f}` standing for the field.
pub const TYPES: &[(&str, &str)] = &[
    ("Project", "project(path: \"{p}\") { {f} }"),
    ("Model", "model(path: \"{p}/ocr\") { {f} }"),
    ("ModelVersion", "model(path: \"{p}/ocr\") { version(ref: \"1.0.0\") { {f} } }"),
    (
        "ModelSignature",
        "model(path: \"{p}/ocr\") { version(ref: \"1.0.0\") { signature { {f} } } }",
    ),
    (
        "SignatureField",
        "model(path: \"{p}/ocr\") { version(ref: \"1.0.0\") { signature { inputs { {f} } outputs { {f} } params { {f} } } } }",
    ),
    ("Candidate", "model(path: \"{p}/ocr\") { candidate(number: 1) { {f} } }"),
    ("CandidateColumns", "model(path: \"{p}/ocr\") { candidateColumns { {f} } }"),
    ("BestMetric", "model(path: \"{p}/ocr\") { bestMetric { {f} } }"),
    ("FacetValue", "project(path: \"{p}\") { modelFacet(of: TAG) { {f} } }"),
    ("Experiment", "model(path: \"{p}/ocr\") { experiment { {f} } }"),
    ("Alias", "model(path: \"{p}/ocr\") { aliases { {f} } }"),
    ("AliasMove", "model(path: \"{p}/ocr\") { aliases { history { {f} } } }"),
    ("ProtectedAlias", "project(path: \"{p}\") { protectedAliases { {f} } }"),
    ("Member", "project(path: \"{p}\") { members { nodes { {f} } } }"),
    (
        "Event",
        "model(path: \"{p}/ocr\") { events(filter: {action: \"tag.set\", refused: false}, first: 1) { nodes { {f} } } }",
    ),
    ("File", "model(path: \"{p}/ocr\") { version(ref: \"1.0.0\") { files { nodes { {f} } } } }"),
    ("TrashEntry", "project(path: \"{p}\") { trash { nodes { {f} } } }"),
    ("Token", "project(path: \"{p}\") { tokens { {f} } }"),
    ("Tag", "model(path: \"{p}/ocr\") { tags { {f} } }"),
    ("Param", "model(path: \"{p}/ocr\") { candidate(number: 1) { params { {f} } } }"),
    ("Metric", "model(path: \"{p}/ocr\") { candidate(number: 1) { metrics { {f} } } }"),
    (
        "UnfinishedUpload",
        "model(path: \"{p}/ocr\") { candidate(number: 1) { unfinishedUploads { {f} } } }",
    ),
    (
        "MetricPoint",
        "model(path: \"{p}/ocr\") { candidate(number: 1) { metricHistory(name: \"loss\") { nodes { {f} } } } }",
    ),
];

/// What is no project's, and so has no line for each field.
pub const OTHER_TYPES: [&str; 10] = [
    "Query",
    "Mutation",
    "Subscription",
    "PageInfo",
    "User",
    "Session",
    "Invitation",
    "NewInvitation",
    "SignInMethods",
    "SingleSignOn",
];

pub const QUERIES: &[(&str, &str)] = &[
    ("serverVersion", "serverVersion"),
    ("signInMethods", "signInMethods { password }"),
    ("viewer", "viewer { id }"),
    ("user", "user(username: \"owner\") { id }"),
    ("users", "users { totalCount nodes { username } }"),
    ("invitation", "invitation(secret: \"mri_none\") { username }"),
    ("project", "project(path: \"{p}\") { id }"),
    ("projects", "projects(search: \"{p}\") { totalCount nodes { path } }"),
    ("model", "model(path: \"{p}/ocr\") { id }"),
    ("models", "models(filter: \"tags.home = '{p}'\") { totalCount nodes { path } }"),
    ("modelFacet", "modelFacet(of: TAG, filter: \"tags.home = '{p}'\") { value count }"),
    ("events", "events { totalCount nodes { id } }"),
    ("renderMarkdown", "renderMarkdown(text: \"x\")"),
];

/// What can be followed.
pub const SUBSCRIPTIONS: &[(&str, &str)] = &[
    ("modelChanged", "modelChanged(model: \"{p}/ocr\") { id }"),
    ("candidateChanged", "candidateChanged(model: \"{p}/ocr\", candidate: 1) { id }"),
    ("runChanged", "runChanged(project: \"{p}\", runId: \"{run}\") { id }"),
    ("candidatesChanged", "candidatesChanged(model: \"{p}/ocr\") { candidates { id } }"),
    ("runsChanged", "runsChanged(project: \"{p}\", experiment: 1) { candidates { id } }"),
];

/// The arguments that fields need.
pub fn arguments(key: &str) -> &'static str {
    match key {
        "Project.model" => "(name: \"ocr\")",
        "Project.experiment" => "(number: 1)",
        "Project.modelFacet" => "(of: TAG)",
        "Project.run" => "(runId: \"{run}\")",
        "Model.version" => "(ref: \"1.0.0\")",
        "Model.candidate" => "(number: 1)",
        "Candidate.metricHistory" | "Candidate.metricCurve" => "(name: \"loss\")",
        _ => "",
    }
}
