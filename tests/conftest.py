"""What tests may ask for: shared evidence, built-in images and answer keys. The images are watched over."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "tests" / "images"


@pytest.hookimpl(tryfirst=True)  # before -m deselects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "evidence_root" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.evidence)


@pytest.fixture(scope="session")
def evidence_root() -> Path:
    """The folder of shared evidence: TRIAGE_EVIDENCE, or ../shared/evidence beside the checkout."""
    folder = Path(os.environ.get("TRIAGE_EVIDENCE") or ROOT.parent / "shared" / "evidence")
    if not folder.is_dir():
        pytest.skip("the shared evidence is not here: set TRIAGE_EVIDENCE to its folder")
    return folder


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``image("ntfs.E01")``: a built-in image's path; ``NAME.gz`` is unpacked into a temporary folder."""
    unpacked: dict[str, Path] = {}

    def path_of(name: str) -> Path:
        if (IMAGES / name).is_file():
            return IMAGES / name
        packed = IMAGES / f"{name}.gz"
        if not packed.is_file():
            known = sorted(path.name for path in IMAGES.iterdir())
            raise FileNotFoundError(f"no built-in image {name}; there are {known}")
        if name not in unpacked:
            target = tmp_path_factory.mktemp("image") / name
            with gzip.open(packed, "rb") as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            unpacked[name] = target
        return unpacked[name]

    return path_of


@pytest.fixture(scope="session")
def answer_key() -> Callable[[str], dict[str, Any]]:
    """``answer_key("ntfs.E01")``: what ``ntfs.E01.key.yaml`` says must be found."""

    def key_of(name: str) -> dict[str, Any]:
        paths = [IMAGES / f"{name}.key.yaml", IMAGES / f"{name}.gz.key.yaml"]
        key = yaml.safe_load(next(path for path in paths if path.is_file()).read_text(encoding="utf-8"))
        assert isinstance(key, dict)
        return key

    return key_of


def _state_of(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())  # not what builds them: that may be worked on
        if path.is_file() and path.suffix != ".py"
    }


@pytest.fixture(scope="session", autouse=True)
def evidence_stays_as_it_was() -> Iterator[None]:
    """Nothing that any test runs may change a byte of the built-in evidence, or leave a file beside it."""
    before = _state_of(IMAGES)
    yield
    assert _state_of(IMAGES) == before, "a test changed tests/images"
