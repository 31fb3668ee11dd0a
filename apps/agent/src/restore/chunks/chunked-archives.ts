import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import type { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import type { ArchiveRead } from '../restore-source.js';
import { FrameWindow, type FoundChunk } from './frame-window.js';

/**
 * A frame comes whole if so much of it is wanted at once: what else it holds is mostly wanted next, and to
 * have chunks put together anew costs the media server more.
 */
const WHOLE_PERCENT = 12;

/**
 * Reads archives that lie as chunks: their frames travel as they are stored, and are put together here.
 * Several reads may be under way. It holds the last frames, and those of the reads.
 */
export class ChunkedArchives {
  private readonly window: FrameWindow;
  private readonly others = new Set<string>();
  private turn: Promise<unknown> = Promise.resolve();

  /** @param keptBytesMax of the frames that came last: chunks that are wanted next mostly lie in them */
  constructor(
    private readonly client: Pick<FragmentReaderClient, 'recipe' | 'chunks'>,
    keptBytesMax: number,
  ) {
    this.window = new FrameWindow(keptBytesMax);
  }

  /** Undefined for a fragment that is not made of chunks of its archive. Throws as the client does. */
  async read(range: ArchiveRead): Promise<Buffer<ArrayBuffer> | undefined> {
    const { fragmentId, offset, length } = range;
    if (this.others.has(fragmentId)) return undefined;
    const recipe = await this.client.recipe(range);
    if (recipe?.frameBytes === undefined) {
      this.others.add(fragmentId);
      return undefined;
    }
    const found = await this.inTurn(() => this.fetch(fragmentId, recipe.chunks));
    // Never from Node's pool: it changes threads.
    const target = Buffer.allocUnsafeSlow(length);
    let at = recipe.offset - offset;
    try {
      for (const { frame, offset: from, length: bytes } of found) {
        const skipped = Math.max(0, -at);
        (await frame.bytes).copy(target, at + skipped, from + skipped, from + bytes);
        at += bytes;
      }
    } finally {
      for (const { frame } of found) frame.letGo();
    }
    if (at < length) throw wrong(`${fragmentId} ends ${length - at} bytes early`);
    return target;
  }

  /** Where each chunk is, after those have come that were not there. One after the other, so that none comes twice. */
  private async fetch(fragmentId: string, chunks: readonly NamedChunk[]): Promise<FoundChunk[]> {
    const found = chunks.map((chunk) => this.window.find(chunk));
    try {
      const missing = distinct(chunks.filter((_, nth) => !found[nth]));
      if (missing.length > 0) {
        const wanted = { fragmentId, wholePercent: WHOLE_PERCENT, chunks: missing };
        for await (const frame of this.client.chunks(wanted)) {
          this.window.add(frame);
          // At once: the next frame may push it out of the window.
          chunks.forEach((chunk, nth) => (found[nth] ??= this.window.find(chunk)));
        }
      }
      const lost = found.indexOf(undefined);
      if (lost >= 0)
        throw wrong(`${fragmentId}: chunk ${chunks[lost]!.id.toString('hex')} did not come`);
      return found as FoundChunk[];
    } catch (error) {
      for (const one of found) one?.frame.letGo();
      throw error;
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }
}

function distinct(chunks: readonly NamedChunk[]): NamedChunk[] {
  return [...new Map(chunks.map((chunk) => [chunk.id.toString('latin1'), chunk])).values()];
}

function wrong(what: string): PermanentError {
  return new PermanentError(STATUS.mediaReadError, `Fragment ${what}.`);
}
