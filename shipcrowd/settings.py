"""Every setting of Shipcrowd, read from the environment; what must be set in production has no default here.

`checks.py` says which of them are missing, in one line each, before anything serves or touches data.
"""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from shipcrowd.environment import mail_server, number, one_of, web_address, whole_number

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent

# --- What production must set ----------------------------------------------------------------------------------------

# Signs sessions and the queue's payloads: at least 50 random characters. Who has it and a queue row runs code.
SECRET_KEY_IS_SET = bool(env.str("SECRET_KEY", default=""))
SECRET_KEY = env.str("SECRET_KEY", default="") or secrets.token_urlsafe(50)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

# Seals credentials, tokens and, later, buyers: one or more keys of 32 bytes in base64, the newest first.
ENCRYPTION_KEYS: list[str] = env.list("ENCRYPTION_KEYS", default=[])

# The app's log-in (role shipcrowd_app), and the owner's (shipcrowd_owner), which only `migrate` needs:
# web and worker machines leave the second one unset. `manage.py roles` prints the SQL that makes the roles.
DATABASE_URL = env.str("DATABASE_URL", default="")
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", default="")

# Folder of the embedded PostgreSQL: set by the demo and by the tests, and by nobody else.
EMBEDDED_DATA = env.str("SHIPCROWD_EMBEDDED", default="")

# Where people reach the portal. Mails, the OAuth redirect and absolute links come from here, never from a request.
PUBLIC_URL = web_address("PUBLIC_URL")

DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
# Addresses of the proxies in front: only with these are X-Forwarded-Proto and X-Forwarded-For believed.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

# --- Flipkart --------------------------------------------------------------------------------------------------------

# What a new connection talks to by default, and in which format; each connection keeps its own.
FLIPKART = one_of("FLIPKART", ("simulator", "sandbox", "production"), default="simulator")
# The guide's paths are served by the simulator alone; sandbox and production want the word said.
FLIPKART_WIRE = one_of("FLIPKART_WIRE", ("guide", "official"), default="guide" if FLIPKART == "simulator" else "")
# The platform's own application at Flipkart (authorization-code flow). Without it each seller pastes its own keys.
FLIPKART_CLIENT_ID = env.str("FLIPKART_CLIENT_ID", default="")
FLIPKART_CLIENT_SECRET = env.str("FLIPKART_CLIENT_SECRET", default="")
SIMULATOR_URL = web_address("SIMULATOR_URL", default="http://127.0.0.1:8001")
FLIPKART_CALL_TIMEOUT = number("FLIPKART_CALL_TIMEOUT", default=30.0)  # seconds for one read
FLIPKART_ANSWER_TIMEOUT = number("FLIPKART_ANSWER_TIMEOUT", default=45.0)  # seconds for the whole answer
FLIPKART_ANSWER_BYTES = whole_number("FLIPKART_ANSWER_BYTES", default=20 * 2**20)  # after unpacking

# Calls: 20 at once and 80 a minute back, so that any 60 seconds hold at most 100.
QUOTA_BURST = whole_number("QUOTA_BURST", default=20)
QUOTA_PER_MINUTE = whole_number("QUOTA_PER_MINUTE", default=80)
QUOTA_KEPT_FROM_POLLING = whole_number("QUOTA_KEPT_FROM_POLLING", default=5)  # below it polling has its own 15 a minute

# What a lower floor starts in a higher one, by name: `f(seller, connection)` in the scope of a new connection;
# modules with `open_effects(seller)` and `park(seller, by)` for one that is being cut.
ON_CONNECTED = ["orders.polling.start_polling", "shipcrowd.portal.watching.begin"]
ON_DISCONNECT = ["fulfillment.parking"]
ON_FACILITY_SAVED = ["fulfillment.prefetching.set_time"]  # `f(facility)`, in the scope of who saves it
CONNECTION_LINES = "shipcrowd.portal.doctor.lines"  # f(seller, row, now): how a connection stands, line by line

# A consent ends so long after it was given (guide, API Quota Limits); owners are mailed so many days before.
CONSENT_LIFE = timedelta(days=180)
CONSENT_ENDS_SOON_DAYS = (14, 3)
# A mail each morning to owners of sellers that something is wrong with.
DAILY_DIGEST = env.bool("DAILY_DIGEST", default=False)

# --- How work is done ------------------------------------------------------------------------------------------------

SENDING = env.bool("SENDING", default=True)  # off stops every effect at Flipkart at once and says so on every screen

LEASE_SECONDS = number("LEASE_SECONDS", default=90.0)  # longer than any call; a row claimed longer is taken back
READ_BACK_SECONDS = number("READ_BACK_SECONDS", default=5.0)  # first read-back after a lost answer
GRACE_SECONDS = number("GRACE_SECONDS", default=30.0)  # and the second, before anything is sent again
RING_AGAIN_SECONDS = number("RING_AGAIN_SECONDS", default=30.0)  # a bell that nobody heard is rung again
BELL_SECONDS = number("BELL_SECONDS", default=1.0)
HEARTBEAT_SECONDS = number("HEARTBEAT_SECONDS", default=3.0)
HEARTBEAT_GIVEN_UP_SECONDS = number("HEARTBEAT_GIVEN_UP_SECONDS", default=10.0)

POLL_EVERY = timedelta(seconds=number("POLL_EVERY_SECONDS", default=300.0))
POLL_OVERLAP = timedelta(minutes=30)
POLL_FIRST = timedelta(days=30)  # how far back the first poll and the daily re-read search
# What was read longer ago is read again before anything leaves the house.
READ_AGAIN_AFTER = timedelta(seconds=number("READ_AGAIN_AFTER_SECONDS", default=300.0))
GIVE_UP_AFTER = timedelta(hours=24)  # reads and throttled work
GIVE_UP_BEFORE_DISPATCH_BY = timedelta(minutes=30)
# Of a week's dispatches so many percent may be late before Flipkart acts. Its own figure changes: look it up.
LATE_DISPATCH_LIMIT_PERCENT = number("LATE_DISPATCH_LIMIT_PERCENT", default=0.5)
LABEL_LATE_AFTER = timedelta(minutes=30)  # a label that has not come by then needs a person

WORK_KINDS = {
    # kind: (cluster, the function that works one batch of one seller)
    "alerts": ("default", "sellers.tasks.work_alerts"),
    "poll": ("default", "orders.tasks.poll"),
    "follow": ("default", "orders.tasks.follow"),
    "lookups": ("clicks", "orders.tasks.look_up"),
    "labels": ("clicks", "fulfillment.tasks.work_labels"),
    "dispatches": ("clicks", "fulfillment.tasks.work_dispatches"),
    "cancellations": ("clicks", "fulfillment.tasks.work_cancellations"),
    "form_acks": ("clicks", "fulfillment.tasks.work_form_acks"),
    "checks": ("clicks", "fulfillment.tasks.work_checks"),
    "watch": ("default", "shipcrowd.portal.watching.work_watch"),
    "print_jobs": ("clicks", "fulfillment.tasks.work_print_jobs"),
    "hand_overs": ("clicks", "fulfillment.tasks.work_hand_overs"),
    "prefetch": ("default", "fulfillment.tasks.work_prefetch"),
}

Q_CLUSTER = {
    "name": "default",
    "orm": "default",
    "broker_class": "shipcrowd.queue.Broker",
    "workers": whole_number("QUEUE_WORKERS", default=2),
    "queue_limit": whole_number("QUEUE_WORKERS", default=2),
    "timeout": 180,
    "retry": 600,
    "poll": 0.1,
    "bulk": 1,
    "save_limit": -1,
    "catch_up": False,
    "scheduler": False,  # the bell rings for what is due
    "ack_failures": True,
    "max_attempts": 3,
    "log_level": "WARNING",
    "label": "Queue",
    "ALT_CLUSTERS": {
        "clicks": {
            "workers": whole_number("QUEUE_WORKERS", default=2),
            "queue_limit": whole_number("QUEUE_WORKERS", default=2),
            "timeout": 180,
            "retry": 600,
            "poll": 0.1,
        }
    },
}

# --- Django ----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "shipcrowd.apps.ShipcrowdConfig",
    "shipcrowd.portal.apps.PortalConfig",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",
    "django_q",
    "drf_spectacular",
    "rest_framework",
    "storages",
    "sellers.apps.SellersConfig",
    "orders.apps.OrdersConfig",
    "fulfillment.apps.FulfillmentConfig",
    "returns.apps.ReturnsConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "shipcrowd.portal.addresses.utf8_without_nulls",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "shipcrowd.portal.addresses.words_for_what_buttons_send",
    "sellers.access.ScopeMiddleware",  # last: it calls the view itself, inside the seller's scope
]

ROOT_URLCONF = "shipcrowd.urls"
WSGI_APPLICATION = "shipcrowd.wsgi.application"
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
                "shipcrowd.portal.context.portal",
            ]
        },
    }
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "sellers.User"


def _databases() -> dict[str, dict[str, Any]]:
    if not (DATABASE_URL or EMBEDDED_DATA):
        return {"default": {"ENGINE": "django.db.backends.dummy"}}
    database: dict[str, Any] = (
        {"NAME": "shipcrowd", "USER": "shipcrowd_app", "EMBEDDED": EMBEDDED_DATA}
        if EMBEDDED_DATA
        else _address("DATABASE_URL", DATABASE_URL)
    )
    database.setdefault("OPTIONS", {}).setdefault("connect_timeout", 10)
    # A pooler in transaction mode cannot keep a cursor of the server from one statement to the next.
    kept = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "DISABLE_SERVER_SIDE_CURSORS": True}
    return {"default": database | {"ENGINE": "shipcrowd.db"} | kept}


def _owner() -> dict[str, Any]:
    if EMBEDDED_DATA:
        return {"USER": "shipcrowd_owner", "PASSWORD": ""}
    if not DATABASE_OWNER_URL:
        return {}
    owner = _address("DATABASE_OWNER_URL", DATABASE_OWNER_URL)
    return {key: owner[key] for key in ("USER", "PASSWORD", "HOST", "PORT") if key in owner}


def _address(name: str, url: str) -> dict[str, Any]:
    """Where a database is. Raises ImproperlyConfigured, whose text never repeats the URL: it holds a password."""
    try:
        is_postgres = urlsplit(url).scheme in ("postgres", "postgresql")
        address: dict[str, Any] = env.db_url_config(url) if is_postgres else {}
    except ValueError:
        address = {}
    if not address.get("NAME"):
        raise ImproperlyConfigured(f"{name} names no database of PostgreSQL: write postgres://user:password@host/name")
    return address


DATABASES = _databases()
DATABASE_OWNER = _owner()

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
# Ten wrong passwords lock this user name from this address for a quarter of an hour.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # a quarter of an hour is one, however often it is tried
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_CLIENT_IP_CALLABLE = "sellers.access.address_of"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
# An invitation's link is a secret: it stays out of the log, and of what is kept of a wrong password on the way to it.
AXES_CLIENT_STR_CALLABLE = "shipcrowd.log_lines.who_logs_in"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "next"]

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # not Strict: the browser comes back from Flipkart's consent page and needs its session
HTTPS = PUBLIC_URL.startswith("https://") or not (DEBUG or EMBEDDED_DATA)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
# A self-hosted portal does not decide for the whole domain it lives on.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []

# unfold's Alpine needs eval and its widgets inline styles; nothing else is let in, and nothing from elsewhere.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        # The Connect button is a form whose answer leads to Flipkart's consent page; Chromium checks redirects too.
        "form-action": [SELF, "https://api.flipkart.net", "https://sandbox-api.flipkart.net", SIMULATOR_URL],
    }
}

LANGUAGE_CODE = "en-in"
TIME_ZONE = "Asia/Kolkata"  # what people see; the database keeps UTC
USE_TZ = True
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "shipcrowd" / "locale"]

STATIC_URL = "/static/"
STATIC_ROOT = None if EMBEDDED_DATA else BASE_DIR / ".static"  # what collectstatic fills
STATICFILES_DIRS = [BASE_DIR / "shipcrowd" / "static"]
WHITENOISE_USE_FINDERS = bool(DEBUG or EMBEDDED_DATA)

# Documents: files below MEDIA_ROOT by default, an S3 bucket where S3_BUCKET is set.
MEDIA_ROOT = Path(env.str("DOCUMENTS_FOLDER", default=str(BASE_DIR / ".data" / "documents")))
S3_BUCKET = env.str("S3_BUCKET", default="")
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": web_address("S3_ENDPOINT_URL") or None,
            "region_name": env.str("S3_REGION", default="") or None,
            "access_key": env.str("S3_ACCESS_KEY", default="") or None,
            "secret_key": env.str("S3_SECRET_KEY", default="") or None,
            "default_acl": None,
            "querystring_auth": True,
            "file_overwrite": False,
        },
    }
    if S3_BUCKET
    else {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or EMBEDDED_DATA
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

# EMAIL_URL=smtp+tls://user:password@host:587; without it every invitation is a link to copy.
EMAIL_IS_SET = bool(env.str("EMAIL_URL", default=""))
vars().update(mail_server("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Shipcrowd <noreply@localhost>")

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
SPECTACULAR_SETTINGS = {"TITLE": "Shipcrowd", "VERSION": "0.1.0", "SERVE_INCLUDE_SCHEMA": False}

LOG_LEVEL = one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="WARNING")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "shipcrowd.log_lines.Lines",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"django": {"handlers": []}},  # in place of Django's own, which write whole tracebacks
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Shipcrowd",
    "SITE_HEADER": "Shipcrowd",
    "SITE_SYMBOL": "package_2",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("shipcrowd/favicon.svg")}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda _request: static("shipcrowd/shipcrowd.css")],
    "SCRIPTS": [lambda _request: static("shipcrowd/shipcrowd.js")],
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "shipcrowd.portal.navigation.sidebar",
    },
}
