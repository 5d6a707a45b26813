"""Changes: what is altered on a system; in this first form, the patches that were applied."""
