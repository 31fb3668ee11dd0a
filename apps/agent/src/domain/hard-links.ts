import { fromPathTextBytes, toPathTextBytes, type ByteString } from '#archive/path-text.js';

/** Inodes with further links to come that are remembered; about 300 bytes each. */
export const HARD_LINKS_TRACKED_MAX = 1_000_000;

/** Where the data of an inode with several links was stored, and when it had changed last. */
export interface FirstLink {
  readonly path: ByteString;
  readonly offset: number;
  readonly length: number;
  /** Bytes of content. */
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanos: number;
  readonly ctimeSeconds: number;
  readonly ctimeNanos: number;
}

/**
 * Remembers the first path of each inode that has several, until all its links were met. Bounded:
 * when it is full, inodes that are new to it are not remembered, and their links become files of their own.
 * It keeps a journal of what happens to it, from which another one becomes the same.
 */
export class HardLinks {
  readonly #inodes = new Map<string, FirstLink & { linksLeft: number }>();
  #overflowed = false;
  #journal: ByteString = '';

  constructor(private readonly trackedMax = HARD_LINKS_TRACKED_MAX) {}

  /** True once an inode was not remembered for lack of room. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  get tracked(): number {
    return this.#inodes.size;
  }

  /** True if a link of this inode was met, and not its last one. */
  has(inode: string): boolean {
    return this.#inodes.has(inode);
  }

  /** The first link of this inode, if there was one; it is forgotten with the last link. */
  take(inode: string): FirstLink | undefined {
    const first = this.#inodes.get(inode);
    if (!first) return undefined;
    if (--first.linksLeft === 0) this.#inodes.delete(inode);
    this.#journal += `-${inode}\n`;
    return first;
  }

  /** @param links how many the inode has, this one included */
  add(inode: string, first: FirstLink, links: number): void {
    if (links < 2) return;
    if (this.#inodes.size >= this.trackedMax) {
      this.#overflowed = true;
      return;
    }
    this.#inodes.set(inode, { ...first, linksLeft: links - 1 });
    const numbers = NUMBERS.map((name) => first[name]).join(' ');
    this.#journal += `+${inode}\t${links - 1} ${numbers}\t${toPathTextBytes(first.path)}\n`;
  }

  /** What has happened since the last call: lines, in order. Whoever has bounded memory calls often. */
  takeJournal(): ByteString {
    const journal = this.#journal;
    this.#journal = '';
    return journal;
  }

  /** Does what a line of a journal says. Other lines are passed over. */
  replay(line: ByteString): void {
    const inode = line.slice(1).split('\t', 1)[0]!;
    if (line.startsWith('-')) {
      const first = this.#inodes.get(inode);
      if (first && --first.linksLeft === 0) this.#inodes.delete(inode);
    } else if (line.startsWith('+')) {
      const [, numbers = '', path = ''] = line.split('\t');
      const [linksLeft = 0, ...rest] = numbers.split(' ').map(Number);
      const first = Object.fromEntries(NUMBERS.map((name, at) => [name, rest[at] ?? 0]));
      const link = { ...(first as unknown as FirstLink), path: fromPathTextBytes(path) };
      this.#inodes.set(inode, { ...link, linksLeft });
    }
  }
}

const NUMBERS = [
  'offset',
  'length',
  'size',
  'mtimeSeconds',
  'mtimeNanos',
  'ctimeSeconds',
  'ctimeNanos',
] as const;
