"""A real model server, real data and a scripted incident."""
