import { mkdirSync, writeFileSync } from 'node:fs';

import { decompress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';

import { decodeFrameTable, isFrameTable } from '#archive/frames/frame-table.js';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { encodeSeekTable } from '#archive/frames/seek-table.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import type { DigestedFrame, FrameOfChunks } from '#transfer/fragment-writer-client.js';
import type { Finish, Seal } from '#transfer/payloads.js';

import type { RecipeClient } from '../chunks/chunk-sink.js';

export interface ChunkVolumeOptions {
  readonly frameBytes: number;
  readonly fragmentBytesMax?: number;
  readonly idsPerAskMax?: number;
  /** Is awaited before each answer. */
  readonly beforeAnswer?: () => Promise<void>;
}

/**
 * A volume in memory that deduplicates, for one image, in place of the connection to it. It checks what a media
 * server and its readers check, and writes what a reader would get to a folder. For tests.
 */
export class ChunkVolume implements RecipeClient {
  readonly chunksThere = new Map<string, Buffer>();
  readonly asked: number[] = [];
  readonly frameSizes: number[] = [];
  readonly seals: Seal[] = [];
  readonly names: NamedChunk[] = [];
  sentBytes = 0;
  totals: Finish | undefined;
  unanswered = 0;
  unansweredMost = 0;
  #answering: Promise<unknown> = Promise.resolve();
  #named: Buffer[] = [];
  #index: Buffer[] = [];
  #readyAt = { nextFragment: 1, archiveOffset: 0 };

  constructor(
    readonly folder: string,
    private readonly options: ChunkVolumeOptions,
  ) {
    mkdirSync(folder, { recursive: true });
  }

  get ready() {
    const { frameBytes, fragmentBytesMax = 1024 ** 3, idsPerAskMax = 4_096 } = this.options;
    return { fragmentBytesMax, ...this.#readyAt, chunks: { idsPerAskMax, frameBytes } };
  }

  /** As after another connection: what was begun and not sealed is gone, its chunks are there. */
  goOn(): void {
    const last = this.seals.at(-1);
    this.#named = [];
    this.#index = [];
    this.#readyAt = {
      nextFragment: this.seals.length + 1,
      archiveOffset: last ? last.archiveOffset + last.archiveBytes : 0,
    };
  }

  ask(ids: readonly Buffer[]): Promise<boolean[]> {
    this.asked.push(ids.length);
    this.unanswered += 1;
    this.unansweredMost = Math.max(this.unansweredMost, this.unanswered);
    // As it is when the question comes in, not when the answer goes out.
    const known = ids.map((id) => this.chunksThere.has(id.toString('latin1')));
    const answer = this.#answering.then(() => this.options.beforeAnswer?.());
    this.#answering = answer;
    return answer.then(() => {
      this.unanswered -= 1;
      return known;
    });
  }

  async chunks({ chunks, pieces, digest, gone }: FrameOfChunks): Promise<void> {
    const bytes = Buffer.concat(pieces as Buffer<ArrayBuffer>[]);
    gone?.();
    expectSame(blake3(bytes), digest, 'the digest of a frame of chunks');
    this.sentBytes += bytes.length;
    const data = await decompress(bytes);
    this.frameSizes.push(data.length);
    let at = 0;
    for (const { id, length } of chunks) {
      const chunk = data.subarray(at, at + length);
      expectSame(blake3(chunk), id, 'the id of a chunk');
      const key = id.toString('latin1');
      if (this.chunksThere.has(key)) throw new Error('A chunk is sent that is there');
      this.chunksThere.set(key, chunk);
      at += length;
    }
    if (at !== data.length) throw new Error('A frame holds more than its chunks');
  }

  recipe(chunks: readonly NamedChunk[]): Promise<void> {
    for (const chunk of chunks) {
      const bytes = this.chunksThere.get(chunk.id.toString('latin1'));
      if (bytes?.length !== chunk.length) throw new Error('A chunk is named that is not there');
      this.#named.push(bytes);
      this.names.push(chunk);
    }
    return Promise.resolve();
  }

  index({ bytes, digest }: DigestedFrame): Promise<void> {
    expectSame(blake3(bytes), digest, 'the digest of an index block');
    this.#index.push(bytes);
    return Promise.resolve();
  }

  seal(seal: Seal): Promise<void> {
    const archive = Buffer.concat(this.#named);
    const frames: Buffer[] = [];
    const { frameBytes } = this.options;
    for (let at = 0; at < archive.length; at += frameBytes) {
      frames.push(rawFrame(archive.subarray(at, at + frameBytes)));
    }
    const table = decodeFrameTable(this.#index.find(isFrameTable)!);
    if (table.length !== frames.length) throw new Error('The frame table has other frames');
    table.forEach(({ digest }, n) => expectSame(blake3(frames[n]!), digest, `frame ${n}`));
    const data = Buffer.concat([...frames, encodeSeekTable(table)]);
    if (data.length > this.ready.fragmentBytesMax) throw new Error('Too large a fragment');
    expectSame(blake3(data), Buffer.from(seal.dataDigest!, 'hex'), 'the digest of the data');
    if (seal.archiveBytes !== archive.length) throw new Error('A SEAL has other bytes');
    const base = `${this.folder}/${String(seal.number).padStart(5, '0')}`;
    writeFileSync(`${base}.tar.zst`, data);
    writeFileSync(`${base}.idx.zst`, Buffer.concat(this.#index));
    this.seals.push(seal);
    this.#named = [];
    this.#index = [];
    return Promise.resolve();
  }

  finish(totals: Finish): Promise<void> {
    this.totals = totals;
    return Promise.resolve();
  }
}

function expectSame(found: Buffer, stated: Buffer, what: string): void {
  if (!found.equals(stated)) throw new Error(`Wrong: ${what}`);
}
