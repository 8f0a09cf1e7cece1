"""Runs MLflow's own server: what ours is compared with, and the other half of a split registry."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

START_SECONDS = 120
# What the client or the server would take from a developer's own settings.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "_MLFLOW_"))
}


@dataclass
class MlflowServer:
    """A running `mlflow server` that keeps everything in one folder."""

    url: str
    process: subprocess.Popen

    @classmethod
    def start(cls, folder: Path) -> "MlflowServer":
        """Starts one, and returns when it answers."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += [
            "--workers",
            "1",
            "--serve-artifacts",
            "--artifacts-destination",
            str(folder / "artifacts"),
        ]
        command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.sqlite'}"]
        # Its job runners are eight more processes that nothing here needs.
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with open(folder / "server.log", "ab") as log:
            # A session of its own: it starts others, and all of them are to end.
            options = {"stdout": log, "stderr": log, "env": ENVIRONMENT | quiet, "start_new_session": True}
            server = cls(f"http://127.0.0.1:{port}", subprocess.Popen(command, cwd=folder, **options))
        try:
            server.wait_until_ready(folder / "server.log")
        except BaseException:
            server.stop()
            raise
        return server

    def wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False) as client:
            while True:
                assert self.process.poll() is None, f"MLflow's server does not start:\n{log.read_text()}"
                assert time.monotonic() < deadline, f"MLflow's server does not answer:\n{log.read_text()}"
                try:
                    if client.get(f"{self.url}/health").is_success:
                        return
                except httpx.TransportError:
                    time.sleep(0.1)

    def stop(self) -> None:
        # It may have ended by itself.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """One that was free a moment ago: MLflow cannot be asked which one it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
