"""History: each change with what was before and after, by whom and why; the group at any time; two states compared."""
