import { decompress } from '#archive/frames/zstd.js';
import { Blake3Hasher } from '@napi-rs/blake-hash';

import { compareArchivePaths } from '#archive/archive-order.js';
import type { IndexItem } from '#archive/chain/index-merge.js';
import { IndexDamage, IndexFrames } from '#archive/frames/index-frames.js';
import { fromPathTextBytes, type ByteString } from '#archive/path-text.js';
import { messageOf, PermanentError } from '#kernel/errors.js';

import { INDEX_DIFFERS, type FallOver } from './fall-over.js';
import type { RestoreFragment, RestoreImage } from './restore-source.js';

const CHUNK_BYTES = 512 * 1024;
/**
 * Lines that are taken apart at once. With whole frames of them (2,500) all that is made of a line outlived the
 * young generation, and an agent's heap was 80 MiB of garbage larger after a plan of 133,000 entries.
 */
const LINES_AT_ONCE = 128;

/**
 * Reads one image's index from its first line to its last, some lines at a time. Memory: a few hundred KiB.
 * A damaged part is reported and passed over.
 */
export class IndexCursor {
  #items: IndexItem[] = [];
  #at = 0;
  /** Of the frame at hand, and where the lines begin that are not taken apart yet. */
  #text = '';
  #textAt = 0;
  /** The newest line, until the next one shows that it is in its place. */
  #held: IndexItem | undefined;
  /** The path of the line in front of that one. */
  #given: ByteString | undefined;
  readonly #frames: AsyncGenerator<Buffer, void, undefined>;
  /** The fragment whose index has been begun and not been read to its end. */
  #begun: RestoreFragment | undefined;

  constructor(
    readonly image: RestoreImage,
    private readonly number: number,
    private readonly options: {
      readonly sources: FallOver;
      readonly onDamage: (text: string) => void;
    },
  ) {
    this.#frames = this.#readFrames();
  }

  /** The line at which the cursor stands; undefined when `advance` has to be called. */
  get current(): IndexItem | undefined {
    return this.#items[this.#at];
  }

  /** Steps on. False means that nothing more is at hand: `load` fetches more. */
  step(): boolean {
    return ++this.#at < this.#items.length;
  }

  /** Fetches lines until there is a current one. False at the end of the index. */
  async load(): Promise<boolean> {
    while (this.current === undefined) {
      if (this.#textAt >= this.#text.length) {
        const next = await this.#frames.next();
        if (next.done === true) return this.#giveLast();
        this.#text = next.value.toString('latin1');
        this.#textAt = 0;
      }
      this.#items = this.#parse();
      this.#at = 0;
    }
    return true;
  }

  #giveLast(): boolean {
    if (this.#held === undefined) return false;
    this.#items = [this.#held];
    this.#at = 0;
    this.#held = undefined;
    return true;
  }

  /** To be called where lines were used and nobody reads on: an index is shown to be right by all of it alone. */
  async prove(): Promise<void> {
    if (this.#begun) await this.options.sources.proveIndex(this.#begun);
  }

  async close(): Promise<void> {
    await this.#frames.return();
  }

  #parse(): IndexItem[] {
    const items = this.#held === undefined ? [] : [this.#held];
    for (let left = LINES_AT_ONCE; left > 0 && this.#textAt < this.#text.length; left -= 1) {
      const newline = this.#text.indexOf('\n', this.#textAt);
      const end = newline < 0 ? this.#text.length : newline;
      const line = this.#text.slice(this.#textAt, end);
      this.#textAt = end + 1;
      if (line === '') continue;
      const path = pathOf(line);
      if (path === undefined) {
        this.#damage('a line is damaged');
        continue;
      }
      const last = items.at(-1)?.path;
      if (last !== undefined && compareArchivePaths(last, path) > 0) {
        this.#damage('a line is out of order');
        // One of the two has a path that is not its own: that one does not fit to the line in front of both.
        const before = items.at(-2)?.path ?? this.#given;
        if (before !== undefined && compareArchivePaths(before, path) > 0) continue;
        items.pop();
      }
      items.push({ image: this.number, type: line[0]!, path, line });
    }
    this.#held = items.pop();
    this.#given = items.at(-1)?.path ?? this.#given;
    return items;
  }

  #damage(what: string, fragment?: RestoreFragment): void {
    const { imageId } = this.image;
    this.options.onDamage(
      fragment === undefined
        ? `Image ${imageId}: the index is damaged (${what}); files may be missing.`
        : unprovenText(imageId, fragment, what),
    );
  }

  async *#readFrames(): AsyncGenerator<Buffer, void, undefined> {
    const { imageId, lost = [] } = this.image;
    for (const number of lost) {
      this.options.onDamage(
        `Image ${imageId}, fragment ${number}: no copy of it is left; files are missing.`,
      );
    }
    const { sources } = this.options;
    for (const fragment of this.image.fragments) {
      this.#begun = fragment;
      try {
        yield* this.#readFragment(fragment);
        sources.judge(fragment, undefined);
      } catch (error) {
        const isDamage = error instanceof IndexDamage || error instanceof PermanentError;
        if (!isDamage || sources.isStopped) throw error;
        this.#damage(messageOf(error), fragment);
        sources.judge(fragment, messageOf(error));
      }
      this.#begun = undefined;
    }
  }

  async *#readFragment(fragment: RestoreFragment): AsyncGenerator<Buffer, void, undefined> {
    await this.options.sources.prepareIndex(fragment);
    for await (const stored of storedFrames(this.options.sources, fragment)) {
      let lines: Buffer | undefined;
      try {
        lines = await decompress(stored);
      } catch (error) {
        this.#damage(messageOf(error), fragment);
      }
      if (lines !== undefined) yield lines;
    }
  }
}

/** Lines and digests of frames that nothing vouches for were used, for want of better ones. */
export function unprovenText(imageId: string, { number }: RestoreFragment, reason: string): string {
  return (
    `Image ${imageId}, fragment ${number}: the index is damaged (${reason}); what is restored from it may not be ` +
    'what was backed up, and files may be missing.'
  );
}

function pathOf(line: string): ByteString | undefined {
  const end = line.indexOf('\t', 2);
  if (end < 0 || line[1] !== '\t') return undefined;
  try {
    return fromPathTextBytes(line.slice(2, end));
  } catch {
    return undefined; // An escape that is none.
  }
}

/**
 * The frames of index lines, still compressed. The next chunk is on its way while one is worked on. What was read is held
 * against the digest of the whole index when its end is there.
 */
async function* storedFrames(
  sources: FallOver,
  fragment: RestoreFragment,
): AsyncGenerator<Buffer, void, undefined> {
  const frames = new IndexFrames();
  let asked = 0;
  const digest = new Blake3Hasher();
  const ask = (): Promise<Buffer> | undefined => {
    const length = Math.min(CHUNK_BYTES, fragment.indexBytes - asked);
    if (length <= 0) return undefined;
    const chunk = sources.read(fragment, { object: 'index', offset: asked, length });
    chunk.catch(() => undefined); // It is awaited below, or nobody wants it any more.
    asked += length;
    return chunk;
  };
  for (let chunk = ask(); chunk !== undefined;) {
    const bytes = await chunk;
    digest.update(bytes);
    chunk = ask();
    yield* frames.push(bytes);
  }
  if (digest.digest('hex') !== fragment.indexDigest) {
    throw new IndexDamage(INDEX_DIFFERS);
  }
  frames.end();
}
