"""A real Caddy before several servers, set up as docs/operations.md says."""

import os
import shutil
from pathlib import Path

from proxy import Proxy, documented, with_ours, with_servers

BINARY = shutil.which("caddy")


class Caddy(Proxy):
    """Serves http://127.0.0.1:PORT/ from several servers."""

    @classmethod
    def before(cls, servers: list[int], folder: Path, port: int) -> "Caddy":
        folder.mkdir()
        site = with_ours(documented("caddyfile"), ("models.example.org {", f"http://127.0.0.1:{port} {{"))
        config = folder / "Caddyfile"
        # Without certificates, and without the port where it is told of changes of these.
        config.write_text("{\nadmin off\nauto_https off\n}\n" + with_servers(site, servers))
        command = [BINARY, "run", "--config", config, "--adapter", "caddyfile"]
        homes = {name: str(folder / name) for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"]}
        with open(folder / "log", "wb") as log:
            return cls(command, port, env=os.environ | homes, stdout=log, stderr=log)
