"""One asset: where it stands in its life, what its next step lacks, what it consists of, needs, and went through."""
