"""Binds the listeners, runs relay workers and observer, restarts, reloads, drains. Standard library only."""
