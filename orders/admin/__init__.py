"""Orders and stock in the admin: what staff looks at, and the acts that staff may do."""

from orders.admin import customers, movements, orders, stock

__all__ = ["customers", "movements", "orders", "stock"]
