// Uses a server as OpenAI's own library for Node does, unmodified: its address and a key in the environment.

import assert from 'node:assert/strict';
import OpenAI, { toFile } from 'openai';

const client = new OpenAI({ baseURL: `${process.env.REEL_HOST}/v1`, apiKey: process.env.REEL_API_KEY });
const { videos } = client;

const ended = async (video) => {
  while (!['completed', 'failed'].includes(video.status)) {
    video = await videos.retrieve(video.id);
  }
  return video;
};

const listed = async (query) => {
  const ids = [];
  for await (const video of videos.list(query)) ids.push(video.id);
  return ids;
};

// One pixel.
const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

const first = await videos.create({ model: 'sora-2', prompt: 'a fox jumps over a creek', seconds: '4', size: '1280x720' });
assert.deepEqual([first.object, first.status, first.size, first.seconds], ['video', 'queued', '1280x720', '4']);
const done = await ended(first);
assert.deepEqual([done.status, done.progress], ['completed', 100]);

const animated = await videos.create({ prompt: 'it moves', input_reference: await toFile(png, 'fox.png', { type: 'image/png' }) });
assert.equal((await ended(animated)).status, 'completed');

const clip = Buffer.from(await (await videos.downloadContent(done.id)).arrayBuffer());
assert.equal(clip.toString('latin1', 4, 8), 'ftyp');
const thumbnail = Buffer.from(await (await videos.downloadContent(done.id, { variant: 'thumbnail' })).arrayBuffer());
assert.equal(thumbnail.toString('latin1', 8, 12), 'WEBP');

const remix = await videos.remix(done.id, { prompt: 'at night' });
assert.equal(remix.remixed_from_video_id, done.id);
const edit = await videos.edit({ video: { id: done.id }, prompt: 'in winter' });
assert.equal(edit.remixed_from_video_id, done.id);
const extended = await videos.extend({ video: { id: done.id }, prompt: 'it lands', seconds: '8' });
assert.equal(extended.seconds, '8');
for (const video of [remix, edit, extended]) assert.equal((await ended(video)).status, 'completed');

const made = [first, animated, remix, edit, extended].map((video) => video.id);
assert.deepEqual(await listed({ limit: 2, order: 'asc' }), made);
assert.deepEqual(await listed({ limit: 2 }), made.toReversed());

const gone = await videos.delete(done.id);
assert.deepEqual([gone.id, gone.deleted], [done.id, true]);
await assert.rejects(videos.retrieve(done.id), (error) => error instanceof OpenAI.NotFoundError && error.code === 'task_not_found');
await assert.rejects(videos.create({ prompt: 'a fox', seconds: '7' }), (error) => error.status === 400 && error.param === 'seconds');
