"""Names of artifacts are bytes that others refer to: they come back as they were sent, whatever they hold."""

import unicodedata
from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow.models import Model
from mlflow.pyfunc import PythonModel
from mlflow_fixtures import Project

NAMES = [
    # As MLflow 2.15 to 3.10 name images. Where the last digits are those of a letter, the client itself decodes them.
    "dog%step%0%timestamp%1718000000%1234.png",
    "100%.txt",
    "a+b&c;d=e.txt",
    # As macOS writes them, and Korean as anybody does.
    unicodedata.normalize("NFD", "café/naïve.txt"),
    unicodedata.normalize("NFD", "한국어.txt"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_as_it_was_sent(project: Project, experiment: str, name: str, tmp_path: Path):
    sent, down = tmp_path / "sent", tmp_path / "down"
    (sent / name).parent.mkdir(parents=True)
    (sent / name).write_text(name)
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(sent), "files")
    folder = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="files", dst_path=str(down)
    )
    [file] = [path for path in Path(folder).rglob("*") if path.is_file()]
    assert file.relative_to(folder).as_posix() == name
    assert file.read_text() == name


def test_a_name_that_the_client_decodes_is_found(project: Project, experiment: str, tmp_path: Path):
    """The client decodes what it is told of, and asks for that."""
    sent, down = tmp_path / "sent", tmp_path / "down"
    sent.mkdir()
    (sent / "50% of %41.txt").write_text("half")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(sent), "files")
    folder = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="files", dst_path=str(down)
    )
    assert [path.read_text() for path in Path(folder).iterdir()] == ["half"]


class Reads(PythonModel):
    """A model that opens its artifact by the name that it was given."""

    def load_context(self, context) -> None:
        self.words = Path(context.artifacts["words"]).read_text()

    def predict(self, context, model_input: list[str]) -> list[str]:
        return [self.words for _ in model_input]


def test_a_pyfunc_model_finds_its_artifact_of_a_decomposed_name(
    project: Project, experiment: str, tmp_path: Path
):
    words = tmp_path / unicodedata.normalize("NFD", "wörter.txt")
    words.write_text("hello")
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            name="reader",
            python_model=Reads(),
            artifacts={"words": str(words)},
            registered_model_name="reader",
            pip_requirements=[],
        )
    assert isinstance(logged.model_id, str)
    loaded = mlflow.pyfunc.load_model("models:/reader/1")
    assert loaded.predict(["a"]) == ["hello"]
    assert isinstance(Model.load("models:/reader/1"), Model)


def test_files_are_found_in_either_form_and_listed_as_they_were_sent(ours, project: Project, tmp_path: Path):
    sent, composed = (unicodedata.normalize(form, "café.txt") for form in ("NFD", "NFC"))
    (tmp_path / sent).write_text("x")
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tmp_path / sent))
    address = f"{ours.url}/files/{project.name}/-/run:{run.info.run_id}/"
    with httpx.Client(headers={"authorization": f"Bearer {ours.token}"}, trust_env=False) as http:
        for form in (sent, composed):
            assert http.get(address + form).text == "x"
        assert [file["path"] for file in http.get(address).json()["files"]] == [sent]
        assert http.put(address + composed, content=b"y").status_code == 409
