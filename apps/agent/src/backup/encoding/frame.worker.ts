import { parentPort } from 'node:worker_threads';

import { FramesHere } from '#archive/frames/frame-maker.js';
import { assert } from '#kernel/assert.js';
import { messageOf } from '#kernel/errors.js';

import type { FrameAnswer, FrameRequest } from './frame-messages.js';

let frames: FramesHere;
let memories: Buffer[] = [];

/** Works for one backup, until the next one begins. */
function take(request: FrameRequest): void {
  if ('level' in request) {
    frames = new FramesHere(request.level);
    memories = [];
  } else void make(request);
}

async function make({ slot, memory, length }: Exclude<FrameRequest, { level: number }>) {
  const post = (answer: FrameAnswer) => parentPort!.postMessage(answer);
  try {
    if (memory) memories[slot] = Buffer.from(memory);
    const data = memories[slot];
    assert(data, 'a frame is to be made of memory that was not shown');
    const { bytes, isRaw, digest } = await frames.make(data, length);
    // A copy: else all that its memory is shared with would go with it.
    post({ slot, made: { bytes, isRaw, digest: new Uint8Array(digest) } });
  } catch (error) {
    post({ slot, failure: messageOf(error) });
  }
}

parentPort!.on('message', take);
