"""The bootstrap, run for real but without a network: pip installs a wheel that lies in a folder."""

import ast
import base64
import hashlib
import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from riskhub.boot import environment
from riskhub.boot.environment import Environment, SetupError, explain, is_ready, prepare

BOOT = Path(environment.__file__).parent


def make_wheel(folder: Path, *, version: str) -> str:
    """Write bread-VERSION, a library of one line, and return its lock entry."""
    folder.mkdir(exist_ok=True)
    info = f"bread-{version}.dist-info"
    files = {
        "bread.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: bread\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}"
        for name, text in files.items()
    ]
    path = folder / f"bread-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))
    return f"bread=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a lock file of one library; no index is asked for it."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    root = tmp_path / "project"
    root.mkdir()
    (root / "requirements.lock").write_text(make_wheel(tmp_path / "wheels", version="1.0"))
    return root


def version_in(project: Path) -> str:
    command = [str(project / ".venv/bin/python"), "-c", "import bread; print(bread.VERSION)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_unfinished_venv_is_made_again_and_gets_its_lock_without_uv(project: Path) -> None:
    built = Environment(project)
    leftover = project / ".venv/lib/half.py"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    built.unfinished.touch()

    prepare(root=project, level="run")

    assert version_in(project) == "1.0"
    assert not leftover.exists()
    assert is_ready(environment=built, lock=project / "requirements.lock")


def test_a_changed_lock_is_noticed(tmp_path: Path) -> None:
    built = Environment(tmp_path)
    venv.create(built.folder, with_pip=False)
    lock = tmp_path / "requirements.lock"
    lock.write_text("bread==1.0\n")
    built.stamp.write_text(json.dumps({lock.name: hashlib.sha256(lock.read_bytes()).hexdigest()}))
    before = is_ready(environment=built, lock=lock)

    lock.write_text("bread==2.0\n")

    assert (before, is_ready(environment=built, lock=lock)) == (True, False)


def test_an_altered_library_is_refused(project: Path) -> None:
    lock = project / "requirements.lock"
    lock.write_text(lock.read_text()[:-9] + "00000000\n")

    with pytest.raises(SetupError, match="not the one that the lock file names"):
        prepare(root=project, level="run")

    assert not is_ready(environment=Environment(project), lock=lock)


def test_a_venv_whose_python_has_gone_is_not_sound(tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to("/nowhere/python3")

    assert not environment.is_sound(environment=Environment(tmp_path))


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("Failed to establish a new connection: [Errno -3]", "cannot be reached"),
        ("error: Failed to fetch: `https://`\n  Caused by: dns error", "cannot be reached"),
        ("ERROR: No matching distribution found for numpy", "no build for this machine"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "not the one that the lock file names"),
        ("line one\nERROR: the oven is cold\nline three", "the oven is cold"),
    ],
)
def test_each_failure_is_a_sentence(output: str, sentence: str) -> None:
    assert sentence in explain(output=output, log=Path("setup.log"))


def test_an_unknown_level_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert environment.main(["everything"]) == 1
    assert "use one of run, test, e2e" in capsys.readouterr().err


def test_old_pythons_can_read_the_entry_and_are_told_what_is_needed() -> None:
    source = (BOOT / "setup_env.py").read_text()

    ast.parse(source, feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(ast.parse(source)))
    assert "needs Python 3.11 or newer" in source


def test_the_bootstrap_needs_the_standard_library_alone() -> None:
    code = "import sys; import riskhub.boot.environment; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=BOOT.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )

    foreign = {name.split(".")[0] for name in done.stdout.split()} - sys.stdlib_module_names
    assert foreign <= {"riskhub", "__main__"}


def test_the_pip_that_lies_here_is_the_one_that_was_published() -> None:
    digest = hashlib.sha256(environment.PIP_WHEEL.read_bytes()).hexdigest()

    assert digest == environment.PIP_SHA256
    assert (BOOT / "pip-LICENSE.txt").is_file()
