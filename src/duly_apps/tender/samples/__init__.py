"""Documents to try the tender desk on, and truth.json: what is in them. Made by scripts/make_tenders.py."""

from pathlib import Path


def sample(name: str) -> Path:
    """The path of a sample, such as `smart-campus-zh.pdf`."""
    path = Path(__file__).parent / name
    if not path.is_file():
        raise FileNotFoundError(f"no sample named {name}")
    return path
