"""Our answers are those of MLflow's own server, but for the differences that are listed with a reason."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow_fixtures import IS_MLFLOW
from registry import BINARY, ROOT

COMPARE = ROOT / "e2e" / "conformance" / "compare.py"


@pytest.mark.skipif(IS_MLFLOW, reason="it would be compared with itself")
def test_a_session_is_answered_alike():
    settings = {"PYTHONPATH": str(Path(__file__).parent), "MODEL_REGISTRY_BIN": BINARY}
    done = subprocess.run(
        [sys.executable, COMPARE], env=os.environ | settings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
