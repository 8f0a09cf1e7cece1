"""From a token to a model in use, with nothing but a shell, curl and tar, as a person pastes it."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from registry import BINARY, ENVIRONMENT, Refused, Server, contents_of, repr_digest, sha256_of, version_digest

MODEL_BYTES = os.urandom(3_000_000)


class Shell:
    """A person's terminal: ./data is the registry's, `model-registry` is on the PATH, and there are
    $REGISTRY, $FILES and $AUTH to paste."""

    def __init__(self, folder: Path, server: Server):
        self.folder, self.server = folder, server
        (folder / "bin").mkdir()
        (folder / "bin" / "model-registry").symlink_to(BINARY)
        (folder / "data").symlink_to(server.data)
        # Neither a proxy nor a ~/.curlrc of the machine's is in the way.
        self.environment = {name: value for name, value in ENVIRONMENT.items() if "proxy" not in name.lower()}
        self.environment |= {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "CURL_HOME": str(folder),
            "HOME": str(folder),
        }
        self.environment |= {"REGISTRY": server.url, "FILES": f"{server.url}/files", "LC_ALL": "C.UTF-8"}

    def __call__(self, script: str, **variables: str) -> str:
        """What a script prints; it must succeed and say nothing on standard error."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        assert done.stderr == "", f"{script}\n{done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def shell(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A terminal with a token and with vision/ocr 1.2.0 published: what the other tests build upon."""
    shell = Shell(tmp_path_factory.mktemp("home"), server)
    (shell.folder / "model.onnx").write_bytes(MODEL_BYTES)
    token = shell("model-registry token --user admin --name ci --data ./data")
    shell.environment["AUTH"] = f"Authorization: Bearer {token}"
    for mutation in [
        'createProject(input: {path: "vision", name: "Vision"}) { project { path } }',
        'createModel(input: {project: "vision", name: "ocr"}) { model { path } }',
        'createModelVersion(input: {model: "vision/ocr", version: "1.2.0"}) { modelVersion { state } }',
    ]:
        graphql(shell, f"mutation {{ {mutation} }}")
    shell('curl -fsS -H "$AUTH" -T model.onnx $FILES/vision/ocr/1.2.0/onnx/model.onnx')
    # A folder at the end of an address: curl adds the name. A dash: curl sends what comes through a pipe.
    shell('echo "{}" >config.json')
    shell('curl -fsS -H "$AUTH" -T config.json $FILES/vision/ocr/1.2.0/')
    shell('echo "a b c" | curl -fsS -H "$AUTH" -T - $FILES/vision/ocr/1.2.0/vocab.txt')
    graphql(
        shell,
        """mutation {
        publishModelVersion(input: {model: "vision/ocr", version: "1.2.0"}) { modelVersion { digest } }
        setAlias(input: {model: "vision/ocr", name: "champion", version: "1.2.0"}) { alias { name } } }""",
    )
    return shell


def graphql(shell: Shell, query: str) -> dict:
    """GraphQL with curl."""
    script = 'curl -fsS $REGISTRY/graphql -H "$AUTH" -H "Content-Type: application/json" -d "$BODY"'
    answer = json.loads(shell(script, BODY=json.dumps({"query": query})))
    if answer.get("errors"):
        raise Refused(answer["errors"][0])
    return answer["data"]


def test_a_token_is_one_line_to_be_used_at_once(shell: Shell):
    token = shell("model-registry token --user admin --name second --data ./data")
    answer = shell(
        """curl -fsS $REGISTRY/graphql -H "Authorization: Bearer $SECOND" \\
             -H 'Content-Type: application/json' \\
             -d '{"query": "{ viewer { username isAdmin tokens { name } } }"}'""",
        SECOND=token,
    )
    viewer = json.loads(answer)["data"]["viewer"]
    assert (viewer["username"], viewer["isAdmin"]) == ("admin", True)
    assert {"name": "second"} in viewer["tokens"]
    assert "\n" not in token


def test_the_published_model_comes_back_by_its_alias(shell: Shell):
    shell(
        """mkdir down && cd down
           curl -fsS -H "$AUTH" -O $FILES/vision/ocr/@champion/onnx/model.onnx
           cmp model.onnx ../model.onnx"""
    )


@pytest.mark.parametrize("reference", ["1.2.0", "^1.2", "~1.2.0", "@champion", "latest"])
def test_a_file_comes_back_by_every_kind_of_reference(shell: Shell, reference: str):
    found = shell(
        'curl -fsS -H "$AUTH" "$FILES/vision/ocr/$REF/onnx/model.onnx" | sha256sum',
        REF=reference,
    )
    assert found.split()[0] == sha256_of(shell.folder / "model.onnx")


def test_a_whole_folder_is_unpacked_with_tar(shell: Shell):
    shell('mkdir all && curl -fsS -H "$AUTH" "$FILES/vision/ocr/@champion?archive=tar" | tar x -C all')
    version = graphql(
        shell, '{ model(path: "vision/ocr") { version(ref: "@champion") { digest fileCount } } }'
    )["model"]["version"]
    fetched = contents_of(shell.folder / "all")
    assert list(fetched) == ["config.json", "onnx/model.onnx", "vocab.txt"]
    assert version == {"digest": version_digest(fetched), "fileCount": 3}


def test_a_download_gets_its_name_from_the_server(shell: Shell):
    shell('mkdir named && cd named && curl -fsSOJ -H "$AUTH" "$FILES/vision/ocr/latest?archive=zip"')
    assert (shell.folder / "named" / "ocr-1.2.0.zip").is_file()


def test_a_download_that_broke_off_is_continued(shell: Shell):
    shell(
        """mkdir part && cd part && head -c 1234567 ../model.onnx >model.onnx
           curl -fsS -H "$AUTH" -C - -O $FILES/vision/ocr/@champion/onnx/model.onnx
           cmp model.onnx ../model.onnx"""
    )


def test_what_is_here_already_is_not_fetched_again(shell: Shell):
    status = shell(
        """curl -fsS -H "$AUTH" --etag-save etag -o first $FILES/vision/ocr/latest/config.json
           curl -fsS -H "$AUTH" --etag-compare etag -o second -w '%{http_code} %{size_download}' \\
             $FILES/vision/ocr/latest/config.json"""
    )
    assert status == "304 0"


def test_a_folder_is_published_with_a_loop_and_the_alias_moves_to_it(shell: Shell):
    """Twice, numbered by the server: `@champion` serves the new bytes, and 1.0.0 the old."""
    graphql(shell, 'mutation { createModel(input: {project: "vision", name: "reader"}) { model { path } } }')
    for expected in ["1.0.0", "1.0.1"]:
        made = graphql(
            shell,
            """mutation { createModelVersion(input: {model: "vision/reader"}) {
            modelVersion { version } } }""",
        )
        version = made["createModelVersion"]["modelVersion"]["version"]
        assert version == expected
        shell(
            """mkdir -p reader/onnx && echo {} >reader/config.json
               echo "weights of $VERSION" >reader/onnx/model.onnx
               cd reader && find * -type f -exec \\
                 curl -fsS -o /dev/null -H "$AUTH" -T {} $FILES/vision/reader/$VERSION/{} \\;""",
            VERSION=version,
        )
        done = graphql(
            shell,
            f"""mutation {{
            publishModelVersion(input: {{model: "vision/reader", version: "{version}"}}) {{
              modelVersion {{ digest }} }}
            setAlias(input: {{model: "vision/reader", name: "champion", version: "{version}"}}) {{
              alias {{ version {{ version }} history {{ ref by {{ username }} }} }} }} }}""",
        )
        digest = version_digest(contents_of(shell.folder / "reader"))
        assert done["publishModelVersion"]["modelVersion"]["digest"] == digest
    assert done["setAlias"]["alias"] == {
        "version": {"version": "1.0.1"},
        "history": [{"ref": ref, "by": {"username": "admin"}} for ref in ("1.0.1", "1.0.0")],
    }
    fetch = 'curl -fsS -H "$AUTH" $FILES/vision/reader/$REF/onnx/model.onnx'
    assert shell(fetch, REF="@champion") == "weights of 1.0.1"
    assert shell(fetch, REF="1.0.0") == "weights of 1.0.0"


# By code and field of the refusal.
WRONG_MUTATIONS = {
    ("INVALID", "path"): [
        'createProject(input: {path: "Vision!"}) { project { path } }',
        'createProject(input: {path: "graphql"}) { project { path } }',
    ],
    ("INVALID", "name"): [
        'createModel(input: {project: "vision", name: "a/b"}) { model { path } }',
        'setAlias(input: {model: "vision/ocr", name: "latest", version: "1.2.0"}) { alias { name } }',
    ],
    ("INVALID", "version"): [
        'createModelVersion(input: {model: "vision/ocr", version: "v1.3.0"}) { modelVersion { state } }',
        'createModelVersion(input: {model: "vision/ocr", version: "1.3"}) { modelVersion { state } }',
    ],
    ("INVALID", "key"): ['setTag(input: {model: "vision/ocr", key: "", value: "x"}) { tag { key } }'],
    ("ALREADY_EXISTS", None): [
        'createProject(input: {path: "vision"}) { project { path } }',
        'createModelVersion(input: {model: "vision/ocr", version: "1.2.0"}) { modelVersion { state } }',
    ],
    ("NOT_FOUND", None): [
        'createModel(input: {project: "nowhere", name: "ocr"}) { model { path } }',
        'setAlias(input: {model: "vision/ocr", name: "next", version: "9.9.9"}) { alias { name } }',
    ],
    ("CONFLICT", None): [
        'deleteFile(input: {model: "vision/ocr", version: "1.2.0", path: "config.json"}) { file { path } }',
    ],
}


@pytest.mark.parametrize(
    ("expected", "mutation"),
    [(expected, mutation) for expected, mutations in WRONG_MUTATIONS.items() for mutation in mutations],
)
def test_a_wrong_mutation_is_refused_by_name(shell: Shell, expected: tuple, mutation: str):
    with pytest.raises(Refused) as refused:
        graphql(shell, f"mutation {{ {mutation} }}")
    assert (refused.value.code, refused.value.field) == expected


@pytest.mark.parametrize(
    ("mutation", "named"),
    [
        ('createModel(input: {project: "vision"}) { model { path } }', "name"),
        ('createModel(input: {project: "vision", name: 7}) { model { path } }', "name"),
        ("createEverything { everything }", "createEverything"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_with_a_code_too(shell: Shell, mutation: str, named: str):
    with pytest.raises(Refused) as refused:
        graphql(shell, f"mutation {{ {mutation} }}")
    assert refused.value.code == "INVALID"
    assert named in refused.value.message


# What curl is told, and the field that is wrong.
WRONG_BODIES = {
    """-d '{"query": "{ viewer { name } }"}'""": "content-type",
    """-H 'Content-Type: application/json' -d '{"query": '""": "body",
    """-H 'Content-Type: application/json' -d '["{ viewer { name } }", null, null]'""": "body",
    """-H 'Content-Type: application/json' -d '{"query": "{ viewer "}'""": "query",
}


@pytest.mark.parametrize(("options", "field"), WRONG_BODIES.items())
def test_what_is_no_graphql_request_is_refused_by_name(shell: Shell, options: str, field: str):
    status, answer = refusal(shell, f'{options} -H "$AUTH" "$REGISTRY/graphql"')
    error = answer["errors"][0]
    # In `application/json`, which is what curl takes, an operation that is none is told with status 200.
    expected = 200 if field == "query" else 400
    assert (status, error["extensions"]["code"], error["extensions"].get("field")) == (expected, "INVALID", field)


# By status, code and field of the refusal.
WRONG_TRANSFERS = {
    (401, "UNAUTHENTICATED", None): [
        "-T config.json $FILES/vision/ocr/1.2.0/config.json -H 'Authorization;'",
        "-T config.json $FILES/vision/ocr/1.2.0/config.json -H 'Authorization: Bearer no'",
        "$FILES/vision/ocr/1.2.0/config.json -H 'Authorization;'",
    ],
    (409, "CONFLICT", None): [
        "-T model.onnx $FILES/vision/ocr/1.2.0/config.json",
        "-T model.onnx $FILES/vision/ocr/1.2.0/more.onnx",
    ],
    (404, "NOT_FOUND", None): [
        "-T config.json $FILES/vision/ocr/9.9.9/config.json",
        "-T config.json $FILES/vision/nothing/1.2.0/config.json",
        "-T config.json $FILES/nowhere/ocr/1.2.0/config.json",
        "$FILES/vision/ocr/1.2.0/nothing",
        "$FILES/vision/ocr/@nobody/config.json",
        "$FILES/vision/ocr/^3/config.json",
        "$FILES/vision/ocr/candidate:7/config.json",
    ],
    (400, "INVALID", "path"): [
        "-T config.json $FILES/vision/ocr/2.0.0/a//b",
        "-T config.json $FILES/vision/ocr/2.0.0/a%5Cb",
        "-T config.json $FILES/vision/ocr/2.0.0/a%00b",
        "-T config.json $FILES/vision/ocr/2.0.0/%252e%252e/e",
        "-T config.json $FILES/vision/ocr/2.0.0/a%ff",
        "-T config.json $FILES/vision/ocr/2.0.0/%2Fetc/passwd",
        "-T config.json --path-as-is $FILES/vision/ocr/2.0.0/../x",
        "-T config.json --path-as-is $FILES/vision/ocr/2.0.0/%2e%2e/x",
    ],
    (400, "INVALID", "content-digest"): [
        "-T config.json $FILES/vision/ocr/2.0.0/x -H 'Content-Digest: sha-256=:AAAA:'",
        "-T config.json $FILES/vision/ocr/2.0.0/x -H 'Content-Digest: none'",
    ],
    (400, "INVALID", "repr-digest"): [
        "-T config.json $FILES/vision/ocr/2.0.0/x -H 'Repr-Digest: sha-256=:AAAA:'",
    ],
    (400, "INVALID", "archive"): ["$FILES/vision/ocr/1.2.0?archive=rar"],
}


@pytest.fixture(scope="module")
def draft(shell: Shell) -> str:
    """A version that nothing but wrong files are sent to."""
    return shell.server.create_version("vision/ocr", "2.0.0")


@pytest.mark.parametrize(
    ("expected", "options"),
    [(expected, options) for expected, transfers in WRONG_TRANSFERS.items() for options in transfers],
)
def test_a_wrong_transfer_is_refused_by_name(shell: Shell, draft: str, expected: tuple, options: str):
    """And nothing of it is kept."""
    token = "" if "Authorization" in options else '-H "$AUTH"'
    status, answer = refusal(shell, f"{options} {token}")
    assert (status, answer["code"], answer.get("field")) == expected
    assert answer["message"]
    assert shell.server.files("vision/ocr", draft) == []


def test_two_digests_are_both_checked(shell: Shell, draft: str):
    digests = (
        f"-H 'Content-Digest: {repr_digest(shell.folder / 'config.json')}' -H 'Repr-Digest: sha-256=:AAAA:'"
    )
    status, answer = refusal(shell, f'-T config.json $FILES/vision/ocr/{draft}/x -H "$AUTH" {digests}')
    assert (status, answer["code"], answer.get("field")) == (400, "INVALID", "repr-digest")


def refusal(shell: Shell, options: str) -> tuple[int, dict]:
    """The status and the JSON of a refused request."""
    *body, status, content_type = shell(
        f"curl -sS -w '\\n%{{http_code}}\\n%{{content_type}}' {options}"
    ).split("\n")
    assert content_type.split(";")[0] == "application/json", body
    return int(status), json.loads("\n".join(body))


def test_a_token_is_only_made_where_a_registry_is(shell: Shell):
    """The message says what is missing, in words."""
    command = ["model-registry", "token", "--name", "ci", "--data", "./nowhere"]
    made = subprocess.run(command, cwd=shell.folder, env=shell.environment, capture_output=True, text=True)
    assert made.returncode != 0
    assert made.stdout == ""
    assert "./nowhere" in made.stderr
    assert not (shell.folder / "nowhere").exists()


def test_a_refused_upload_is_not_sent(shell: Shell):
    """curl asks first (`Expect: 100-continue`): a no must come before the gigabytes do."""
    shell("truncate -s 200M large")
    status, sent = shell(
        """curl -sS -o answer -w '%{http_code} %{size_upload}' -H "$AUTH" \\
             --expect100-timeout 30 -T large $FILES/vision/ocr/1.2.0/large"""
    ).split()
    assert (status, int(sent)) == ("409", 0)
