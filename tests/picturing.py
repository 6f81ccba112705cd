"""Pictures and videos made for tests: natural enough that their hashes have quality, and none shows anything."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter


def scene(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture of blurred shapes and light that falls off: like a photograph to a perceptual hash."""
    rng = np.random.default_rng(seed)
    width, height = size
    layers = Image.fromarray(rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    detail = Image.fromarray(rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    picture = Image.blend(layers, detail, 0.45)
    for _ in range(6):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = int(rng.integers(width // 12, width // 3)), int(rng.integers(height // 12, height // 3))
        patch = Image.new("RGB", (w, h), tuple(int(v) for v in rng.integers(0, 256, 3)))
        picture.paste(patch, (x, y))
    return picture.filter(ImageFilter.GaussianBlur(1.5))


def encoded(picture: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **({"quality": 90} if form == "JPEG" else {}) | options)
    return out.getvalue()


def clip(
    seeds: list[int],
    *,
    form: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (320, 240),
    fps: int = 10,
    seconds: int = 2,
    rate: int = 400_000,
) -> bytes:
    """A video that shows a scene a seed, each for some seconds, moving a little."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *size, "yuv420p", rate
        for seed in seeds:
            still = np.asarray(scene(seed, size))
            for step in range(fps * seconds):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(still, step, axis=1)), format="rgb24")
                for packet in stream.encode(frame):
                    container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return out.getvalue()
