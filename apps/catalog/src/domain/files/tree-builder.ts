import {
  childLine,
  directoryLine,
  treeBlock,
  type TreeBlock,
  type TreeRoot,
} from './tree-block.js';
import { compareText, directoryKey } from './tree-key.js';

/** One key in so many ends a block; it then holds about as many more than the least. */
const ENDS_ONE_IN = 48;
const PAGE_ENTRIES_MIN = 16;
/** A block that holds fewer than two leads nowhere. */
const NODE_CHILDREN_MIN = 8;
const BLOCK_LINES_MAX = 512;
const BLOCK_CHARS_MAX = 256 * 1024;

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

  constructor(private readonly emit: (block: TreeBlock) => void) {}

  /** Whether a folder may still come into this tree. */
  takes(directory: string): boolean {
    return this.entries === 0 || compareText(directoryKey(directory), this.lastKey) > 0;
  }

  add(directory: string, lines: readonly NamedLine[]): void {
    const prefix = directoryKey(directory);
    const seed = hash(prefix, SEED);
    this.directory = undefined;
    for (const { name, line } of lines) {
      const isNew = this.directory === undefined || this.level(0).isEmpty;
      this.directory = directory;
      const text = isNew ? directoryLine(directory) + line : line;
      this.lastKey = prefix + name;
      this.push(0, { key: this.lastKey, text, mark: mix(hash(name, seed)) });
    }
    this.entries += lines.length;
  }

  /** Undefined for a tree of nothing. */
  finish(): TreeRoot | undefined {
    for (let height = 0; height < this.levels.length; height += 1) {
      this.close(height);
      const { only } = this.levels[height]!;
      if (only) return { digest: only.digest, height, entries: this.entries };
    }
    return undefined;
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
    const mark = mix(hash(child.key, SEED + height + 1));
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

/** FNV-1a over UTF-16 code units, to be gone on with. */
const SEED = 0x811c9dc5;
function hash(text: string, seed: number): number {
  let value = seed | 0;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return value;
}

/** Spreads what FNV leaves in the upper bits (the last step of MurmurHash3). */
function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
