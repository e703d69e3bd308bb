"""Pure functions on arrays: rigid transforms, lifting, resizing, alignment, gravity, voxels, planes, boxes."""
