"""Uses a server as OpenAI's own library for Python does, unmodified: its address and a key in the environment."""

import os
import struct
import zlib

import openai

client = openai.OpenAI(
    base_url=os.environ["REEL_HOST"] + "/v1",
    api_key=os.environ["REEL_API_KEY"],
    _strict_response_validation=True,
)
videos = client.videos


def png(width, height):
    """A picture, as a file that somebody has."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + b"\x40\x80\xc0" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"not refused with {kind.__name__}")


first = videos.create(model="sora-2", prompt="a fox jumps over a creek", seconds="4", size="1280x720")
assert (first.object, first.status, first.size, first.seconds) == ("video", "queued", "1280x720", "4"), first
assert videos.retrieve(first.id).id == first.id

done = videos.create_and_poll(prompt="a fox in the snow", poll_interval_ms=50)
assert (done.status, done.progress, done.model, done.size) == ("completed", 100, "sora-2", "720x1280"), done

animated = videos.create(prompt="it moves", input_reference=("fox.png", png(720, 1280), "image/png"))
animated = videos.poll(animated.id, poll_interval_ms=50)
assert animated.status == "completed", animated

clip = videos.download_content(done.id).read()
assert clip[4:8] == b"ftyp", clip[:16]
for variant in ("thumbnail", "spritesheet"):
    picture = videos.download_content(done.id, variant=variant).read()
    assert picture[:4] == b"RIFF" and picture[8:12] == b"WEBP", picture[:16]

derived = [
    videos.remix(done.id, prompt="at night"),
    # This library takes no {"id": …} for a video; the one for Node does.
    videos.edit(video=("clip.mp4", clip, "video/mp4"), prompt="in winter"),
    videos.extend(video=("clip.mp4", clip, "video/mp4"), prompt="it lands", seconds="8"),
]
assert [video.remixed_from_video_id for video in derived] == [done.id, None, None], derived
for video in derived:
    assert videos.poll(video.id, poll_interval_ms=50).status == "completed"

made = [first, done, animated, *derived]
assert [video.id for video in videos.list(limit=2, order="asc")] == [video.id for video in made]
assert [video.id for video in videos.list(limit=3)] == [video.id for video in reversed(made)]

failed = videos.create_and_poll(prompt="[sandbox:moderation]", poll_interval_ms=50)
assert (failed.status, failed.error.code) == ("failed", "moderation"), failed

gone = videos.delete(done.id)
assert (gone.id, gone.deleted, gone.object) == (done.id, True, "video.deleted"), gone
assert refused(openai.NotFoundError, lambda: videos.retrieve(done.id)).code == "task_not_found"
wrong = refused(openai.BadRequestError, lambda: videos.create(prompt="a fox", seconds="7"))
assert (wrong.param, wrong.code, wrong.type) == ("seconds", "invalid_request", "invalid_request_error"), wrong
assert wrong.request_id
stranger = client.with_options(api_key="sk-nobody")
assert refused(openai.AuthenticationError, lambda: stranger.videos.retrieve(first.id)).code == "unauthorized"
assert any(model.id == "sora-2" for model in client.models.list())
