"""Exchanges that do not come through the relay: recorded files, logged CloudEvents, Envoy's ext_proc."""
