"""Exchanges to inferences: one file per protocol, chosen by evidence. No I/O."""
