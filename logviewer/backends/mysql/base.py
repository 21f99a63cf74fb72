from django.db.backends.mysql import base

from logviewer.queries import LoggedConnection


class DatabaseWrapper(LoggedConnection, base.DatabaseWrapper):
    pass
