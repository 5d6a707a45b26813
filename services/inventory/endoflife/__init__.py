"""End of life: when each component must be replaced, and why; by budget year; orders ahead of it by lead time."""
