from django.db.backends.postgresql import base

from logviewer.queries import LoggedConnection


class DatabaseWrapper(LoggedConnection, base.DatabaseWrapper):
    pass
