import { assert } from '#kernel/assert.js';
import {
  readNode,
  readPage,
  type ChildBlock,
  type KeyedEntry,
  type TreeRoot,
} from './tree-block.js';
import { type FolderLines, readFolders } from './folder-lines.js';
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
type Found<Item> = { readonly children: readonly Block[] } | { readonly items: readonly Item[] };

/**
 * Looks in file trees of one client for what is in some ranges of keys. What trees share is read
 * once, however many of them are asked for, together or one after the other.
 */
abstract class BlockSearch<Item> {
  private readonly known = new Map<string, Found<Item>>();
  private readonly ranges: readonly KeyRange[];

  constructor(
    private readonly blocks: BlockReader,
    /** None within another. */
    ranges: readonly KeyRange[],
  ) {
    this.ranges = [...ranges].sort((a, b) => compareText(a.from, b.from));
  }

  /** What is wanted of a page, in the order of keys. */
  protected abstract read(page: string): readonly Item[];

  /**
   * The items of each of the trees, in the order of their keys. Undefined if that took more pages than
   * so many.
   */
  async of(
    trees: readonly TreeRoot[],
    pagesMax = Number.POSITIVE_INFINITY,
  ): Promise<Item[][] | undefined> {
    for (let level: readonly Block[] = trees; level.length > 0;) {
      const pages = level.filter(({ height }) => height === 0);
      if (pages.length > pagesMax) return undefined;
      level = await this.readLevel(level);
    }
    return trees.map((tree) => [...this.itemsOf(tree.digest)]);
  }

  /** The items of a tree one after the other, however many: some pages of them are held. */
  async *stream(tree: TreeRoot): AsyncGenerator<Item> {
    yield* this.streamOf([tree]);
  }

  private async *streamOf(blocks: readonly Block[]): AsyncGenerator<Item> {
    for (let from = 0; from < blocks.length; from += BLOCKS_AHEAD) {
      const some = blocks.slice(from, from + BLOCKS_AHEAD);
      await this.readLevel(some);
      for (const { digest } of some) {
        const found = this.known.get(digest)!;
        if ('items' in found) yield* found.items;
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

  private search({ height }: Block, text: string): Found<Item> {
    if (height === 0) return { items: this.read(text) };
    const children = readNode(text);
    const wanted = this.wanted(children);
    return { children: wanted.map(({ digest }) => ({ digest, height: height - 1 })) };
  }

  protected isWanted(key: string): boolean {
    // The last range that begins at or before the key is the only one that can hold it.
    const range = lastWith(this.ranges, ({ from }) => compareText(from, key) <= 0);
    return range !== undefined && compareText(key, range.to) < 0;
  }

  /** Those that may hold something: each reaches from its first key to the next one's. */
  private wanted(children: readonly ChildBlock[]): ChildBlock[] {
    return children.filter(({ key }, at) => {
      // The last range that begins before the next block does: those before it end still sooner.
      const next = children[at + 1];
      const range = lastWith(
        this.ranges,
        ({ from }) => next === undefined || compareText(from, next.key) < 0,
      );
      return range !== undefined && compareText(range.to, key) > 0;
    });
  }

  private *itemsOf(digest: string): Generator<Item> {
    const found = this.known.get(digest)!;
    if ('items' in found) yield* found.items;
    else for (const child of found.children) yield* this.itemsOf(child.digest);
  }
}

/** Finds entries. */
export class TreeSearch extends BlockSearch<KeyedEntry> {
  protected override read(page: string): readonly KeyedEntry[] {
    return readPage(page).filter(({ key }) => this.isWanted(key));
  }
}

/** Finds what folders have, without a look at the single entry. */
export class FolderSearch extends BlockSearch<FolderLines> {
  constructor(
    blocks: BlockReader,
    /** Pages are read by these; of a page that holds something of them, folders are found whole. */
    ranges: readonly KeyRange[],
    private readonly folders: { has(directory: string): boolean },
  ) {
    super(blocks, ranges);
  }

  protected override read(page: string): readonly FolderLines[] {
    return readFolders(page).filter(({ directory }) => this.folders.has(directory));
  }
}

/** The last of those at the beginning for which something holds. */
function lastWith<T>(sorted: readonly T[], holds: (item: T) => boolean): T | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(sorted[middle]!)) low = middle + 1;
    else high = middle;
  }
  return sorted[low - 1];
}
