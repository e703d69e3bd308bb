"""What a model looks at when it is asked about a scene."""

import numpy as np
import pytest

from video3d import pipeline
from video3d.data.presented import recording_of
from video3d.geometry.lift import lift_patches
from video3d.model.processing_video3d import Video3DProcessor

OBJECTS = {"object_head": True, "object_width": 16, "object_colors": ["red", "blue"], "objects_trained": True}


@pytest.mark.parametrize("zoom, max_patches, times", [(1, 24, 1), (2, 24, 2), (2, 600, 1)])
def test_objects_are_looked_for_in_larger_frames_where_these_are_large_enough(
    zoom, max_patches, times, make_model, tokenizer, small_data
) -> None:
    model = make_model(**OBJECTS, categories=["chair", "table", "ball"], object_zoom=zoom, depth_encoding=True).eval()
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=max_patches)
    assert "depth" in processor.geometry  # whose size is that of the frames that are not enlarged
    engine = pipeline.Video3D.around(model, processor)
    scene = engine.read(recording_of(small_data.clip(small_data.clip_ids("test")[0])))
    votes = engine.look(scene).votes
    assert votes is not None and votes.zoom == times
    places = lift_patches(processor.fit_clip(scene.clip, times), processor.patch_px).points_world
    known = np.isfinite(places).all(-1)
    assert np.array_equal(votes.patch, np.flatnonzero(known)) and np.array_equal(votes.frame, np.nonzero(known)[0])
