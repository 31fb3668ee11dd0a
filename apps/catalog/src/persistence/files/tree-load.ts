import type { IndexRecord } from '../../domain/files/index-record.js';
import { OpenFolders, type FolderPart } from '../../domain/files/open-folders.js';
import type { TreeBlock } from '../../domain/files/tree-block.js';
import { TreeBuilder, type BuiltTree, type NamedLine } from '../../domain/files/tree-builder.js';

/** Blocks that are put away at once. */
const BLOCKS_MAX = 128;

/** Makes trees of the entries of one fragment, a batch at a time, and has their blocks put away. */
export class TreeLoad {
  private readonly trees: BuiltTree[] = [];
  private readonly folders: OpenFolders;
  /** Of folders that are given in parts, each has a tree of its own. */
  private readonly large = new Map<string, TreeBuilder>();
  private builder = this.newBuilder();
  private blocks: TreeBlock[] = [];

  constructor(
    private readonly putAway: (blocks: readonly TreeBlock[]) => Promise<void>,
    linesMax?: number,
  ) {
    this.folders = new OpenFolders((part) => this.take(part), linesMax);
  }

  /** @throws CorruptIndex where a folder has a name twice */
  async write(records: readonly IndexRecord[]): Promise<void> {
    for (const record of records) this.folders.add(record);
    this.folders.settle();
    if (this.blocks.length >= BLOCKS_MAX) await this.flush();
  }

  /** All blocks are put away then. @throws CorruptIndex where a folder has a name twice */
  async finish(): Promise<readonly BuiltTree[]> {
    this.folders.end();
    this.finishTree(this.builder);
    await this.flush();
    return this.trees;
  }

  private take(part: FolderPart): void {
    const { directory, lines, isFirst, isLast } = part;
    if (isFirst && isLast) {
      this.builder = this.added(this.builder, directory, lines);
      return;
    }
    const own = this.large.get(directory) ?? this.newBuilder();
    const builder = this.added(own, directory, lines);
    this.large.set(directory, builder);
    if (!isLast) return;
    this.finishTree(builder);
    this.large.delete(directory);
  }

  /** The tree that has the lines now: another one where they go against the order. */
  private added(builder: TreeBuilder, directory: string, lines: readonly NamedLine[]): TreeBuilder {
    const [first] = lines;
    if (!first) return builder;
    if (builder.takes(directory, first.name)) {
      builder.add(directory, lines);
      return builder;
    }
    this.finishTree(builder);
    return this.added(this.newBuilder(), directory, lines);
  }

  private finishTree(builder: TreeBuilder): void {
    const root = builder.finish();
    if (root) this.trees.push(root);
  }

  private newBuilder(): TreeBuilder {
    return new TreeBuilder((block) => this.blocks.push(block));
  }

  private async flush(): Promise<void> {
    const { blocks } = this;
    this.blocks = [];
    for (let from = 0; from < blocks.length; from += BLOCKS_MAX) {
      await this.putAway(blocks.slice(from, from + BLOCKS_MAX));
    }
  }
}
