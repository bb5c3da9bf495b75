"""Settings of the tests: a data folder of its own per process, and a quick password hasher.

pytest-django reads the settings before any conftest, so the folder is chosen here.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# What a test process makes in the temporary folder begins with this and its process id, so that
# its end removes all of it, and the next process what one that was killed has left.
_OURS = "riskhub-test-"
FOLDER_PREFIX = f"{_OURS}{os.getpid()}-"


def _remove_own() -> None:
    # A forked child that ends like a program has another id, and leaves its parent's alone.
    for path in Path(tempfile.gettempdir()).glob(f"{_OURS}{os.getpid()}-*"):
        shutil.rmtree(path, ignore_errors=True)


def _remove_abandoned() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_OURS}*-*"):
        pid = path.name.removeprefix(_OURS).partition("-")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


_remove_abandoned()
atexit.register(_remove_own)
_folder = tempfile.mkdtemp(prefix=FOLDER_PREFIX)
os.environ["RISKHUB_DATA_DIR"] = _folder
os.environ.setdefault("RISKHUB_DEMO", "0")
# The environment of the person who runs the tests decides nothing but the two servers.
os.environ["RISKHUB_ENV_FILE"] = os.devnull
for _name in ("EMAIL_URL", "RISKHUB_PRODUCTION", "RISKHUB_DEBUG", "ALLOWED_HOSTS"):
    os.environ.pop(_name, None)

from riskhub.settings import *  # noqa: E402, F403

STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CELERY_TASK_ALWAYS_EAGER = False
