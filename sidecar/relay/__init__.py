"""The relay: the only part in the path of traffic. Standard library only."""
