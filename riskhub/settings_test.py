"""Settings of the tests: a data folder of its own per process, and a quick password hasher.

pytest-django reads the settings before any conftest, so the folder is chosen here.
"""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="riskhub-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
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
