"""Inferences to metrics: one file per question. No I/O."""
