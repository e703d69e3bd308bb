"""Video-3D-QA: rows, the simulator, builders for the data sets of the field, the question generator, annotation."""
