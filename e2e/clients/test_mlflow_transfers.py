"""Large files move in parts and side by side, with the stock client and addresses that the server signs."""

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import httpx
import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact import http_artifact_repo
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow_fixtures import CLIENT_SETTINGS, IS_MLFLOW, Project, create_project, use_credentials
from registry import MIB, Server, pieces, remove, sha256_of


def moved(project: Project, file: Path, folder: Path) -> tuple[int, int]:
    """Sends a file up and brings it down, and says in how many parts."""
    upload, download = HttpArtifactRepository._upload_part, http_artifact_repo.download_chunk
    with (
        patch.object(HttpArtifactRepository, "_upload_part", side_effect=upload) as uploads,
        patch.object(http_artifact_repo, "download_chunk", side_effect=download) as downloads,
        # What would have gone up or come down in one piece.
        patch.object(HttpArtifactRepository, "_download_file", side_effect=AssertionError("in one piece")),
        mlflow.start_run() as run,
    ):
        mlflow.log_artifact(str(file), "large")
        down = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path=f"large/{file.name}", dst_path=folder
        )
    [listed] = project.client.list_artifacts(run.info.run_id, "large")
    assert listed.file_size == file.stat().st_size
    assert sha256_of(Path(down)) == sha256_of(file)
    return uploads.call_count, downloads.call_count


@pytest.mark.skipif(IS_MLFLOW, reason="MLflow's own server has no parts for files on its disk")
def test_600_mib_go_up_and_come_down_in_parts(start_server: Callable[..., Server], tmp_path: Path):
    """With the client as it comes: from 500 MiB on, 10 MiB a part up and 100 MiB a part down."""
    server = start_server()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in CLIENT_SETTINGS.items():
            patched.setenv(name, value)
        project = create_project(server, "transfers")
        project.use()
        mlflow.set_experiment("large")
        file = tmp_path / "large.bin"
        with open(file, "wb") as opened:
            opened.writelines(pieces(600))
        assert moved(project, file, tmp_path / "down") == (60, 6)
        assert server.unfinished_uploads() == []
        use_credentials({})
    # It is there once, under its digest.
    assert server.blob(sha256_of(file)).stat().st_size == 600 * MIB
    remove(tmp_path / "down")
    os.unlink(file)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch, ours: Server) -> None:
    """The client takes 12 MiB for large."""
    for direction in ["UPLOAD", "DOWNLOAD"]:
        monkeypatch.setenv(f"MLFLOW_MULTIPART_{direction}_MINIMUM_FILE_SIZE", str(5 * MIB))
        monkeypatch.setenv(f"MLFLOW_MULTIPART_{direction}_CHUNK_SIZE", str(5 * MIB))


def test_a_file_in_parts_is_as_good_as_any(
    project: Project, experiment: str, small_parts: None, tmp_path: Path
):
    file = tmp_path / "weights.bin"
    file.write_bytes(b"".join(pieces(12, seed=7)) + b"odd")
    assert moved(project, file, tmp_path / "down") == (3, 3)


def test_a_model_of_such_files_is_registered_and_fetched(
    project: Project, experiment: str, small_parts: None, tmp_path: Path
):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    (tmp_path / "model" / "weights.bin").write_bytes(b"".join(pieces(11, seed=8)))
    client = project.client
    model = client.create_logged_model(experiment, "large")
    client.log_model_artifacts(model.model_id, str(tmp_path / "model"))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model("large")
    client.create_model_version("large", f"models:/{model.model_id}", model_id=model.model_id)
    down = Path(mlflow.artifacts.download_artifacts("models:/large/1", dst_path=tmp_path / "down"))
    assert sha256_of(down / "weights.bin") == sha256_of(tmp_path / "model" / "weights.bin")


def test_a_part_that_fails_leaves_nothing(
    project: Project, experiment: str, small_parts: None, ours: Server, tmp_path: Path
):
    file = tmp_path / "broken.bin"
    file.write_bytes(b"".join(pieces(12, seed=9)))
    failing = patch.object(HttpArtifactRepository, "_upload_part", side_effect=OSError("the network is gone"))
    with mlflow.start_run() as run:
        with failing, pytest.raises(MlflowException, match="the network is gone"):
            mlflow.log_artifact(str(file))
        assert project.client.list_artifacts(run.info.run_id) == []
        assert ours.unfinished_uploads() == []
        mlflow.log_artifact(str(file))
    assert [found.path for found in project.client.list_artifacts(run.info.run_id)] == ["broken.bin"]


def test_a_signed_address_is_good_for_one_thing_only(project: Project, experiment: str, ours: Server):
    """Without a token: whoever has the address has that file, and nothing else."""
    run_id = project.client.create_run(experiment).info.run_id
    project.client.log_text(run_id, "0123456789", "a.txt")
    project.client.log_text(run_id, "secret", "b.txt")
    root = project.client.get_run(run_id).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    with httpx.Client(headers={"authorization": f"Bearer {project.token}"}, trust_env=False) as client:
        presigned = f"{project.uri}/api/2.0/mlflow-artifacts/presigned/{root}"
        answer = client.get(f"{presigned}/a.txt").raise_for_status().json()
        assert client.get(f"{presigned}/nothing.txt").status_code == 404
    assert answer["file_size"] == 10
    url = answer["url"]
    with httpx.Client(headers=answer["headers"], trust_env=False) as nobody:
        assert nobody.get(url).text == "0123456789"
        part = nobody.get(url, headers={"range": "bytes=2-4"})
        assert (part.status_code, part.text) == (206, "234")
        for method in ["PUT", "DELETE", "POST"]:
            assert nobody.request(method, url).status_code in (401, 403, 404, 405)
        for place in range(len(url) - 40, len(url), 7):
            changed = url[:place] + ("0" if url[place] != "0" else "1") + url[place + 1 :]
            refused = nobody.get(changed)
            assert refused.status_code in (400, 401, 403, 404), changed
            assert "secret" not in refused.text
        assert nobody.get(url).text == "0123456789"
