"""What an old client does, run by its own Python with an address and a folder; prints what it found."""

import json
import sys
from pathlib import Path

import mlflow
from PIL import Image

uri, folder = sys.argv[1], Path(sys.argv[2])
mlflow.set_tracking_uri(uri)
client = mlflow.MlflowClient()
mlflow.set_experiment("old client")

(folder / "sent" / "model" / "data").mkdir(parents=True)
(folder / "sent" / "model" / "MLmodel").write_text("flavors: {}\n")
(folder / "sent" / "model" / "data" / "weights.bin").write_bytes(bytes(range(256)) * 1000)
with mlflow.start_run(run_name="old", tags={"team": "ocr"}) as run:
    mlflow.log_params({"lr": 0.1, "depth": 3})
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metrics({"accuracy": 0.5, "nothing": float("nan")})
    mlflow.log_artifacts(str(folder / "sent"))
    mlflow.log_text("hello", "notes/hello.txt")
    # Its names have `%` and digits: images/dog%step%0%timestamp%1718000000%….png
    mlflow.log_image(Image.new("RGB", (4, 4)), key="dog", step=0)
    mlflow.flush_artifact_async_logging()
run_id = run.info.run_id

client.create_registered_model("old", tags={"team": "ocr"}, description="# Old")
version = client.create_model_version("old", f"runs:/{run_id}/model", run_id, tags={"k": "v"})
client.set_registered_model_alias("old", "champion", version.version)
client.transition_model_version_stage("old", version.version, "Production")
copied = mlflow.register_model("models:/old@champion", "old too")
found = client.get_run(run_id)
download = mlflow.artifacts.download_artifacts
print(
    json.dumps(
        {
            "client": mlflow.__version__,
            "run": [found.info.run_name, found.info.status, found.data.params, found.data.tags["team"]],
            "metrics": {key: value for key, value in found.data.metrics.items() if value == value},
            "history": [[point.step, point.value] for point in client.get_metric_history(run_id, "loss")],
            "files": sorted(file.path for file in client.list_artifacts(run_id)),
            "images": sorted({file.path.split("%")[0] for file in client.list_artifacts(run_id, "images")}),
            "text": Path(download(f"runs:/{run_id}/notes/hello.txt", dst_path=str(folder))).read_text(),
            "version": [str(version.version), version.run_id == run_id, version.status],
            "copied": str(copied.version),
            "aliases": client.get_registered_model("old").aliases,
            "found": [model.name for model in client.search_registered_models("name LIKE 'old%'")],
            "runs": [
                run.info.run_name
                for run in client.search_runs([found.info.experiment_id], "metrics.loss < 0.5")
            ],
            "down": {
                name: download(name, dst_path=str(folder / name.replace("/", "_")))
                for name in [
                    "models:/old@champion",
                    "models:/old/1",
                    "models:/old/Production",
                    "models:/old too/latest",
                ]
            },
        }
    )
)
