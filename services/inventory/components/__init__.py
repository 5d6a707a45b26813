"""Components: what systems are made of and run on, each with a clock of its own; how much each was used."""
