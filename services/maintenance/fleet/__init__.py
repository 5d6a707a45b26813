"""Fleet: the sites and systems that work is done on, as inventory told of them."""
