"""References: building, learning, loading and keeping them."""
