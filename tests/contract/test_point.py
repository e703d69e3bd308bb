"""A place that is pointed at, as the model reads it."""

import torch

from video3d import pipeline
from video3d.answers.pointed import Pointed
from video3d.model.processing_video3d import Video3DProcessor

COORD = 9


def test_a_model_with_a_word_for_places_reads_the_place_behind_the_question(room, make_model, tokenizer, monkeypatch):
    monkeypatch.setattr(pipeline, "MAX_ANSWER_TOKENS", 2)
    scene = None
    for coord in (None, COORD):
        model = make_model(coord_token_id=coord)
        engine = pipeline.Video3D.around(model, Video3DProcessor.for_model(model.config, tokenizer, max_patches=24))
        scene = scene or engine.read(room, num_frames=2)
        given, spoken = [], model.generate

        def generate(ids, given=given, spoken=spoken, **settings):
            given.append((ids, settings))
            return spoken(ids, **settings)

        model.generate = generate
        answer = engine.ask(scene, "Can I sit on this?", at=Pointed(frame=0, x=100.0, y=80.0))
        (ids, settings), place = given[0], answer.evidence.points_world[0]
        text = tokenizer.decode(ids[0])
        assert "Can I sit on this?" in text and "pixel (100, 80) of frame 0" in text
        assert int((ids == COORD).sum()) == (coord is not None) == ("coord_points" in settings)
        if coord is not None:
            points = settings["coord_points"].double()
            assert torch.allclose(points, torch.tensor([[place]], dtype=torch.float64), atol=1e-5)
            behind = tokenizer.decode(ids[0, int((ids[0] == COORD).nonzero()) + 1 :])
            assert behind.startswith("<end>")  # nothing of the question stands behind it
