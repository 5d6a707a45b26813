"""Inventory: what the group has: its sites, systems, DICOM nodes and people, and the state each asset is in.

Events in: ``patch.applied``. Events out: ``site.changed``, ``person.changed``, ``asset.changed``,
``asset.transitioned``, ``asset.retired``. Effects: none.
"""
