"""What outlives a click: caches, the catalogue of runs, the rating store, who may enter."""
