"""API processes as `duly serve --no-worker` starts them, and a real nginx in front."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from support.cluster import until
from support.soak_servers import free_port

HERE = Path(__file__).parent
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
#: What the documentation shows, on ports and in a folder of its own.
CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream duly {{
{servers}
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://duly;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_read_timeout 75s;
      proxy_next_upstream error timeout non_idempotent;
      add_header X-Upstream $upstream_addr always;
    }}
  }}
}}
"""


class Api:
    """One `duly serve --no-worker`, in the folder and on the database of a cluster."""

    def __init__(self, folder: Path, database_url: str, **variables: str) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
        place = {"DULY_DATABASE_URL": database_url, "DULY_APP": "chaos_app:duly", "DULY_LOG_FORMAT": "json"}
        command = [sys.executable, "-m", "duly.cli", "serve", "--no-worker", "--port", str(self.port)]
        with (folder / f"api{self.port}.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--token-file", str(folder / "duly.token")],
                cwd=folder,
                env={**kept, **place, "PYTHONPATH": str(folder), **variables},
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Once it answers."""
        await until(lambda: answers(self.base), 120)

    def terminate(self) -> None:
        """As a rolling deploy does."""
        self._process.terminate()

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        await until(lambda: self._process.poll() is not None, 60)
        return int(self._process.returncode)

    def put_away(self) -> None:
        """Whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


class Nginx:
    """A reverse proxy that gives requests to each API in turn."""

    def __init__(self, folder: Path, apis: Sequence[Api]) -> None:
        assert NGINX is not None
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        servers = "\n".join(f"    server 127.0.0.1:{api.port} max_fails=0;" for api in apis)
        path = folder / "nginx.conf"
        path.write_text(CONFIG.format(folder=folder, servers=servers, port=self.port))
        command = [NGINX, "-e", f"{folder}/nginx.log", "-p", str(folder), "-c", str(path)]
        if os.geteuid() == 0:  # its workers would be another user's, who may not see the folder
            command += ["-g", "user root;"]
        self._process = subprocess.Popen(command, cwd=folder)

    def put_away(self) -> None:
        """Ends it and its workers."""
        self._process.terminate()
        self._process.wait(10)


def token(folder: Path) -> str:
    """The administrator's."""
    lines = (folder / "duly.token").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("token="))


async def answers(base: str) -> bool:
    """Whether an API is ready there."""
    async with httpx2.AsyncClient(base_url=base, timeout=2) as client:
        try:
            return (await client.get("/readyz")).status_code == 200
        except httpx2.TransportError:
            return False


def admin(base: str, folder: Path) -> Any:
    """A client of the administrator."""
    return httpx2.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token(folder)}"}, timeout=30)
