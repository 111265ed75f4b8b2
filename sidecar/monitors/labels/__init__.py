"""Labels that arrive after their predictions, and how good the predictions then turn out to be."""
