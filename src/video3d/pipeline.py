"""From video to answer: the eight steps, in order.

    video -> Clip -> PosedClip -> PatchPoints -> SceneTokens -> LLM -> Answer

``Video3D.read`` is steps 1-3, ``encode`` 4-7, ``ask`` the whole. A scene is read once and encoded once; further
questions on it cost only their own words.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from video3d.analysis import Analysis, How, analyze_scene, in_task_world, wishes_from
from video3d.answers.facts import scene_facts
from video3d.answers.likely import conclusion_of
from video3d.answers.measure import measure
from video3d.answers.model_words import nothing_said
from video3d.answers.pointed import Pointed, answer_at
from video3d.answers.question import MetricQuestion, parse_question
from video3d.answers.results import AnyResult
from video3d.answers.task import check_words, understand
from video3d.answers.unread import unread_measure
from video3d.asking import answer_seen, may_be_seen, may_stand, notes_for, prompt_for, say
from video3d.depth_network import load_depth
from video3d.encoding import NUM_SCENES_KEPT, LookedAt, finders, keep, look, remembered
from video3d.estimate.complete import complete_geometry
from video3d.estimate.depth import depth_parts
from video3d.estimate.reconstruction import missing_camera
from video3d.estimate.segmenters import load_seeing, without_masks
from video3d.estimate.usual_sizes import in_metres
from video3d.geometry.gravity import align_to_gravity
from video3d.grounding import check_phrase, ground
from video3d.scene import KeptScene, Scene, every_pose, frames_of, opened, scene_of_recording, source_identity, timed
from video3d.types import Answer, Detection, Evidence, InputError, Recording
from video3d.types.depth import DEPTH_OF_VIEWS
from video3d.types.detector import EMBEDDED, Detector
from video3d.types.grounding import Grounding
from video3d.video import forget, read_clip, register_colour, sample_uniform, with_colour_notes

if TYPE_CHECKING:
    from video3d.estimate.camera_estimate import CameraEstimate
    from video3d.model.modeling_video3d import Video3DForConditionalGeneration
    from video3d.model.processing_video3d import Video3DProcessor
    from video3d.types.depth import DepthEstimator

MAX_ANSWER_TOKENS = 96
OF_THE_RECORDING = ("duration", "num_frames")  # kinds of questions that need no geometry


class Video3D:
    """Answers questions about videos. Made by ``load``; the model's weights are read when its words are first needed.

    Args:
        name: ``nano``, a model folder, or a Hugging Face id.
        depth, detector, segmenter: see ``load``.
    """

    def __init__(
        self, name: str = "nano", *, depth: str = DEPTH_OF_VIEWS, detector: str = EMBEDDED, segmenter: str = "none"
    ) -> None:
        self.detector_name, self.segmenter_name = detector, segmenter
        self.name, (self.network_name, self.compare_views) = name, depth_parts(depth)
        # With what was asked for, so that a Recording's id stays its own as long as its scene is kept.
        self._scenes: OrderedDict[tuple[Any, ...], tuple[Any, Scene]] = OrderedDict()
        # By the scene's id, with the scene, so that its id stays its own.
        self._looked: OrderedDict[int, LookedAt] = OrderedDict()
        self._encoded: OrderedDict[int, KeptScene] = OrderedDict()

    @classmethod
    def around(
        cls, model: "Video3DForConditionalGeneration", processor: "Video3DProcessor", name: str = "given", *, depth: str = DEPTH_OF_VIEWS,
    ) -> "Video3D":  # fmt: skip
        """The path around a model that is in memory already, such as one that is being trained."""
        engine = cls(name, depth=depth)
        engine.model_and_processor = (model, processor)
        return engine

    @cached_property
    def model_and_processor(self) -> "tuple[Video3DForConditionalGeneration, Video3DProcessor]":
        """The model and its processor, loaded on first use."""
        from video3d.model.nano import load_model

        return load_model(self.name)

    @cached_property
    def depth_estimator(self) -> "DepthEstimator | None":
        """The depth network, loaded on first use; None where none was named."""
        return load_depth(self.network_name)

    @cached_property
    def detector(self) -> Detector | None:
        """The detector, loaded on first use; None where none was wanted."""
        return load_seeing(self.detector_name, self.segmenter_name)

    def read(
        self,
        video: str | Path | Recording,
        *,
        num_frames: int = 32,
        ignore: frozenset[str] = frozenset(),
        frames: tuple[int, ...] = (),
        camera: "CameraEstimate | None" = None,
    ) -> Scene:
        """Steps 1-3: reads frames, completes their geometry, stands the world upright, and measures what is there.

        Args:
            video: a path, or a recording that is already open.
            num_frames: how many frames, evenly spread.
            ignore: what to treat as missing: ``depth``, ``poses``, ``intrinsics``.
            frames: further frames (indices into the recording) that must be among those read.
            camera: structure from motion of this very recording, if it has been run before.

        Raises:
            InputError: the source cannot be read.
        """
        timings: dict[str, float] = {}
        if self.network_name != "none":
            with timed(timings, "load depth network"):  # a wrong name should not be found out after the long work
                _ = self.depth_estimator
        with timed(timings, "open"):
            recording = opened(video)
        if not recording.colour_registered:
            with timed(timings, "register colour"):
                recording = register_colour(recording)
        with timed(timings, "read"):
            recording = forget(recording, ignore) if ignore else recording
            even = sample_uniform(recording.num_frames, num_frames, rig=recording.rig)
            clip = read_clip(recording, indices=np.union1d(even, np.array(frames, dtype=np.int64)))
        if camera is None:
            with timed(timings, "camera"):
                camera = missing_camera(recording, include=clip.frame_index.tolist())
        with timed(timings, "geometry"):
            posed = complete_geometry(
                clip, depth_estimator=self.depth_estimator, camera=camera, video_depth=self.compare_views
            )
            posed = in_metres(posed, lambda: without_masks(self.detector), network=self.network_name)
            posed = align_to_gravity(with_colour_notes(posed, recording))
        with timed(timings, "facts"):
            facts = scene_facts(
                posed,
                all_world_from_camera=every_pose(posed, recording.num_frames),
                all_time_s=recording.time_s,
                sequence=recording.sequence,
            )
        return Scene(recording=recording, clip=posed, facts=facts, camera=camera, timings_s=timings)

    def look(self, scene: Scene) -> LookedAt:
        """Steps 4-7, the half that looks: the scene's tokens and the objects that a trained model finds; done once, then kept."""
        return remembered(self._looked, scene, lambda: look(*self.model_and_processor, scene, lambda: self.detector))

    def encode(self, scene: Scene) -> KeptScene:
        """Step 7, the half that reads: the scene as the language model has read it; done once, then kept."""
        return remembered(self._encoded, scene, lambda: keep(*self.model_and_processor, self.look(scene)))

    def objects_of(self, scene: Scene) -> tuple[Detection, ...]:
        """Objects with names: what came with the scene, else what the model finds; its weights are read only where it can."""
        if scene.facts.objects or not self._finds_objects():
            return scene.facts.objects
        return self.look(scene).objects

    def _finds_objects(self) -> bool:
        if "model_and_processor" in self.__dict__:
            config = self.model_and_processor[0].config
            return config.objects_trained or config.reasoning_trained
        from video3d.model.trained import finds_objects  # without reading weights

        return finds_objects(self.name)

    def prompt(self, scene: Scene, question: str) -> str:
        """What the model reads of a question besides the scene itself."""
        return prompt_for(self.model_and_processor[0], self.look(scene), question)

    def say(self, scene: Scene, question: str) -> str:
        """Steps 6-7: what the model says to a question on a scene: what geometry concludes, else in its own words."""
        return self.say_all(scene, (question,))[0]

    def say_all(self, scene: Scene, questions: Sequence[str]) -> list[str]:
        """What the model says to several questions on a scene, each as if it were asked alone."""
        model, looked = self.model_and_processor[0], self.look(scene)
        known = [conclusion_of(notes_for(model, looked, question)) for question in questions]
        left = [question for question, found in zip(questions, known, strict=True) if found is None]
        said = iter(self.words(scene, left) if left else ())
        return [next(said) if found is None else found.words for found in known]

    def words(self, scene: Scene, questions: Sequence[str]) -> list[str]:
        """What the language model says to several questions on a scene, whatever geometry concludes; read at once."""
        looked, kept = self.look(scene), self.encode(scene)
        return say(*self.model_and_processor, looked, kept, questions, max_tokens=MAX_ANSWER_TOKENS)

    def ask(
        self,
        video: str | Path | Recording | Scene,
        query: str,
        *,
        num_frames: int = 32,
        ignore: frozenset[str] = frozenset(),
        at: Pointed | None = None,
    ) -> Answer:
        """Answers a question: from measurement where geometry can tell, else by the model with the facts before it.

        Args:
            video: a path, an open recording, or a scene from ``read``.
            query: the question, in words.
            num_frames: how many frames to read, evenly spread.
            ignore: what to treat as missing: ``depth``, ``poses``, ``intrinsics``.
            at: a pixel or a box that "this" in the question means.

        Raises:
            InputError: the source cannot be read, the question is empty or too long, or the recording has no such place.
        """
        check_words(query, "question", empty=False)
        started = time.perf_counter()
        if at is not None:
            answer = self._answer_at(video, query, at, num_frames, ignore)
            return replace(answer, timings_s=answer.timings_s | {"total": time.perf_counter() - started})
        question = parse_question(query)
        if question is not None and question.kind in OF_THE_RECORDING and not isinstance(video, Scene):
            scene, timings = scene_of_recording(video), {}
        else:
            scene, timings = self._scene(video, question, num_frames, ignore)
        if question is None and self._finds_objects() and may_be_seen(query):
            with timed(timings, "objects"):
                seen = self.model_and_processor[0], self.look(scene)
                answer = answer_seen(*seen, query, lambda: without_masks(self.detector))
            if answer:
                return replace(answer, timings_s=timings | {"total": time.perf_counter() - started})
        with timed(timings, "measure"):  # an amount that nobody measured is not the model's to make up either
            found = unread_measure(query) if question is None else measure(question, scene.clip, scene.facts)
        if found is not None:
            rests_on = {"quantities": found.quantities, "evidence": found.evidence, "geometry": scene.clip.status}
            answer = Answer(text=found.text, source=found.source, kind=found.kind, **rests_on)
        else:
            with timed(timings, "load"):
                _ = self.model_and_processor
            with timed(timings, "encode"):
                self.encode(scene)
            with timed(timings, "generate"):
                answer = self._open_answer(scene, query)
        return replace(answer, timings_s=timings | {"total": time.perf_counter() - started})

    def ground(
        self,
        video: str | Path | Recording | Scene,
        phrase: str,
        *,
        num_frames: int = 32,
        ignore: frozenset[str] = frozenset(),
        threshold: float = 0.4,
    ) -> Grounding:
        """The objects that a phrase means, as boxes in the world, or an explicit nothing that says why.

        Args:
            video: a path, an open recording, or a scene from ``read``.
            phrase: a description, "the chair by the window".
            num_frames: how many frames to read, evenly spread.
            ignore: what to treat as missing: ``depth``, ``poses``, ``intrinsics``.
            threshold: objects are taken, best first, until the model's shares of them sum up to this.

        Raises:
            InputError: the source cannot be read, or the phrase is empty or too long.
        """
        check_phrase(phrase)
        scene = self._scene(video, None, num_frames, ignore)[0]
        return ground(
            phrase,
            scene.clip,
            scene.facts,
            name=self.name,
            model=lambda: self.model_and_processor,
            kept=lambda: self.encode(scene),
            threshold=threshold,
            finders=lambda: finders(self.look(scene)),
        )

    def analyze(
        self, video: str | Path | Recording | Scene, query: str = "", *, task: str | None = None, **how: Unpack[How]
    ) -> AnyResult:
        """What robots, cars and AR need of a scene, typed: see ``answers.results``.

        Args:
            video: a path, an open recording, or a scene from ``read``.
            query: in words; it decides the task where none is given, and names goals and sizes.
            task: ``navigation``, ``driving``, ``placement`` or ``scene``.
            **how: ``num_frames`` and ``ignore`` as in ``read``, and the options of ``analysis.Options``.

        Raises:
            InputError: the source cannot be read, or the query or an option cannot be used.
        """
        return self.analysis(video, query, task=task, **how).result

    def analysis(
        self, video: str | Path | Recording | Scene, query: str = "", *, task: str | None = None, **how: Unpack[How]
    ) -> Analysis:
        """``analyze`` with what its files are made of besides: the map behind a navigation result."""
        num_frames, ignore = how.pop("num_frames", 32), how.pop("ignore", frozenset())
        asked = understand(query, task, wishes_from(how, self.segmenter_name))
        scene, timings = self._scene(video, None, num_frames, ignore)
        scene, _ = in_task_world(scene, asked)
        answer = None
        if asked.query and (asked.task == "scene" or parse_question(asked.query) is not None):
            answer = self.ask(scene, asked.query)
            timings |= {name: value for name, value in answer.timings_s.items() if name != "total"}
        with timed(timings, "objects"):
            objects = self.objects_of(scene)
        return analyze_scene(scene, asked, objects, answer=answer, timings_s=timings)

    def _answer_at(
        self, video: str | Path | Recording | Scene, query: str, at: Pointed, num_frames: int, ignore: frozenset[str]
    ) -> Answer:
        """The answer to a question about a place in a frame."""
        recording = opened(video)
        at.check(recording.num_frames, recording.size_hw)  # before the long work
        there = parse_question(f"depth of pixel (0, 0) in frame {at.frame}")
        scene, timings = self._scene(video, there, num_frames, ignore)

        def speak(words: str, place: tuple[float, float, float] | None) -> str:
            with timed(timings, "generate"):
                looked, kept, model = self.look(scene), self.encode(scene), self.model_and_processor
                said = say(*model, looked, kept, [words], max_tokens=MAX_ANSWER_TOKENS, place=place)[0]
            return may_stand(model[0], looked, words, said)

        answer = answer_at(query, at, scene.clip, scene.facts, objects=lambda: self.objects_of(scene), say=speak)
        return replace(answer, timings_s=timings)

    def _open_answer(self, scene: Scene, query: str) -> Answer:
        text = may_stand(self.model_and_processor[0], self.look(scene), query, self.words(scene, (query,))[0])
        source = "model" if text else "unknown"
        text = text or nothing_said(query, scene.facts.lines())
        seen = Evidence(frames=tuple(int(i) for i in scene.clip.frame_index))
        return Answer(text=text, source=source, kind="open", evidence=seen, geometry=scene.clip.status)

    def _scene(
        self,
        video: str | Path | Recording | Scene,
        question: MetricQuestion | None,
        num_frames: int,
        ignore: frozenset[str],
    ) -> tuple[Scene, dict[str, float]]:
        """The scene, kept from an earlier question where it can be, with the frames that the question names."""
        if isinstance(video, Scene):
            scene, timings = video, {}
        else:
            key = (source_identity(video), num_frames, ignore)
            kept = self._scenes.get(key)
            if kept is None:
                recording = opened(video)
                frames = frames_of(question, recording)
                scene = self.read(recording, num_frames=num_frames, ignore=ignore, frames=frames)
                timings = dict(scene.timings_s)
                self._scenes[key] = (video, scene)
                while len(self._scenes) > NUM_SCENES_KEPT:
                    self._scenes.popitem(last=False)
            else:
                scene, timings = kept[1], {}
                self._scenes.move_to_end(key)
        missing = set(frames_of(question, scene.recording)) - set(scene.clip.frame_index.tolist())
        if missing:  # same recording, same cameras: only these frames are new
            frames = tuple(sorted({*scene.clip.frame_index.tolist(), *missing}))
            more = self.read(scene.recording, num_frames=1, frames=frames, camera=scene.camera)
            if scene.camera is not None and (more.clip.piece[np.isin(more.clip.frame_index, list(missing))] < 0).any():
                more = self.read(scene.recording, num_frames=1, frames=frames)  # calibrated with the named frames in it
            return more, timings | more.timings_s
        return scene, timings


def load(
    name: str = "nano", *, depth: str = DEPTH_OF_VIEWS, detector: str = EMBEDDED, segmenter: str = "none"
) -> Video3D:
    """An object with ``ask(video, query)`` and ``analyze(video, query)``.

    Args:
        name: ``nano`` (its weights come with the package), a model folder, or a Hugging Face id.
        depth: where a recording has none: ``none`` (reconstructed points only), a network's name (as for ``load_depth``),
            ``video:none`` (many views compared, 2-3 s a frame), ``video`` or ``video:NAME`` (nano or NAME, and many views).
        detector: what sees things besides nano's patches: ``yolov4-tiny`` (embedded), ``none``, or as for ``load_detector``.
        segmenter: what tells things from the rest of a detector's boxes: ``none``, or a name as for ``load_segmenter``.

    Raises:
        InputError: no such model, detector or segmenter, no detector for the segmenter, or no name of depth.

    >>> load("nano").name
    'nano'
    """
    if name != "nano" and not Path(name).is_dir() and name.count("/") != 1:
        raise InputError(name, expected="nano, a model folder, or a Hugging Face id (owner/name)", got="none of these")
    engine = Video3D(name, depth=depth, detector=detector, segmenter=segmenter)
    if (
        detector not in ("none", EMBEDDED) or segmenter != "none"
    ):  # a wrong name should not be found out after the long work
        _ = engine.detector
    return engine
