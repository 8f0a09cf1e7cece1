"""A real nginx before the server, set up as docs/operations.md says."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

from registry import ROOT, wait_for

BINARY = shutil.which("nginx") or "/usr/sbin/nginx"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def documented() -> str:
    """The configuration that people paste."""
    text = (ROOT / "docs" / "operations.md").read_text()
    # The first one: another one is for several servers.
    return re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)[0]


class Nginx:
    """Serves http://127.0.0.1:PORT/registry/ from a server on another port, with the path or without it."""

    def __init__(self, folder: Path, port: int, server: int, *, strips: bool):
        folder.mkdir()
        to = f"proxy_pass http://127.0.0.1:{server}{'/' if strips else ''};"
        site = documented()
        for written, here in [
            ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
            ("server_name example.org;", ""),
            ("proxy_pass http://127.0.0.1:8080;", to),
        ]:
            assert site.count(written) == 1, written
            site = site.replace(written, here)
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        )
        config = folder / "nginx.conf"
        config.write_text(
            f"daemon off;\nmaster_process off;\npid {folder}/pid;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temporary}{site}\n}}\n"
        )
        command = [BINARY, "-e", str(folder / "error.log"), "-c", str(config)]
        self.process = subprocess.Popen(command)
        self.port = port
        wait_for(self._listens, "nginx listens")

    def _listens(self) -> bool:
        assert self.process.poll() is None, "nginx ended"
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
