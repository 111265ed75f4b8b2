"""Chunks to exchanges: passive readers of what crosses a connection. No I/O."""
