import { parentPort } from 'node:worker_threads';

import { FramesHere } from '#archive/frames/frame-maker.js';
import { assert } from '#kernel/assert.js';
import { messageOf } from '#kernel/errors.js';

import type { FrameAnswer, FrameRequest } from './frame-messages.js';

type FrameTask = Extract<FrameRequest, { task: 'make' | 'raw' }>;

let frames = new FramesHere(1);
let memories: Buffer[] = [];

/** Works for one backup, until the next one begins. */
async function take(request: FrameRequest): Promise<void> {
  switch (request.task) {
    case 'begin':
      frames = new FramesHere(request.level);
      memories = [];
      return;
    case 'end-data':
      return post({ dataDigest: await frames.endData() });
    case 'make':
    case 'raw':
      return work(request);
    default:
      request satisfies never;
  }
}

async function work({ task, slot, memory, length }: FrameTask): Promise<void> {
  try {
    if (memory) memories[slot] = Buffer.from(memory);
    const data = memories[slot];
    assert(data, 'a frame is to be made of memory that was not shown');
    const { bytes, digest, lies } = await frames[task](data, length);
    // A copy: else all that its memory is shared with would go with it.
    post({ slot, made: { bytes, digest: new Uint8Array(digest), lies } });
  } catch (error) {
    post({ slot, failure: messageOf(error) });
  }
}

function post(answer: FrameAnswer): void {
  parentPort!.postMessage(answer);
}

parentPort!.on('message', (request: FrameRequest) => void take(request));
