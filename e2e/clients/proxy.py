"""What real proxies have in common that stand before the server, set up as docs/operations.md says."""

import re
import socket
import subprocess
from pathlib import Path

from registry import ROOT, wait_for


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def documented(language: str, number: int = 0) -> str:
    """A configuration that people paste: of nginx the first one is for one server, the others are for several."""
    text = (ROOT / "docs" / "operations.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[number]


def with_ours(config: str, *replaced: tuple[str, str]) -> str:
    """A configuration with what people replace by their own, which must be there once."""
    for written, here in replaced:
        assert config.count(written) == 1, written
        config = config.replace(written, here)
    return config


def with_servers(config: str, servers: list[int]) -> str:
    """A configuration for several servers, with the ports of ours."""
    ours = [(f"10.0.0.{number}:8080", f"127.0.0.1:{port}") for number, port in enumerate(servers, 1)]
    return with_ours(config, *ours)


class Proxy:
    """A running proxy; `url` is where people see the registry."""

    def __init__(self, command: list[str | Path], port: int, path: str = "", **options):
        self.url = f"http://127.0.0.1:{port}{path}"
        self.port = port
        self.process = subprocess.Popen(command, **options)
        wait_for(self._listens, "the proxy listens")

    def _listens(self) -> bool:
        assert self.process.poll() is None, "the proxy ended"
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
