import { assert } from '#kernel/assert.js';
import {
  readNode,
  readPage,
  type ChildBlock,
  type KeyedEntry,
  type TreeRoot,
} from './tree-block.js';
import { compareText, type KeyRange } from './tree-key.js';

/** Where blocks are read. */
export interface BlockReader {
  /** The texts of blocks, by their digests. All of them are there. */
  read(digests: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

/** Blocks that are read at once. */
const BLOCKS_AT_ONCE = 256;
/** Blocks of a level that a stream holds. */
const BLOCKS_AHEAD = 8;

type Block = { readonly digest: string; readonly height: number };
type Found = { readonly children: readonly Block[] } | { readonly entries: readonly KeyedEntry[] };

/**
 * Looks in file trees of one client for the entries in some ranges of keys. What trees share is read
 * once, however many of them are asked for, together or one after the other.
 */
export class TreeSearch {
  private readonly known = new Map<string, Found>();
  private readonly ranges: readonly KeyRange[];

  constructor(
    private readonly blocks: BlockReader,
    /** None within another. */
    ranges: readonly KeyRange[],
  ) {
    this.ranges = [...ranges].sort((a, b) => compareText(a.from, b.from));
  }

  /**
   * The entries of each of the trees, in the order of their keys. Undefined if that took more pages than
   * so many.
   */
  async of(
    trees: readonly TreeRoot[],
    pagesMax = Number.POSITIVE_INFINITY,
  ): Promise<KeyedEntry[][] | undefined> {
    for (let level: readonly Block[] = trees; level.length > 0;) {
      const pages = level.filter(({ height }) => height === 0);
      if (pages.length > pagesMax) return undefined;
      level = await this.readLevel(level);
    }
    return trees.map((tree) => [...this.entriesOf(tree.digest)]);
  }

  /** The entries of a tree one after the other, however many: some pages of them are held. */
  async *stream(tree: TreeRoot): AsyncGenerator<KeyedEntry> {
    yield* this.streamOf([tree]);
  }

  private async *streamOf(blocks: readonly Block[]): AsyncGenerator<KeyedEntry> {
    for (let from = 0; from < blocks.length; from += BLOCKS_AHEAD) {
      const some = blocks.slice(from, from + BLOCKS_AHEAD);
      await this.readLevel(some);
      for (const { digest } of some) {
        const found = this.known.get(digest)!;
        if ('entries' in found) yield* found.entries;
        else yield* this.streamOf(found.children);
      }
      for (const { digest } of some) this.known.delete(digest);
    }
  }

  private async readLevel(level: readonly Block[]): Promise<Block[]> {
    const unread = new Map<string, Block>();
    for (const block of level) {
      if (!this.known.has(block.digest)) unread.set(block.digest, block);
    }
    const blocks = [...unread.values()];
    const below: Block[] = [];
    for (let from = 0; from < blocks.length; from += BLOCKS_AT_ONCE) {
      const some = blocks.slice(from, from + BLOCKS_AT_ONCE);
      const texts = await this.blocks.read(some.map(({ digest }) => digest));
      for (const block of some) {
        const text = texts.get(block.digest);
        assert(text !== undefined, `block ${block.digest} of a file tree is missing`);
        const found = this.search(block, text);
        this.known.set(block.digest, found);
        if ('children' in found) below.push(...found.children);
      }
    }
    return below;
  }

  private search({ height }: Block, text: string): Found {
    if (height === 0) return { entries: readPage(text).filter(({ key }) => this.isWanted(key)) };
    const children = readNode(text);
    const wanted = this.wanted(children);
    return { children: wanted.map(({ digest }) => ({ digest, height: height - 1 })) };
  }

  private isWanted(key: string): boolean {
    // The last range that begins at or before the key is the only one that can hold it.
    const at = lastAtOrBefore(this.ranges, key, ({ from }) => from);
    return at >= 0 && compareText(key, this.ranges[at]!.to) < 0;
  }

  /** Those that may hold something: each reaches from its first key to the next one's. */
  private wanted(children: readonly ChildBlock[]): ChildBlock[] {
    const wanted = new Set<number>();
    for (const { from, to } of this.ranges) {
      const first = Math.max(
        lastAtOrBefore(children, from, ({ key }) => key),
        0,
      );
      for (let at = first; at < children.length; at += 1) {
        if (at > first && compareText(children[at]!.key, to) >= 0) break;
        wanted.add(at);
      }
    }
    return [...wanted].sort((a, b) => a - b).map((at) => children[at]!);
  }

  private *entriesOf(digest: string): Generator<KeyedEntry> {
    const found = this.known.get(digest)!;
    if ('entries' in found) yield* found.entries;
    else for (const child of found.children) yield* this.entriesOf(child.digest);
  }
}

function lastAtOrBefore<T>(sorted: readonly T[], key: string, keyOf: (item: T) => string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareText(keyOf(sorted[middle]!), key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
