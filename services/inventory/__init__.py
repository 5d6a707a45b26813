"""Inventory: what the group has: sites, systems, DICOM nodes, components, links, vendors, contracts and people, and the
state each asset is in.

Events in: ``patch.applied``, ``probe.result``, ``advisory.published``, and those that serve as evidence:
``suite.completed``, ``backup.verified``, ``restore.drilled``, ``migration.verified``, ``media.sanitized``,
``training.completed``, ``change.transitioned``, ``window.started``, ``window.ended``, ``window.cancelled``. Events
out: ``group.changed``, ``site.changed``, ``person.changed``, ``field.changed``, ``asset.changed``,
``usage.recorded``, ``asset.transitioned``, ``asset.retired``, ``vendor.changed``, ``product.changed``,
``product_version.changed``, ``contract.changed``, ``link.changed``, ``evidence.changed``, ``waiver.changed``,
``policy.changed``, ``recycler.changed``, ``custody.changed``, ``disposal.recorded``, ``dossier.sealed``,
``dossier.signed``, ``document.changed``, ``software.listed``, ``approved_software.changed``, ``mds2.recorded``,
``replacement.changed``, ``end_rule.changed``, ``alert.raised``, ``alert.resolved``. Effects: none.
"""
