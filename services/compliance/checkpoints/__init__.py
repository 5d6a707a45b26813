"""What the audit log claims and who vouches for it: signed notes, checkpoints, cosignatures, proof files, keys."""
