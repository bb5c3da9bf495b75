"""Django's settings; every knob of an operator is an environment variable (riskhub/env.py)."""

from __future__ import annotations

from datetime import timedelta

from csp.constants import NONCE, NONE, SELF

from riskhub import env, logs

BASE_DIR = env.ROOT
DATA_DIR = env.data_dir()
IS_PRODUCTION = env.flag("RISKHUB_PRODUCTION", default=False)
DEBUG = env.flag("RISKHUB_DEBUG", default=False)
SECRET_KEY = env.secret_key()
FIELD_KEYS = env.field_keys()
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
PUBLIC_URL = env.text(
    "RISKHUB_URL", f"http://{env.text('HOST', '127.0.0.1')}:{env.text('PORT', '8000')}"
).rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "knox",
    "axes",
    "csp",
    "riskhub",
    "riskhub.teams",
    "venues",
    "venues.reference",
    "positions",
    "positions.alerts",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "riskhub.middleware.RequestIdMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "riskhub.middleware.NotAllowedPageMiddleware",
    "riskhub.middleware.LoginRequiredMiddleware",
    "riskhub.teams.middleware.TeamMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "riskhub.urls"
ASGI_APPLICATION = "riskhub.asgi.application"
WSGI_APPLICATION = "riskhub.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "positions.context.shell",
            ],
        },
    }
]

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis_url()
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "riskhub",
    }
}

# Sessions live in the database: losing Redis logs nobody out.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_PRODUCTION
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "positions.views.errors.csrf_failed"
SECURE_SSL_REDIRECT = IS_PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if IS_PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_PRODUCTION else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Attempts are counted in the database, so that a flushed Redis does not reset them.
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_VERBOSE = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en"

vars().update(env.email(DATA_DIR / "mail"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "riskhub@localhost")
OUTBOUND_ALLOW = env.networks("RISKHUB_OUTBOUND_ALLOW")

PRICE_BUDGET_S = env.number("RISKHUB_PRICE_BUDGET_S", 2, least=0.5)
FUNDING_BUDGET_S = env.number("RISKHUB_FUNDING_BUDGET_S", 60, least=5)
DEPTH_BUDGET_S = env.number("RISKHUB_DEPTH_BUDGET_S", 15, least=1)
DEPTH_LEVELS = int(env.number("RISKHUB_DEPTH_LEVELS", 50, least=1))
RULES_BUDGET_S = env.number("RISKHUB_RULES_BUDGET_S", 3600, least=60)
POLL_BUDGET_S = env.number("RISKHUB_POLL_BUDGET_S", 30, least=1)
POLL_FAST_BUDGET_S = env.number("RISKHUB_POLL_FAST_BUDGET_S", 5, least=1)
POLL_DEADLINE_S = env.number("RISKHUB_POLL_DEADLINE_S", 20, least=1)
POLL_CONCURRENCY = int(env.number("RISKHUB_POLL_CONCURRENCY", 500, least=1))
RATE_SHARE = min(env.number("RISKHUB_RATE_SHARE", 0.5, least=0.01), 1.0)
EGRESS = env.text("RISKHUB_EGRESS", "default")
HISTORY_DAYS = env.number("RISKHUB_HISTORY_DAYS", 90, least=1)
RAW_HOURS = env.number("RISKHUB_RAW_HOURS", 24, least=0)
IS_DEMO = env.flag("RISKHUB_DEMO", default=True)

CELERY_BROKER_URL = env.celery_broker_url()
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
# What asks venues has workers of its own: the only ones that load ccxt.
CELERY_TASK_ROUTES = {
    "positions.tasks.poll_batch": {"queue": "poll"},
    "positions.tasks.refresh_prices": {"queue": "poll"},
    "positions.tasks.refresh_feed": {"queue": "poll"},
    "positions.tasks.check_keys": {"queue": "poll"},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "global_keyprefix": "celery:",
    # A publisher that finds no broker goes on at once: what it asks for stands in the database.
    # (By default each publish tries for 6 s, within the poll that rings the doorbell.)
    "socket_connect_timeout": 5,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
}
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "positions.api.auth.ScopedTokenAuthentication",
        "positions.api.auth.MemberAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["positions.api.auth.HasTeamAndScope"],
    "DEFAULT_RENDERER_CLASSES": ["positions.api.renderers.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    # `format` is a parameter that nobody reads, refused like any other.
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "positions.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
}
REST_KNOX = {"TOKEN_TTL": None, "AUTH_HEADER_PREFIX": "Bearer", "TOKEN_PREFIX": "rh_"}
KNOX_TOKEN_MODEL = "teams.ApiToken"  # noqa: S105
# Our token replaces knox's. Its migrations would leave a dead table whose reference to the users
# keeps PostgreSQL from flushing a test database.
MIGRATION_MODULES = {"knox": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "RiskHub",
    "DESCRIPTION": "Isolated-margin risk across venues. Money and prices are decimal strings; "
    "unknown is null, its reason beside it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

logs.configure()
LOGGING = logs.config(level=env.text("RISKHUB_LOG_LEVEL", "INFO").upper())
SILENCED_SYSTEM_CHECKS: list[str] = []
