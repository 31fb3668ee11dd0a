import type { IndexRecord } from '../../domain/files/index-record.js';
import { OpenFolders, type FinishedFolder } from '../../domain/files/open-folders.js';
import type { TreeBlock } from '../../domain/files/tree-block.js';
import { TreeBuilder, type BuiltTree } from '../../domain/files/tree-builder.js';

/** Blocks that are put away at once. */
const BLOCKS_MAX = 128;

/** Makes trees of the entries of one fragment, a batch at a time, and has their blocks put away. */
export class TreeLoad {
  private readonly trees: BuiltTree[] = [];
  private readonly folders = new OpenFolders((folder) => this.take(folder));
  private builder = this.newBuilder();
  private blocks: TreeBlock[] = [];

  constructor(private readonly putAway: (blocks: readonly TreeBlock[]) => Promise<void>) {}

  /** @throws CorruptIndex where a folder has a name twice */
  async write(records: readonly IndexRecord[]): Promise<void> {
    for (const record of records) this.folders.add(record);
    this.folders.settle();
    if (this.blocks.length >= BLOCKS_MAX) await this.flush();
  }

  /** All blocks are put away then. @throws CorruptIndex where a folder has a name twice */
  async finish(): Promise<readonly BuiltTree[]> {
    this.folders.end();
    this.finishTree();
    await this.flush();
    return this.trees;
  }

  private take({ directory, lines }: FinishedFolder): void {
    if (!this.builder.takes(directory)) {
      this.finishTree();
      this.builder = this.newBuilder();
    }
    this.builder.add(directory, lines);
  }

  private finishTree(): void {
    const root = this.builder.finish();
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
