"""Exchanges that do not come through the relay."""
