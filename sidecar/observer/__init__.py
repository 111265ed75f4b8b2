"""The observer process: chunks to metrics. `observer.py` is the story, `pipeline.py` its cast."""
