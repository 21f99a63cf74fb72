"""Reception and transfer in the admin: records as received, batches, runs; all to look at.

Three acts: putting records in error back in the queue, setting them aside with a reason, and
starting a transfer.
"""

from ingestion.admin import batches, raw, runs

__all__ = ["batches", "raw", "runs"]  # each registers its pages
