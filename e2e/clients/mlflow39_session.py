"""What a client of MLflow 3.9 does, a part at a time: `mlflow39_session.py URI FOLDER PART ARGUMENT…`, run by its own
Python with an empty folder; the last line that it prints is what it found.
"""

import hashlib
import io
import json
import sys
from pathlib import Path

import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.models import Model, ModelSignature, infer_signature, set_signature, update_model_requirements
from mlflow.pyfunc import PythonModel
from mlflow.tracking.multimedia import compress_image_size
from PIL import Image

URI, FOLDER = sys.argv[1], Path(sys.argv[2])
mlflow.set_tracking_uri(URI)
client = MlflowClient()
download = mlflow.artifacts.download_artifacts


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fetched(name: str, **what) -> dict[str, str]:
    """The hashes of the files of a folder that is fetched, by their paths in it."""
    (FOLDER / name).mkdir()
    down = Path(download(**what, dst_path=str(FOLDER / name)))
    files = [path for path in down.rglob("*") if path.is_file()]
    return {path.relative_to(down).as_posix(): sha256(path.read_bytes()) for path in files}


def run() -> dict:
    """A run with everything in it: a batch as large as may be, and files of each kind."""
    frame = pandas.DataFrame({"words": ["a", "b"], "count": [1, 2]})
    with mlflow.start_run(run_name="all", description="# All", tags={"team": "ocr"}) as active:
        client.log_batch(
            active.info.run_id,
            metrics=[Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(800)],
            params=[Param(f"p{number}", str(number)) for number in range(100)],
            tags=[RunTag(f"t{number}", "ü" * number) for number in range(100)],
        )
        for start in range(0, 3000, 1000):
            points = [Metric("accuracy", step / 3000, step, step) for step in range(start, start + 1000)]
            client.log_batch(active.info.run_id, metrics=points)
        mlflow.log_metrics({f"m/{number}": number / 7 for number in range(500)}, step=1)
        mlflow.log_metric("infinite", float("inf"))
        mlflow.log_input(mlflow.data.from_pandas(frame, name="words"), context="training")
        mlflow.log_dict({"a": [1, None]}, "notes/a.json")
        mlflow.log_table(frame, "notes/table.json")
    found = mlflow.get_run(active.info.run_id)
    history = {key: client.get_metric_history(active.info.run_id, key) for key in ["loss", "accuracy"]}
    return {
        "client": mlflow.__version__,
        "run": [found.info.run_name, found.info.status, found.info.end_time is not None],
        "params": found.data.params,
        "tags": found.data.tags,
        "metrics": found.data.metrics,
        "history": {
            key: [[point.step, point.timestamp, point.value] for point in points]
            for key, points in history.items()
        },
        "datasets": [
            [given.dataset.name, given.tags[0].value, json.loads(given.dataset.profile)]
            for given in found.inputs.dataset_inputs
        ],
        "dict": mlflow.artifacts.load_dict(f"{found.info.artifact_uri}/notes/a.json"),
        "table": mlflow.load_table("notes/table.json", [active.info.run_id]).to_dict("list"),
        "found": [
            other.info.run_name
            for other in mlflow.search_runs(
                filter_string="metrics.accuracy > 0.9 AND params.p99 = '99'", output_format="list"
            )
        ],
    }


def images(*steps: str) -> dict:
    """A picture of each step, which the client sends in two forms: their hashes, what is listed, and the hashes of what
    came back by itself and in the folder.
    """

    def picture(step: str) -> Image.Image:
        return Image.new("RGB", (6, 4), (int(step) % 256, int(step) // 256, 7))

    def encoded(image: Image.Image, form: str) -> str:
        image.save(data := io.BytesIO(), form)
        return sha256(data.getvalue())

    with mlflow.start_run() as active:
        for step in steps:
            mlflow.log_image(picture(step), key="a dog", step=int(step))
        mlflow.flush_artifact_async_logging()
    run_id = active.info.run_id
    listed = client.list_artifacts(run_id, "images")
    (FOLDER / "each").mkdir()
    each = {
        file.path.removeprefix("images/"): Path(
            download(run_id=run_id, artifact_path=file.path, dst_path=str(FOLDER / "each"))
        )
        for file in listed
    }
    return {
        "run_id": run_id,
        "sent": {
            step: [encoded(picture(step), "png"), encoded(compress_image_size(picture(step)), "webp")]
            for step in steps
        },
        "listed": [file.path.removeprefix("images/") for file in listed],
        "sizes": {file.path.removeprefix("images/"): file.file_size for file in listed},
        "each": {name: sha256(path.read_bytes()) for name, path in each.items()},
        "each_size": {name: path.stat().st_size for name, path in each.items()},
        "folder": fetched("folder", run_id=run_id, artifact_path="images"),
    }


def artifacts(*names: str) -> dict:
    """Of files of these paths, each logged by itself and in its folder: the paths and hashes that came back."""
    found = {}
    for number, name in enumerate(names):
        path = FOLDER / str(number) / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
        with mlflow.start_run() as active:
            mlflow.log_artifact(str(path), "one")
            mlflow.log_artifacts(str(FOLDER / str(number)), "all")
        found[name] = [
            fetched(f"{way} {number}", run_id=active.info.run_id, artifact_path=way) for way in ["one", "all"]
        ]
    return found


class Reads(PythonModel):
    """A model that answers with its artifact, which it opens by the name that it was given."""

    def load_context(self, context) -> None:
        self.words = Path(context.artifacts["words"]).read_text()

    def predict(self, context, model_input, params=None):
        return [f"{self.words} {name}" for name in model_input["name"]]


NAMES = pandas.DataFrame({"name": ["ada"]})


def log_reader(words: str, file: str = "words.txt", **options) -> mlflow.models.model.ModelInfo:
    """Logs one; without requirements, else a Python of its own looks for what the model imports."""
    (FOLDER / file).write_text(words)
    return mlflow.pyfunc.log_model(
        name="model",
        python_model=Reads(),
        artifacts={"words": str(FOLDER / file)},
        pip_requirements=[],
        **options,
    )


def predicted(uri: str) -> list[str]:
    return mlflow.pyfunc.load_model(uri).predict(NAMES)


def reader(file: str) -> dict:
    """A model whose artifact has that name."""
    with mlflow.start_run() as active:
        info = log_reader("hello", file, registered_model_name="reader", input_example=NAMES)
    return {
        "predictions": {
            kind: predicted(uri)
            for kind, uri in {
                "version": "models:/reader/1",
                "logged model": info.model_uri,
                "run": f"runs:/{active.info.run_id}/model",
            }.items()
        },
        "files": sorted(fetched("down", artifact_uri="models:/reader/1")),
        "model": Model.load("models:/reader/1").flavors["python_function"]["artifacts"]["words"]["path"],
    }


def registry() -> dict:
    """Models registered in each way, and moved, tagged and found."""
    with mlflow.start_run() as first:
        logged = log_reader(
            "one", registered_model_name="words", params={"C": 1}, tags={"team": "ocr"}, model_type="reader"
        )
        mlflow.log_metric("accuracy", 0.97, model_id=logged.model_id)
    with mlflow.start_run() as second:
        other = log_reader("two")
    by_run = mlflow.register_model(f"runs:/{second.info.run_id}/model", "words", tags={"by": "run"})
    by_model = mlflow.register_model(other.model_uri, "words")
    client.set_registered_model_alias("words", "champion", 1)
    client.set_registered_model_alias("words", "champion", by_run.version)
    client.set_registered_model_alias("words", "old", 1)
    client.set_model_version_tag("words", 1, "checked by", "ada")
    client.set_model_version_tag("words", 1, "gone", "x")
    client.delete_model_version_tag("words", 1, "gone")
    client.set_registered_model_tag("words", "team", "ocr")
    client.update_model_version("words", 1, "The *first*")
    copied = client.copy_model_version("models:/words@champion", "copies")
    version, model = client.get_model_version("words", 1), mlflow.get_logged_model(logged.model_id)
    versions = mlflow.search_model_versions(filter_string="name = 'words'")
    return {
        "first": [logged.registered_model_version, version.status, version.description, version.tags],
        "runs": {
            str(found.version): "first" if found.run_id == first.info.run_id else found.run_id == second.info.run_id
            for found in versions
        },
        "statuses": [found.status for found in [by_run, by_model]],
        "tags": by_run.tags,
        "aliases": {
            name: str(number) for name, number in client.get_registered_model("words").aliases.items()
        },
        "copied": str(copied.version),
        "model": [str(model.status), model.model_type, model.params, model.tags["team"]],
        "metrics": {metric.key: metric.value for metric in model.metrics},
        "found": {
            "models": [found.name for found in mlflow.search_registered_models(filter_string="name LIKE 'wor%'")],
            "tagged": [
                str(found.version)
                for found in mlflow.search_model_versions(filter_string="tags.`checked by` = 'ada'")
            ],
            "logged": [
                found.model_id == logged.model_id
                for found in mlflow.search_logged_models(
                    filter_string="metrics.accuracy > 0.9", output_format="list"
                )
            ],
        },
        "predictions": {
            uri: predicted(f"models:/{uri}")[0]
            for uri in ["words/1", "words/2", "words/3", "words@champion", "words@old", "copies/1"]
        },
    }


def source() -> dict:
    """A version whose source alone says which run it is of."""
    with mlflow.start_run() as active:
        log_reader("one")
    client.create_registered_model("sourced")
    version = client.create_model_version("sourced", f"runs:/{active.info.run_id}/model")
    return {
        "run": version.run_id == active.info.run_id,
        "status": version.status,
        "predictions": predicted("models:/sourced/1"),
    }


def changes() -> dict:
    """A logged model that gets a signature and other requirements: what it, its version and a later version have."""
    with mlflow.start_run():
        info = log_reader("one", registered_model_name="changed")
    set_signature(info.model_uri, infer_signature(NAMES))
    update_model_requirements(info.model_uri, "add", ["coloredlogs==15.0.1", "numpy"])
    update_model_requirements(info.model_uri, "remove", ["numpy"])
    later = mlflow.register_model(info.model_uri, "changed")

    def state(uri: str) -> list:
        signature: ModelSignature | None = mlflow.models.get_model_info(uri).signature
        requirements = (Path(download(uri)) / "requirements.txt").read_text().split()
        return [signature and signature.inputs.to_dict(), requirements, predicted(uri)]

    return {
        "model": state(info.model_uri),
        "before": state("models:/changed/1"),
        "after": state(f"models:/changed/{later.version}"),
    }


def prompts() -> dict:
    """Prompts of the registry, which are models whose versions have a text."""
    genai = mlflow.genai
    template = "Say “{{ word }}” in {{style}} {single} %20 ü\nand\tno more."
    chat = [{"role": "system", "content": "Be {{style}}."}, {"role": "user", "content": "{{question}}"}]
    answer = {"type": "object", "properties": {"answer": {"type": "string"}}}
    first = genai.register_prompt("greeting", template, commit_message="The first", tags={"author": "ada"})
    second = genai.register_prompt("greeting", template + "!", model_config={"model_name": "m", "temperature": 0.5})
    talk = genai.register_prompt("talk", chat, response_format=answer)
    genai.set_prompt_alias("greeting", "production", 2)
    genai.set_prompt_alias("greeting", "production", 1)
    genai.set_prompt_alias("greeting", "gone", 1)
    genai.delete_prompt_alias("greeting", "gone")
    genai.set_prompt_tag("greeting", "team", "ocr")
    genai.set_prompt_version_tag("greeting", 2, "checked", "yes")
    client.create_registered_model("no prompt")

    def load(uri: str) -> mlflow.entities.model_registry.PromptVersion:
        return genai.load_prompt(f"prompts:/{uri}", cache_ttl_seconds=0)

    with mlflow.start_run() as active:
        loaded = genai.load_prompt("greeting", version=1)
    linked = json.loads(mlflow.get_run(active.info.run_id).data.tags["mlflow.linkedPrompts"])
    long = genai.register_prompt("long", "x" * 50_000 + "{{end}}")
    return {
        "versions": [str(prompt.version) for prompt in [first, second, talk, long]],
        "same": {
            "greeting/1": load("greeting/1").template == template == loaded.template,
            "greeting/2": load("greeting/2").template == template + "!",
            "greeting@production": load("greeting@production").template == template,
            "greeting@latest": load("greeting@latest").template == template + "!",
            "talk/1": load("talk/1").template == chat,
            "long/1": load("long/1").template == "x" * 50_000 + "{{end}}",
        },
        "format": load("greeting/1").format(word="hi", style="red"),
        "first": [load("greeting/1").commit_message, load("greeting/1").tags["author"]],
        "aliases": list(load("greeting/1").aliases),
        "config": {key: value for key, value in load("greeting/2").model_config.items() if value},
        "checked": load("greeting/2").tags["checked"],
        "talk": load("talk/1").response_format == answer,
        "team": genai.get_prompt_tags("greeting")["team"],
        "linked": linked,
        "missing": genai.load_prompt("nothing", version=1, allow_missing=True),
        "found": sorted(prompt.name for prompt in genai.search_prompts()),
        "like": [prompt.name for prompt in genai.search_prompts(filter_string="name LIKE 'gree%'")],
        "models": [model.name for model in mlflow.search_registered_models(filter_string="name LIKE '%'")],
    }


PARTS = [run, images, artifacts, reader, registry, source, changes, prompts]

part = next(part for part in PARTS if part.__name__ == sys.argv[3])
mlflow.set_experiment(f"3.9: {part.__name__}")
print(json.dumps(part(*sys.argv[4:])))
