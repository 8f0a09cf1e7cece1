"""A real nginx before one server or several, set up as docs/operations.md says."""

import shutil
from pathlib import Path

from proxy import Proxy, documented, with_ours, with_servers

BINARY = shutil.which("nginx") or "/usr/sbin/nginx"


class Nginx(Proxy):
    """Serves http://127.0.0.1:PORT/registry/ from where `passed` says, which may be a group of servers."""

    def __init__(self, folder: Path, port: int, passed: str, group: str = ""):
        folder.mkdir()
        site = with_ours(
            documented("nginx"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
            ("server_name example.org;", ""),
            ("proxy_pass http://127.0.0.1:8080;", passed),
        )
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        )
        config = folder / "nginx.conf"
        config.write_text(
            f"daemon off;\nmaster_process off;\npid {folder}/pid;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temporary}{group}{site}\n}}\n"
        )
        super().__init__([BINARY, "-e", folder / "error.log", "-c", config], port, "/registry")

    @classmethod
    def before(cls, servers: list[int], folder: Path, port: int) -> "Nginx":
        """One that divides the work among several servers."""
        group, passed = documented("nginx", 1), documented("nginx", 2)
        return cls(folder, port, passed, with_servers(group, servers))
