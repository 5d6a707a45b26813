"""Documents: manuals, plans, forms and certificates of sites and their assets, each version kept byte for byte."""
