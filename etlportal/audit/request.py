"""The id of the request in progress, for log lines and the audit trail; "" outside of one."""

from contextvars import ContextVar

current_request: ContextVar[str] = ContextVar("current_request", default="")
