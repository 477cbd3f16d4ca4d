#!/usr/bin/env python3
"""Fetches the browser's libraries, or checks that the committed ones are what was fetched.

`vendor.py` packs each pinned package with npm, copies the files that we serve into the dashboard's folder,
points their bare imports at their neighbours (an import map would need an inline script, which our pages
forbid), and writes MANIFEST.json: version, licence, checksum as fetched and as served. `vendor.py --check`
compares the committed files with it, without a network, and exits with 1 when one differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "src" / "duly" / "dashboard" / "static" / "vendor"
MANIFEST = "MANIFEST.json"
#: A bare import in a minified module: `from"preact"`, `from "preact/hooks"`.
IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])([^"'./][^"']*)\2""")
SOURCE_MAP = re.compile(r"\n?//# sourceMappingURL=\S+\s*$")


@dataclass(frozen=True, slots=True)
class Module:
    """One file of a package, the bare name it is imported by, and the name that it is served under."""

    package: str
    path: str
    bare: str
    served: str


VERSIONS = {"preact": "11.2.0", "@preact/signals": "2.11.4", "@preact/signals-core": "1.14.5", "htm": "3.1.1"}
MODULES = [
    Module("preact", "dist/preact.mjs", "preact", "preact.js"),
    Module("preact", "hooks/dist/hooks.mjs", "preact/hooks", "hooks.js"),
    Module("@preact/signals", "dist/signals.mjs", "@preact/signals", "signals.js"),
    Module("@preact/signals-core", "dist/signals-core.mjs", "@preact/signals-core", "signals-core.js"),
    Module("htm", "dist/htm.mjs", "htm", "htm.js"),
]
SERVED = {module.bare: module.served for module in MODULES}


def fetch(folder: Path) -> dict[str, Any]:
    """Writes all files into `folder` and answers the manifest.

    Raises:
        CalledProcessError: npm could not pack a package.
        KeyError: a module imports a package that is not served.
    """
    packages, files = {}, {}
    with tempfile.TemporaryDirectory() as room:
        for package, version in VERSIONS.items():
            archive = _packed(f"{package}@{version}", Path(room))
            about = json.loads(_read(archive, "package.json"))
            licence = f"LICENSE.{package.removeprefix('@').replace('/', '-')}"
            (folder / licence).write_bytes(_read(archive, "LICENSE"))
            packages[package] = {"version": version, "license": about["license"], "text": licence}
            for module in (one for one in MODULES if one.package == package):
                fetched = _read(archive, module.path)
                served = rewritten(fetched.decode())
                (folder / module.served).write_text(served, "utf-8")
                files[module.served] = {
                    "package": package,
                    "path": module.path,
                    "fetched": _sha256(fetched),
                    "served": _sha256(served.encode()),
                }
    return {"packages": packages, "files": files}


def rewritten(text: str) -> str:
    """A module whose bare imports name our files, without a source map that we do not serve."""

    def local(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}./{SERVED[match[3]]}{match[2]}"

    return SOURCE_MAP.sub("\n", IMPORT.sub(local, text))


def differing(folder: Path) -> list[str]:
    """What is not as the manifest says, in words."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    known = {*manifest["files"], *(one["text"] for one in manifest["packages"].values()), MANIFEST}
    found = {path.name for path in folder.iterdir()}
    wrong = [f"{name}: is missing" for name in sorted(known - found)]
    wrong += [f"{name}: is not in {MANIFEST}" for name in sorted(found - known)]
    for name, file in manifest["files"].items():
        if name in found and _sha256((folder / name).read_bytes()) != file["served"]:
            wrong.append(f"{name}: its checksum differs")
    versions = {name: one["version"] for name, one in manifest["packages"].items()}
    return wrong if versions == VERSIONS else [*wrong, f"{MANIFEST}: other versions than vendor.py names"]


def _packed(spec: str, room: Path) -> Path:
    command = ["npm", "pack", "--silent", "--pack-destination", str(room), spec]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=room)
    return room / done.stdout.strip()


def _read(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"package/{name}")
        if member is None:
            raise FileNotFoundError(f"{archive.name} has no file {name}")
        return member.read()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> int:
    """Fetches or checks; answers the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and fetch nothing")
    if parser.parse_args().check:
        wrong = differing(FOLDER)
        print("\n".join(wrong) or f"vendor: {len(MODULES)} files are as they were fetched")
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    manifest = fetch(FOLDER)
    (FOLDER / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    size = sum((FOLDER / name).stat().st_size for name in manifest["files"])
    print(f"vendor: {len(MODULES)} files, {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
