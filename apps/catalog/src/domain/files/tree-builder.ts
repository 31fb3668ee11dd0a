import {
  childLine,
  directoryLine,
  treeBlock,
  type TreeBlock,
  type TreeRoot,
} from './tree-block.js';
import { compareText, directoryKey } from './tree-key.js';
import { HASH_SEED, mix, pathFilter, textHash } from './path-filter.js';

/** One key in so many ends a block; it then holds about as many more than the least. */
const ENDS_ONE_IN = 48;
const PAGE_ENTRIES_MIN = 16;
/** A block that holds fewer than two leads nowhere. */
const NODE_CHILDREN_MIN = 8;
const BLOCK_LINES_MAX = 512;
const BLOCK_CHARS_MAX = 256 * 1024;

/** A larger tree has no filter: it costs more than it spares, and few images are so large. */
const FILTERED_ENTRIES_MAX = 4_000;

/** A tree with what spares looking into it. */
export interface BuiltTree extends TreeRoot {
  /** See `pathFilter`; null for a large tree. */
  readonly filter: Buffer | null;
}

/** An entry of a folder, in the form in which pages hold it. */
export interface NamedLine {
  readonly name: string;
  readonly line: string;
}

/**
 * Makes a file tree of folders that come in its order, each with its entries in order. Where a block ends
 * is told by the key of its last line: whatever comes before or behind, the same entries make the same
 * blocks again after a few of them. Holds one block of each level.
 */
export class TreeBuilder {
  private readonly levels: Level[] = [];
  private directory: string | undefined;
  private entries = 0;
  private lastKey = '';
  private hashes: number[] | undefined = [];

  constructor(private readonly emit: (block: TreeBlock) => void) {}

  /** Whether what begins with this entry may still come into this tree. */
  takes(directory: string, name: string): boolean {
    return this.entries === 0 || compareText(directoryKey(directory) + name, this.lastKey) > 0;
  }

  add(directory: string, lines: readonly NamedLine[]): void {
    const prefix = directoryKey(directory);
    const seed = textHash(prefix, HASH_SEED);
    this.directory = undefined;
    for (const { name, line } of lines) {
      const isNew = this.directory === undefined || this.level(0).isEmpty;
      this.directory = directory;
      const text = isNew ? directoryLine(directory) + line : line;
      this.lastKey = prefix + name;
      const hash = textHash(name, seed);
      this.note(hash);
      this.push(0, { key: this.lastKey, text, mark: mix(hash) });
    }
    this.entries += lines.length;
  }

  /** Undefined for a tree of nothing. */
  finish(): BuiltTree | undefined {
    for (let height = 0; height < this.levels.length; height += 1) {
      this.close(height);
      const { only } = this.levels[height]!;
      if (only) return this.rooted(only.digest, height);
    }
    return undefined;
  }

  private rooted(digest: string, height: number): BuiltTree {
    const filter = this.hashes ? pathFilter(this.hashes) : null;
    return { digest, height, entries: this.entries, filter };
  }

  private note(hash: number): void {
    if (!this.hashes) return;
    if (this.hashes.length < FILTERED_ENTRIES_MAX) this.hashes.push(hash);
    else this.hashes = undefined;
  }

  private push(height: number, item: { key: string; text: string; mark: number }): void {
    const level = this.level(height);
    level.add(item.key, item.text);
    const least = height === 0 ? PAGE_ENTRIES_MIN : NODE_CHILDREN_MIN;
    const isEnd = level.lines >= least && item.mark % ENDS_ONE_IN === 0;
    if (isEnd || level.isFull) this.close(height);
  }

  private close(height: number): void {
    const level = this.levels[height]!;
    if (level.isEmpty) return;
    const { key, text } = level.take();
    const block = treeBlock(text, height);
    this.emit(block);
    const child = { key, digest: block.digest };
    if (level.blocks === 1) {
      // It may be the root: there is nothing above it until there is a second one.
      level.only = child;
      return;
    }
    if (level.only) {
      this.lift(height, level.only);
      level.only = undefined;
    }
    this.lift(height, child);
  }

  private lift(height: number, child: { key: string; digest: string }): void {
    const mark = mix(textHash(child.key, HASH_SEED + height + 1));
    this.push(height + 1, { key: child.key, text: childLine(child), mark });
  }

  private level(height: number): Level {
    return (this.levels[height] ??= new Level());
  }
}

/** The block that is being made on one level. */
class Level {
  lines = 0;
  blocks = 0;
  /** The only block so far. */
  only: { key: string; digest: string } | undefined;
  private key = '';
  private texts: string[] = [];
  private chars = 0;

  get isEmpty(): boolean {
    return this.lines === 0;
  }

  get isFull(): boolean {
    return this.lines >= BLOCK_LINES_MAX || this.chars >= BLOCK_CHARS_MAX;
  }

  add(key: string, text: string): void {
    if (this.lines === 0) this.key = key;
    this.texts.push(text);
    this.chars += text.length;
    this.lines += 1;
  }

  take(): { key: string; text: string } {
    const taken = { key: this.key, text: this.texts.join('') };
    this.texts = [];
    this.chars = 0;
    this.lines = 0;
    this.blocks += 1;
    return taken;
  }
}
