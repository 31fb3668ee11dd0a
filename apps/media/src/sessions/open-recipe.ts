import type { Manifest } from '#archive/manifest.js';
import { assert } from '#kernel/assert.js';
import type { RecipeWriter } from '#storage/chunk-intake.js';
import { readRecipe } from '#transfer/chunk-messages.js';
import type { Message } from '#transfer/message.js';
import {
  checkArchiveBytes,
  checkRawFrames,
  checkSeal,
  outOfSequence,
  type CopyProgress,
  type SealClaim,
} from '../domain/write-rules.js';
import { CHUNKS_READY, type ChunkReceiver } from './chunk-receiver.js';
import type { ContentSummary } from './open-fragment.js';
import { OpenIndex } from './open-index.js';

/**
 * The fragment that a session is writing where the volume deduplicates: chunks are named, and its data
 * are what they make. The agent alone has seen all bytes, so the digests of the data are its own; the
 * sizes are checked.
 */
export class OpenRecipe {
  private archiveBytes = 0;
  private readonly lines: OpenIndex;
  private data: Pick<ContentSummary, 'storedBytes' | 'digest' | 'frames'> | undefined;

  constructor(
    private readonly writer: RecipeWriter,
    private readonly receiver: ChunkReceiver,
    private readonly fragmentBytesMax: number,
  ) {
    this.lines = new OpenIndex((pieces) => writer.writeIndex(pieces));
  }

  get name(): RecipeWriter['name'] {
    return this.writer.name;
  }

  /** The whole index, if it is small enough to be sent with the commit. */
  get smallIndex(): Buffer | undefined {
    return this.lines.smallIndex;
  }

  /** Takes a RECIPE message. @returns archive bytes of the chunks that it names */
  async names(message: Message): Promise<number> {
    const chunks = readRecipe(message);
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
    this.archiveBytes += bytes;
    checkArchiveBytes(this.archiveBytes, this.fragmentBytesMax);
    await this.receiver.name(this.writer, chunks);
    return bytes;
  }

  /** Takes an INDEX message. */
  index(message: Message): Promise<void> {
    return this.lines.take(message);
  }

  /** Throws if a SEAL does not fit what was named and what the frame table says. */
  check(copy: CopyProgress, claim: SealClaim & { readonly dataDigest?: string | undefined }): void {
    const { table } = this.lines;
    const storedBytes = checkRawFrames(table, CHUNKS_READY.frameBytes, this.fragmentBytesMax);
    const frames = table!;
    checkSeal(copy, { frames, archiveBytes: this.archiveBytes }, claim);
    const inFrames = frames.reduce((sum, { archiveBytes }) => sum + archiveBytes, 0);
    if (inFrames !== this.archiveBytes) {
      throw outOfSequence(`${this.archiveBytes} bytes were named, the frames have ${inFrames}`);
    }
    const { dataDigest: digest } = claim;
    if (digest === undefined) throw outOfSequence('a SEAL of chunks came without its dataDigest');
    this.data = { storedBytes, digest, frames: frames.length };
  }

  /** Says what was written. `check` has passed. */
  async complete(): Promise<ContentSummary> {
    const { data, archiveBytes, lines } = this;
    assert(data, 'a recipe is completed before its SEAL');
    const index = { indexBytes: lines.indexBytes, indexDigest: lines.digest() };
    return { archiveBytes, ...data, ...index };
  }

  seal(manifest: Manifest): Promise<void> {
    return this.receiver.inTurn(() => this.writer.seal(manifest));
  }

  /** Takes back what was written, as `FragmentWriter` does. */
  discard(): Promise<boolean> {
    return this.writer.discard();
  }
}
