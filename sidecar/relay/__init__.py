"""The relay: the only part in the path of traffic. Standard library and uvloop only."""
