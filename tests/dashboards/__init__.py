"""Do the dashboards show something? Every query is asked of a real Prometheus, every panel can be drawn.

`python -m tests.dashboards DIRECTORY` runs all three demos, asks everything and draws each dashboard into
a picture. A stand-in for Grafana for this one purpose, as far as our own panels need it; what it draws is
for judging what the panels say, not how Grafana would paint it.
"""
