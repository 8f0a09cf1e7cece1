//! What the matrix tries besides mutations: each query, and where each type of a project's data is read.

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
    ("Experiment", "model(path: \"{p}/ocr\") { defaultExperiment { {f} } }"),
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
    ("EmbedToken", "project(path: \"{p}\") { embedTokens { {f} } }"),
    ("Webhook", "project(path: \"{p}\") { webhooks { {f} } }"),
    ("WebhookDelivery", "project(path: \"{p}\") { webhooks { deliveries { nodes { {f} } } } }"),
    (
        "WebhookAttempt",
        "project(path: \"{p}\") { webhooks { deliveries { nodes { attempts { {f} } } } } }",
    ),
    ("Tag", "model(path: \"{p}/ocr\") { tags { {f} } }"),
    ("Param", "model(path: \"{p}/ocr\") { candidate(number: 1) { params { {f} } } }"),
    ("Metric", "model(path: \"{p}/ocr\") { candidate(number: 1) { metrics { {f} } } }"),
    (
        "UnfinishedUpload",
        "model(path: \"{p}/ocr\") { candidate(number: 1) { unfinishedUploads { {f} } } }",
    ),
    (
        "NameWarning",
        "model(path: \"{p}/ocr\") { version(ref: \"1.0.0\") { nameWarnings { {f} } } }",
    ),
    ("PromptTemplate", "model(path: \"{p}/ocr\") { version(ref: \"0.9.0\") { prompt { {f} } } }"),
    (
        "PromptMessage",
        "model(path: \"{p}/ocr\") { version(ref: \"0.9.0\") { prompt { messages { {f} } } } }",
    ),
    (
        "MetricPoint",
        "model(path: \"{p}/ocr\") { candidate(number: 1) { metricHistory(name: \"loss\") { nodes { {f} } } } }",
    ),
];

/// What is no project's, and so has no line for each field.
pub const OTHER_TYPES: [&str; 21] = [
    "Query",
    "Mutation",
    "Subscription",
    "PageInfo",
    "User",
    "Session",
    "Invitation",
    "NewInvitation",
    "Allowance",
    "SignInMethods",
    "SingleSignOn",
    "StorageRule",
    "StoragePreview",
    "StorageFlow",
    "Storage",
    "SweepPreview",
    "SweepAmount",
    "Scrub",
    "DamagedFile",
    "Replica",
    "OpenUpload",
];

pub const QUERIES: &[(&str, &str)] = &[
    ("serverVersion", "serverVersion"),
    ("hasRoom", "hasRoom"),
    ("allowance", "allowance { createProjects }"),
    ("signInMethods", "signInMethods { password awaitsAdmin required }"),
    ("viewer", "viewer { id }"),
    ("user", "user(username: \"owner\") { id }"),
    ("users", "users { totalCount nodes { username } }"),
    ("invitation", "invitation(secret: \"mri_none\") { username }"),
    ("project", "project(path: \"{p}\") { id }"),
    ("projects", "projects(search: \"{p}\") { totalCount nodes { path } }"),
    ("model", "model(path: \"{p}/ocr\") { id }"),
    ("modelsByPath", "modelsByPath(paths: [\"{p}/ocr\"]) { id }"),
    ("models", "models(filter: \"tags.home = '{p}'\") { totalCount nodes { path } }"),
    ("modelFacet", "modelFacet(of: TAG, filter: \"tags.home = '{p}'\") { value count }"),
    ("events", "events { totalCount nodes { id } }"),
    ("webhooks", "webhooks { id }"),
    ("storageRules", "storageRules { storage }"),
    ("storagePreview", "storagePreview { isComplete }"),
    ("storages", "storages { location isReachable fileCount lostCount }"),
    ("sweepPreview", "sweepPreview { unused { count } keepDays }"),
    ("scrub", "scrub { rate uncheckedCount lastCheckAt }"),
    ("damagedFiles", "damagedFiles { totalCount nodes { sha256 files } }"),
    ("replicas", "replicas { id name version }"),
    (
        "openUploads",
        "openUploads { totalCount nodes { id address project { path } user { username } } }",
    ),
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
