"""Components: found by words of their names, makers and serial numbers, at one site or at all."""
