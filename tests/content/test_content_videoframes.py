"""Frames of videos: which are taken, that no other file is opened, and that damage ends in a reason."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picturing import clip

from triage.content import videoframes
from triage.content.videoframes import container_format, frames_of

FORMS = {"mp4": "libx264", "matroska": "libvpx", "webm": "libvpx", "avi": "mpeg4", "mpegts": "libx264", "mov": "mpeg4", "flv": "libx264"}


def frames(data: bytes, **options):
    return frames_of(lambda at, n: data[at : at + n], len(data), **options)


@pytest.fixture(scope="module")
def clips() -> dict[str, bytes]:
    return {form: clip([1, 2, 3], form=form, codec=codec) for form, codec in FORMS.items()}


@pytest.mark.parametrize("form", FORMS)
def test_every_container_gives_a_frame_a_scene_at_least(clips, form):
    found = frames(clips[form])
    assert not isinstance(found, str), found
    assert len(found.frames) >= 3
    assert all(len(f.pdq) == 32 and f.quality >= 50 for f in found.frames)
    times = [f.time_ms for f in found.frames]
    assert times == sorted(times)
    assert min((b - a for a, b in itertools.pairwise(times)), default=1000) >= 300


def test_dense_takes_a_frame_a_second(clips):
    assert [f.time_ms for f in frames(clips["mp4"], dense=True).frames] == [0, 1000, 2000, 3000, 4000, 5000]


def test_the_same_bytes_give_the_same_frames(clips):
    assert frames(clips["mp4"]) == frames(clips["mp4"])


def test_limits_are_said(clips):
    found = frames(clips["mp4"], dense=True, limit=2)
    assert (len(found.frames), found.cut) == (2, "only the first 2 frames were taken")


def test_a_still_picture_all_through_is_one_frame():
    import io

    import av
    import numpy as np

    out = io.BytesIO()
    still = np.ascontiguousarray(np.asarray(__import__("picturing").scene(9, (320, 240))))
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(50):
            for packet in stream.encode(av.VideoFrame.from_ndarray(still, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    assert len(frames(out.getvalue(), dense=True).frames) == 1


LISTS = {
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:{path}\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile '{path}'\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_that_name_other_files_are_not_followed(tmp_path, clips, kind):
    path = tmp_path / "secret.mp4"
    path.write_bytes(clips["mp4"])
    assert container_format(LISTS[kind]) is None
    assert "not a video container" in frames(LISTS[kind].replace(b"{path}", str(path).encode()))


def test_a_movie_whose_data_lie_in_another_file_does_not_open_it(tmp_path, clips, monkeypatch):
    asked = []
    monkeypatch.setattr(videoframes, "_refuse", lambda *a, **k: asked.append(a) or (_ for _ in ()).throw(PermissionError("no")))
    data = clips["mov"].replace(b"url \0\0\0\x01", b"url \0\0\0\0")
    found = frames(data)
    assert isinstance(found, str) or found.frames
    assert asked == []


def test_audio_alone_and_what_is_no_video_have_reasons(clips):
    assert "not a video container" in frames(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    assert "not a video container" in frames(b"")
    assert isinstance(frames(clips["mp4"][:200]), str)


def test_a_cut_video_gives_what_stands_before_the_cut(clips):
    found = frames(clips["mpegts"][: len(clips["mpegts"]) * 2 // 3])
    assert len(found.frames) >= 2


@pytest.mark.parametrize("form", sorted(FORMS))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_whatever_the_bytes_there_are_frames_or_a_reason(clips, form, seed):
    rng = random.Random(seed)
    data = bytearray(clips[form])
    for _ in range(rng.randrange(1, 12)):
        at = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(2000, len(data)))
        data[at : at + rng.randrange(6)] = rng.randbytes(rng.randrange(6))
    found = frames(bytes(data[: rng.randrange(100, len(data) + 1)]), limit=20)
    assert isinstance(found, str) or len(found.frames) <= 20


def test_without_the_package_the_reason_says_so(monkeypatch, clips):
    monkeypatch.setattr(videoframes, "_AV", False)
    assert "package av" in frames(clips["mp4"])


@pytest.mark.evidence
def test_a_phones_video_is_decoded(evidence_root):
    data = (evidence_root / "artifacts" / "iped" / "test_videoMp4.mp4").read_bytes()
    found = frames(data)
    assert len(found.frames) >= 20
    assert found.duration_ms == 36906
