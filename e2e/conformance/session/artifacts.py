"""Files of runs, through the proxy: up, listed, down, deleted, in parts."""

from session.steps import NOWHERE, each, raw, step, wrong

# A root is where a run's files are, below the address of the artifacts' proxy.
PROXY = "/api/2.0/mlflow-artifacts"
ROOT = "$root"
UPLOAD = "/ajax-api/2.0/mlflow/upload-artifact"
TEXT = {"content_type": "text/plain"}

ARTIFACTS = [
    step("GET artifacts/list", "nothing yet", run_id="$run"),
    step("GET artifacts/list", "of no run", run_id=NOWHERE),
    *[
        raw(f"PUT {PROXY}/artifacts/{ROOT}/{path}", "up", content, **TEXT)
        for path, content in {
            "a.txt": b"hello",
            "model/MLmodel": b"flavors: {}\n",
            "model/data/weights.bin": bytes(range(256)),
            "model/data/empty": b"",
            "sp%20ace/%C3%BC.txt": b"u",
            "page.html": b"<script>alert(1)</script>",
            "data.json": b'{"a": 1}',
            "image.png": b"\x89PNG",
        }.items()
    ],
    raw(f"PUT {PROXY}/artifacts/{ROOT}/a.txt", "again", b"hello, world", **TEXT),
    step("GET artifacts/list", "all", run_id="$run"),
    step("GET artifacts/list", "by run_uuid", run_uuid="$run"),
    step("GET artifacts/list", "a folder", run_id="$run", path="model"),
    step("GET artifacts/list", "a folder with a slash", run_id="$run", path="model/"),
    step("GET artifacts/list", "a folder below", run_id="$run", path="model/data"),
    step("GET artifacts/list", "a file", run_id="$run", path="a.txt"),
    step("GET artifacts/list", "nothing there", run_id="$run", path="nothing"),
    *each(
        "GET artifacts/list",
        "path",
        ["..", "../..", "/etc", "a/../..", "%2e%2e", "model/..", ".", ""],
        run_id="$run",
    ),
    *wrong("GET artifacts/list", run_id="$run"),
    *each(
        f"GET {PROXY}/artifacts",
        "path",
        [ROOT, f"{ROOT}/model", f"{ROOT}/a.txt", f"{ROOT}/nothing", "..", "/etc"],
    ),
    *[
        step(f"GET {PROXY}/artifacts/{ROOT}/{path}", "down")
        for path in [
            "a.txt",
            "model/data/weights.bin",
            "model/data/empty",
            "sp%20ace/%C3%BC.txt",
            "page.html",
            "data.json",
            "image.png",
            "nothing",
            "model",
            "%2e%2e/%2e%2e/x",
            "..%2f..%2fx",
        ]
    ],
    *[
        raw(
            f"GET {PROXY}/artifacts/{ROOT}/model/data/weights.bin",
            f"bytes {span}",
            b"",
            range=f"bytes={span}",
        )
        for span in ["0-9", "250-", "-6", "300-400"]
    ],
    *[
        raw(f"PUT {PROXY}/artifacts/{path}", "up to a wrong place", b"x", **TEXT)
        for path in ["%2e%2e/x", f"{ROOT}/%2e%2e/x", f"{ROOT}/..%2fx", f"{ROOT}/a%00b", f"{ROOT}/model"]
    ],
    raw(f"POST {UPLOAD}?run_uuid=$run&path=ui.txt", "by the UI", b"hello", **TEXT),
    raw(f"POST {UPLOAD}?run_uuid=$run&path=ui/b%20c.txt", "by the UI, in a folder", b"x", **TEXT),
    raw(f"POST {UPLOAD}?run_uuid=$run&path=ui.txt", "by the UI, again", b"world", **TEXT),
    raw(f"POST {UPLOAD}?run_uuid=$run&path=large", "by the UI, a large one", bytes(11 << 20), **TEXT),
    raw(f"POST {UPLOAD}?run_uuid=$run&path=json", "by the UI, JSON", b"{}", content_type="application/json"),
    raw(f"POST {UPLOAD}?run_uuid={NOWHERE}&path=a", "by the UI, to no run", b"x", **TEXT),
    raw(f"POST {UPLOAD}?run_id=$run&path=a", "by the UI, with run_id", b"x", **TEXT),
    raw(f"POST {UPLOAD}?path=a", "by the UI, without a run", b"x", **TEXT),
    raw(f"POST {UPLOAD}?run_uuid=$run", "by the UI, without a path", b"x", **TEXT),
    raw(f"POST {UPLOAD}?run_uuid=$run&path=../x", "by the UI, outside", b"x", **TEXT),
    raw(f"POST {UPLOAD}?run_uuid=$run&path=a", "by the UI, nothing", b"", **TEXT),
    step("GET artifacts/list", "what the UI sent", run_id="$run", path="ui"),
    step("GET /get-artifact", "what the UI sent", run_id="$run", path="ui.txt"),
    step("GET /get-artifact", "a file", run_id="$run", path="a.txt"),
    step("GET /get-artifact", "by run_uuid", run_uuid="$run", path="a.txt"),
    step("GET /get-artifact", "nothing there", run_id="$run", path="nothing"),
    step("GET /get-artifact", "outside", run_id="$run", path="../x"),
    step("GET /get-artifact", "no run", run_id=NOWHERE, path="a.txt"),
    step("GET /get-artifact", "no path", run_id="$run"),
    step(f"DELETE {PROXY}/artifacts/{ROOT}/data.json", "a file"),
    step(f"DELETE {PROXY}/artifacts/{ROOT}/data.json", "again"),
    step(f"DELETE {PROXY}/artifacts/{ROOT}/sp%20ace", "a folder"),
    step(f"DELETE {PROXY}/artifacts/%2e%2e/x", "outside"),
    step("GET artifacts/list", "after deleting", run_id="$run"),
    step(f"POST {PROXY}/mpu/create/{ROOT}", "a large file", path=f"{ROOT}/large.bin", num_parts=2),
    *wrong(f"POST {PROXY}/mpu/create/{ROOT}", path=f"{ROOT}/large.bin", num_parts=2),
    *wrong(f"POST {PROXY}/mpu/complete/{ROOT}", path=f"{ROOT}/large.bin", upload_id="u", parts=[]),
    *wrong(f"POST {PROXY}/mpu/abort/{ROOT}", path=f"{ROOT}/large.bin", upload_id="u"),
    step(f"GET {PROXY}/presigned/{ROOT}/a.txt", "a file"),
    step(f"GET {PROXY}/presigned/{ROOT}/nothing", "nothing there"),
    step("POST artifacts/presigned-upload-url", "a file", run_id="$run", path="b.txt"),
    step(
        "POST artifacts/presigned-upload-url",
        "of a run and a model",
        run_id="$run",
        model_id="m-1",
        path="b.txt",
    ),
    *wrong("POST artifacts/presigned-upload-url", run_id="$run", path="b.txt"),
    step("POST artifacts/presigned-download-url", "a file", run_id="$run", path="a.txt"),
    *each("POST artifacts/presigned-download-url", "expiration", [0, 604801], run_id="$run", path="a.txt"),
    *wrong("POST artifacts/presigned-download-url", run_id="$run", path="a.txt"),
]
