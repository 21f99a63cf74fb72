"""MariaDB behaving as MySQL 8 where Django tells them apart: no ids back from an insert, no uuid.

It cannot prove what only MySQL 8 does: its optimiser, its own error texts, its collations
(utf8mb4_0900_ai_ci), its locks on a duplicate key.
"""

from django.db.backends.mysql import features

from logviewer.backends.mysql import base


class DatabaseFeatures(features.DatabaseFeatures):
    can_return_columns_from_insert = False
    can_return_rows_from_bulk_insert = False
    has_native_uuid_field = False


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures
