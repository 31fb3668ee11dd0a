import type { Worker } from 'node:worker_threads';

import { piecesIn, type FrameMaker, type MadeFrame } from '#archive/frames/frame-maker.js';
import { assert } from '#kernel/assert.js';

import { WorkerPool } from '../worker-pool.js';
import type { FrameAnswer, FrameRequest } from './frame-messages.js';

/** The threads of this process, from the compiled code. */
const ENCODERS = new WorkerPool(new URL('./frame.worker.js', import.meta.url));

/** A thread that has made more is not kept for the next backup. Frames; of each, memory of a mebibyte was shared with it. */
const KEPT_FRAMES_MAX = 64;

interface Making {
  readonly memory: Buffer;
  readonly length: number;
  readonly resolve: (frame: MadeFrame) => void;
  readonly reject: (reason: Error) => void;
}

interface Ending {
  readonly resolve: (digest: string) => void;
  readonly reject: (reason: Error) => void;
}

/**
 * Makes the frames of one backup on a thread of its own: it samples and hashes them, and has them compressed on libuv's
 * pool, so that a thread that serves connections does neither. Memories have to be shared ones, as a whole.
 */
export class FrameThread implements FrameMaker {
  readonly #worker: Worker;
  readonly #slots = new Map<ArrayBufferLike, number>();
  readonly #making = new Map<number, Making>();
  /** Ends of data that were asked for, in order. */
  readonly #ending: Ending[] = [];
  #frames = 0;
  #failure: Error | undefined;
  #ended = false;

  /** @param level 1 (fastest) to 19 */
  constructor(
    level: number,
    private readonly pool: WorkerPool = ENCODERS,
  ) {
    this.#worker = pool.take();
    this.#worker.on('message', (answer: FrameAnswer) => this.#take(answer));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', (code) => {
      this.#fail(new Error(`The thread that makes frames ended early (code ${code})`));
    });
    this.#post({ task: 'begin', level });
  }

  make(memory: Buffer, length: number): Promise<MadeFrame> {
    return this.#work('make', memory, length);
  }

  raw(memory: Buffer, length: number): Promise<MadeFrame> {
    return this.#work('raw', memory, length);
  }

  endData(): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(this.#over);
      this.#ending.push({ resolve, reject });
      this.#post({ task: 'end-data' });
    });
  }

  /** Lets go of the thread when what it is making is made. Whoever asks for more gets an error: it works for others then. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#letGo();
  }

  #letGo(): void {
    const isIdle = this.#making.size === 0 && this.#ending.length === 0;
    if (!isIdle || this.#failure) return;
    if (this.#frames <= KEPT_FRAMES_MAX) this.pool.giveBack(this.#worker);
    else this.pool.dismiss(this.#worker);
  }

  get #over(): Error | undefined {
    return (
      this.#failure ?? (this.#ended ? new Error('The backup of these frames has ended') : undefined)
    );
  }

  #work(task: 'make' | 'raw', memory: Buffer, length: number): Promise<MadeFrame> {
    const { buffer } = memory;
    assert(buffer instanceof SharedArrayBuffer, 'a frame is to be made of memory of one thread');
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(this.#over);
      const known = this.#slots.get(buffer);
      const slot = known ?? this.#slots.size;
      this.#slots.set(buffer, slot);
      assert(!this.#making.has(slot), 'two frames are to be made in one memory');
      this.#making.set(slot, { memory, length, resolve, reject });
      this.#post({ task, slot, memory: known === undefined ? buffer : undefined, length });
    });
  }

  #post(request: FrameRequest): void {
    this.#worker.postMessage(request);
  }

  #take(answer: FrameAnswer): void {
    if ('dataDigest' in answer) this.#ending.shift()!.resolve(answer.dataDigest);
    else this.#takeFrame(answer);
    if (this.#ended) this.#letGo();
  }

  #takeFrame(answer: Extract<FrameAnswer, { slot: number }>): void {
    const making = this.#making.get(answer.slot);
    assert(making, 'a frame was made that nobody asked for');
    this.#making.delete(answer.slot);
    this.#frames += 1;
    if ('failure' in answer) return making.reject(new Error(answer.failure));
    const { buffer, byteOffset, length } = answer.made.digest;
    const facts = { ...answer.made, digest: Buffer.from(buffer, byteOffset, length) };
    making.resolve({ ...facts, pieces: piecesIn(making.memory, making.length, facts) });
  }

  #fail(reason: Error): void {
    this.#failure ??= reason;
    for (const { reject } of [...this.#making.values(), ...this.#ending.splice(0)]) reject(reason);
    this.#making.clear();
  }
}
