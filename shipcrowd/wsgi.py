"""What gunicorn serves: `gunicorn shipcrowd.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

from shipcrowd import checks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shipcrowd.settings")
checks.refuse_wrong_settings()

application = get_wsgi_application()

checks.at_start()
