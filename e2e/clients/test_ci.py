"""The CI jobs of docs/ci.md: a token of a project publishes what a tag names, and can do nothing elsewhere."""

import re
import subprocess
from pathlib import Path

import pytest
from registry import ENVIRONMENT, Server

PAGE = (Path(__file__).parents[2] / "docs" / "ci.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def job(variable: str) -> str:
    """The line of the job that publishes, as the CI runs it."""
    lines = [line for block in blocks("yaml") for line in block.splitlines() if "publish.sh" in line]
    [line] = [line for line in lines if variable in line]
    return re.sub(r"^\s*- (run: )?", "", line)


@pytest.mark.parametrize(("tag", "variable"), [("2.0.0", "CI_COMMIT_TAG"), ("2.1.0", "GITHUB_REF_NAME")])
def test_a_tag_is_published_with_a_token_of_the_project(server: Server, tmp_path: Path, tag: str, variable: str):
    project = f"ci-{tag.replace('.', '-')}"
    server.create_model(f"{project}/ocr")
    made = server.graphql(
        "mutation($p: String!) { createProjectToken(input: {project: $p, name: \"ci\", role: DEVELOPER}) { secret } }",
        p=project,
    )
    [script] = [block for block in blocks("sh") if "publish.sh MODEL VERSION" in block]
    (tmp_path / "publish.sh").write_text(script)
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"weights")
    environment = ENVIRONMENT | {
        "MODEL_REGISTRY_URL": server.url,
        "MODEL_REGISTRY_TOKEN": made["createProjectToken"]["secret"],
        variable: tag,
    }

    def run(line: str) -> subprocess.CompletedProcess:
        return subprocess.run(["sh", "-euc", line], cwd=tmp_path, env=environment, capture_output=True, text=True)

    line = job(variable).replace("vision/", f"{project}/")
    done = run(line)
    assert done.returncode == 0, done.stderr + done.stdout
    found = server.graphql(
        """query($m: String!) { model(path: $m) { latestVersion {
            version state author { isRobot name } files { nodes { path } } } } }""",
        m=f"{project}/ocr",
    )
    assert found["model"]["latestVersion"] == {
        "version": tag,
        "state": "PUBLISHED",
        "author": {"isRobot": True, "name": "ci"},
        "files": {"nodes": [{"path": "onnx/model.onnx"}]},
    }
    assert run(line).returncode != 0, "a tag is published once"
    elsewhere = run(line.replace(f"{project}/", "elsewhere/"))
    assert elsewhere.returncode != 0 and "NOT_FOUND" in elsewhere.stdout
