"""Sources that must be refused with one clear line: ``HOSTILE`` is a list of ``(name, build)``.

``build(folder)`` makes the source in an empty folder and returns what a user would name, or None where it cannot be made
(an unreadable file, for a user who may read everything). Each fails when it is opened, described or read.
"""

import io
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from format_writers import encoded, make_scene, save
from hostile_recordings import HOSTILE_RECORDINGS, noise
from PIL import Image, PngImagePlugin
from rgbd_writers import write_images
from video_writers import write_sound, write_video

Build = Callable[[Path], Path | str | None]
HOSTILE: list[tuple[str, Build]] = [*HOSTILE_RECORDINGS]

NO_LIMITS = os.geteuid() == 0 if hasattr(os, "geteuid") else True


def hostile(build: Build) -> Build:
    HOSTILE.append((build.__name__, build))
    return build


def add(name: str, build: Build) -> None:
    HOSTILE.append((name, build))


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


# Paths -----------------------------------------------------------------------------------------------------------

add("empty_name", lambda folder: "")
add("blank_name", lambda folder: "   ")
add("missing_file", lambda folder: folder / "nothing.mp4")
add("missing_file_with_newline", lambda folder: str(folder / "two\nlines\x1b[31m.mp4"))
add("address", lambda folder: "https://example.org/walk.mp4")
add("stream_address", lambda folder: "rtsp://example.org/camera")
add("name_too_long", lambda folder: str(folder / ("x" * 4000)))
add("unknown_home", lambda folder: "~nobody_of_that_name/walk.mp4")
add("device", lambda folder: "/dev/zero")
add("empty_folder", lambda folder: folder)
add("scene_of_a_missing_folder", lambda folder: str(folder / "none#scene-1"))


@hostile
def symlink_loop(folder):
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


@hostile
def dangling_symlink(folder):
    (folder / "walk.mp4").symlink_to(folder / "gone.mp4")
    return folder / "walk.mp4"


@hostile
def folder_that_contains_itself(folder):
    (folder / "self").symlink_to(folder, target_is_directory=True)
    return folder


@hostile
def pipe(folder):
    os.mkfifo(folder / "walk.mp4")
    return folder / "walk.mp4"


@hostile
def folder_with_a_pipe_for_an_image(folder):
    os.mkfifo(folder / "0.png")
    return folder


@hostile
def unix_socket(folder):
    here = Path.cwd()
    try:  # names of sockets must be short
        os.chdir(folder)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
    finally:
        os.chdir(here)
    return folder / "s"


@hostile
def unreadable_file(folder):
    path = write_video(folder / "walk.mp4", num_frames=2)
    path.chmod(0)
    return None if NO_LIMITS else path


@hostile
def unreadable_folder(folder):
    path = write_images(folder / "walk", make_scene())
    path.chmod(0)
    return None if NO_LIMITS else path


@hostile
def folder_without_images(folder):
    save(folder / "notes.txt", "nothing here")
    return folder


@hostile
def folder_of_empty_folders(folder):
    for name in ("a", "b", "c"):
        (folder / name).mkdir()
    return folder


@hostile
def archive(folder):
    with zipfile.ZipFile(folder / "walk.zip", "w") as file:
        file.writestr("../../escaped.png", encoded(make_scene().rgb[0]))
    return folder / "walk.zip"


# Video files -----------------------------------------------------------------------------------------------------

for name, content in {
    "zero_bytes.mp4": b"",
    "one_byte.mp4": b"\0",
    "text.mp4": b"this is no video\n" * 50,
    "page.webm": b"<!doctype html><html><body>404 not found</body></html>",
    "noise.mp4": noise(20_000),
    "noise.mkv": noise(20_000, 1),
    "noise.ts": noise(188 * 60, 2),
    "zeros.mp4": bytes(50_000),
    "executable.avi": b"\x7fELF" + noise(5000, 3),
    "only_a_brand.mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    "claims_10_gigabytes.mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2\0\0\0\1mdat" + struct.pack(">Q", 10 * 2**30),
    "claims_10_gigabytes.avi": b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrl",
    "claims_10_gigabytes.mkv": b"\x1a\x45\xdf\xa3\x01\0\0\x02\x80\0\0\0",
    "playlist.mp4": b"#EXTM3U\n#EXTINF:10,\n/etc/hostname\n#EXT-X-ENDLIST\n",
    "playlist.m3u8": b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n",
    "script.ffconcat": b"ffconcat version 1.0\nfile /etc/hostname\n",
    "session.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "png.mp4": encoded(make_scene().rgb[0]),
    "jpeg.mkv": encoded(make_scene().rgb[0], "JPEG"),
    "noise.sens": noise(5000, 4),
    "noise.r3d": noise(5000, 5),
    "noise.bin": noise(5000, 6),
    "brace.json": b"{",
    "nested.json": b"[" * 100_000,
}.items():
    add(name, lambda folder, name=name, content=content: save(folder / name, content))

add("sound_alone.wav", lambda folder: write_sound(folder / "sound.wav"))
add("sound_alone.mkv", lambda folder: write_sound(folder / "sound.mkv"))
add("mp4_without_its_end", lambda folder: cut(write_video(folder / "a.mp4"), 0.7))
add("tiny_gif", lambda folder: write_video(folder / "a.gif", "gif", num_frames=3, size_hw=(8, 8), pix_fmt="rgb8"))
add("gif_cut_short", lambda folder: cut(write_video(folder / "a.gif", "gif", num_frames=3, pix_fmt="rgb8"), 0.01))


@hostile
def mp4_without_its_pictures(folder):
    path = write_video(folder / "a.mp4", muxer_options={"movflags": "faststart"})
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 4])
    return path


@hostile
def mp4_whose_pictures_are_noise(folder):
    path = write_video(folder / "a.mp4", muxer_options={"movflags": "faststart"})
    content = path.read_bytes()
    start = content.index(b"mdat") + 4
    path.write_bytes(content[:start] + noise(len(content) - start))
    return path


@hostile
def mp4_whose_pictures_are_zeros(folder):
    path = write_video(folder / "a.mp4", muxer_options={"movflags": "faststart"})
    content = path.read_bytes()
    start = content.index(b"mdat") + 4
    path.write_bytes(content[:start] + bytes(len(content) - start))
    return path


@hostile
def video_20000_px_wide(folder):
    return write_video(folder / "wide.mkv", "ffv1", num_frames=2, size_hw=(16, 20_000))


@hostile
def folder_of_two_videos(folder):
    for name in ("a.mp4", "b.mp4"):
        write_video(folder / name, num_frames=2)
    return folder


# Images ----------------------------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    buffer.write(b"\x89PNG\r\n\x1a\n")
    PngImagePlugin.putchunk(buffer, b"IHDR", struct.pack(">2I", width, height) + b"\x08\x02\0\0\0")
    return buffer.getvalue()


for name, content in {
    "claims_100_gigapixels.png": png_header(2**18, 2**18) + b"\x7f\xff\xff\xffIDAT",
    "claims_a_chunk_of_2_gigabytes.png": png_header(640, 480) + b"\x7f\xff\xff\xffIDAT",
    "header_alone.png": png_header(640, 480),
    "noise.png": noise(3000, 7),
    "noise.jpg": b"\xff\xd8\xff\xe0" + noise(3000, 8),
    "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 640 480\nshowpage\n",
    "drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"/>',
    "empty.jpg": b"",
}.items():
    add(name, lambda folder, name=name, content=content: save(folder / name, content))
    add(f"folder_with_{name}", lambda folder, name=name, content=content: save(folder / name, content).parent)


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


add("image_1x1", lambda folder: saved(folder / "a.png", Image.new("RGB", (1, 1))))
add("image_20000_px_wide", lambda folder: saved(folder / "a.png", Image.new("1", (20_000, 16))))
add("image_of_floats", lambda folder: saved(folder / "a.tif", Image.new("F", (64, 48))))
add("png_cut_short", lambda folder: cut(write_images(folder, make_scene()) / "0.png", 0.6))


@hostile
def folder_with_a_png_cut_short(folder):
    cut(write_images(folder, make_scene()) / "1.png", 0.6)
    return folder


@hostile
def folder_with_an_image_of_another_size(folder):
    write_images(folder, make_scene())
    save(folder / "1.png", encoded(np.zeros((48, 66, 3), np.uint8)))
    return folder


@hostile
def folder_with_an_image_turned_by_exif(folder):
    write_images(folder, make_scene())
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(folder / "2.png", exif=exif)
    return folder


@hostile
def folder_with_intrinsics_of_words(folder):
    save(folder / "intrinsics.txt", "focal length: about 500 px")
    return write_images(folder, make_scene())
