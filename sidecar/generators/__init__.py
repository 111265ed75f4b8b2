"""Rules, dashboards and reference docs: text from the catalogue and the objectives."""
