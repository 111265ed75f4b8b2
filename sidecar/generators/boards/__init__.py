"""Grafana dashboards: the panels, the rows, and the dashboards made of them. Needs the extra `dashboards`."""
