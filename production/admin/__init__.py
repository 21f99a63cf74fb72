"""Production in the admin: operations and anomalies to look at, master data to edit."""

from production.admin import anomalies, master_data, operations

__all__ = ["anomalies", "master_data", "operations"]  # each registers its pages
