"""Putting the sidecar into pods: what is possible (`interception`), and the webhook that does it.

`planning` and `patch` decide and write, without a cluster; `review` reads and answers what an API server
sends; `cluster` asks it about Services; `server` is the door. A running sidecar imports none of it.
"""
