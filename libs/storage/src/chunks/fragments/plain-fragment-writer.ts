import { compress } from '#archive/frames/zstd.js';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import { blake3 } from '#kernel/blake3.js';
import type { Manifest } from '#archive/manifest.js';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { assert } from '#kernel/assert.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { ChunkFrame, ChunkSource } from '../../chunk-intake.js';
import { FragmentDamaged } from '../../errors.js';
import { FirstFailure } from '../../first-failure.js';
import type { FragmentName } from '../../fragment-name.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type FragmentWriter,
  type SealedFragmentReader,
} from '../../fragment-store.js';
import { assertManifest } from '../../manifest-check.js';
import type { ChunkSession } from '../chunk-session.js';
import type { RecipeFragmentWriter } from './recipe-fragment-writer.js';

/** Data that come as bytes are cut into chunks of this. */
const PIECE_BYTES = 1024 * 1024;
const LEVEL = 3;

/**
 * A fragment that comes as the bytes of its data: its chunks are pieces of these, so it is given back
 * byte for byte, and what is here already is not written again. Has a session of its own.
 */
export class PlainFragmentWriter implements FragmentWriter {
  dataBytes = 0;
  private readonly piece = Buffer.allocUnsafe(PIECE_BYTES);
  private filled = 0;
  private readonly failure = new FirstFailure();

  private constructor(
    private readonly session: ChunkSession,
    private readonly recipe: RecipeFragmentWriter,
  ) {}

  /** Takes the session over. */
  static async create(session: ChunkSession, name: FragmentName): Promise<PlainFragmentWriter> {
    try {
      return new PlainFragmentWriter(session, await session.beginPlain(name));
    } catch (error) {
      await session.end();
      throw error;
    }
  }

  get name(): FragmentName {
    return this.recipe.name;
  }

  get indexBytes(): number {
    return this.recipe.indexBytes;
  }

  writeData(pieces: readonly Buffer[]): Promise<void> {
    return this.failure.attempt(() => this.cut(pieces));
  }

  writeIndex(pieces: readonly Buffer[]): Promise<void> {
    return this.failure.attempt(() => this.recipe.writeIndex(pieces));
  }

  copyFrom(source: SealedFragmentReader): Promise<void> {
    assert(this.dataBytes === 0 && this.indexBytes === 0, 'a copy into what is written already');
    return this.failure.attempt(async () => {
      const { chunks } = source;
      if (chunks && this.takes(chunks)) await this.addChunks(chunks, source.size('data'));
      else await copyObject(source, 'data', (piece) => this.cut([piece]));
      await copyObject(source, 'index', (piece) => this.recipe.writeIndex([piece]));
      await this.endPiece();
      await this.session.readBack();
    });
  }

  takes(chunks: ChunkSource): boolean {
    return chunks.domain === this.session.domain;
  }

  copyChunks(chunks: ChunkSource, dataBytes: number): Promise<void> {
    assert(this.takes(chunks) && this.dataBytes === 0, 'chunks for another domain, or too late');
    return this.failure.attempt(() => this.addChunks(chunks, dataBytes));
  }

  async seal(manifest: Manifest): Promise<void> {
    const { name, dataBytes, indexBytes } = this;
    assertManifest(manifest, { name, dataBytes, indexBytes });
    await this.failure.attempt(async () => {
      await this.endPiece();
      await this.recipe.seal(manifest);
    });
    await this.session.end();
  }

  async abandon(): Promise<void> {
    await this.recipe.abandon();
    await this.session.end();
  }

  async discard(): Promise<boolean> {
    const isGone = await this.recipe.discard();
    await this.session.end();
    return isGone;
  }

  /** Nothing but what is not here is read: the same chunks make the same data. */
  private async addChunks(chunks: ChunkSource, dataBytes: number): Promise<void> {
    if (chunks.frameBytes !== undefined) this.recipe.useFrames(chunks.frameBytes);
    for await (const some of chunks.list()) {
      const isHere = await this.session.ask(some.map(({ id }) => id));
      const missing = some.filter((_, nth) => !isHere[nth]);
      await this.addFrames(chunks.frames(missing));
      await this.recipe.add(some);
    }
    this.dataBytes = dataBytes;
  }

  private async addFrames(frames: AsyncIterable<ChunkFrame>): Promise<void> {
    let adding: Promise<void> = Promise.resolve();
    try {
      for await (const frame of frames) {
        // One is on its way to the disk while the next one is read.
        await adding;
        adding = this.session.add(frame).then(() => freeBytes(frame.stored));
        adding.catch(() => undefined);
      }
      await adding;
    } finally {
      // Calls of the session come one at a time, also where the next frame could not be read.
      await adding.catch(() => undefined);
    }
  }

  private async cut(pieces: readonly Buffer[]): Promise<void> {
    for (const bytes of pieces) {
      for (let at = 0; at < bytes.length;) {
        const copied = bytes.copy(this.piece, this.filled, at);
        at += copied;
        this.filled += copied;
        this.dataBytes += copied;
        if (this.filled === PIECE_BYTES) await this.endPiece();
      }
    }
  }

  private async endPiece(): Promise<void> {
    const bytes = this.piece.subarray(0, this.filled);
    this.filled = 0;
    if (bytes.length === 0) return;
    const chunk = { id: blake3(bytes), length: bytes.length };
    const [isHere] = await this.session.ask([chunk.id]);
    if (!isHere) await this.session.add({ stored: await frameOf(bytes), chunks: [chunk] });
    await this.recipe.add([chunk]);
  }
}

/** Mostly what comes is compressed already, and nothing is gained by doing it again. */
async function frameOf(bytes: Buffer): Promise<Buffer> {
  const compressed = await compress(bytes, LEVEL);
  return compressed.length < bytes.length ? compressed : rawFrame(bytes);
}

async function copyObject(
  source: SealedFragmentReader,
  object: FragmentObject,
  write: (piece: Buffer) => Promise<void>,
): Promise<void> {
  const { fragmentId, digest, indexDigest } = source.manifest;
  const hash = new Blake3Hasher();
  const bytes = source.size(object);
  for (let at = 0; at < bytes; at += READ_BYTES_MAX) {
    const piece = await source.read(object, at, Math.min(READ_BYTES_MAX, bytes - at));
    hash.update(piece);
    await write(piece);
  }
  if (hash.digest('hex') === (object === 'data' ? digest : indexDigest)) return;
  throw new FragmentDamaged(fragmentId, `has ${object} with another digest than its manifest`);
}
