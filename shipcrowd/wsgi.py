"""What gunicorn serves: `gunicorn shipcrowd.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shipcrowd.settings")

application = get_wsgi_application()

from shipcrowd import checks  # noqa: E402 - app loading: it looks at the database through Django

checks.at_start()
