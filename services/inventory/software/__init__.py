"""Software: what each asset runs by its SBOM, what of it nobody approved, and what makers answer about security."""
