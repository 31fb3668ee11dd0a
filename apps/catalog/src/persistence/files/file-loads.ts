import type { DataSource, EntityManager } from 'typeorm';
import type { IndexRecord } from '../../domain/files/index-record.js';
import { FileBlocks } from './file-blocks.js';
import { insertTrees } from './file-trees.js';
import { TreeLoad } from './tree-load.js';

/** Where a file index goes. */
export interface IndexPlace {
  readonly image: { readonly number: number; readonly client: string };
  /** The fragment's number. */
  readonly fragment: number;
}

/**
 * Writes the entries of one fragment, a batch at a time. Blocks are written outside of the transaction of
 * `db`: each is what its name says whatever becomes of the load, and two loads of the same client then
 * never wait for each other's end. What says that the image holds them is part of it. Call it with
 * `shareBlocks` taken.
 */
export class FileLoad {
  private readonly load: TreeLoad;

  constructor(
    private readonly db: EntityManager,
    database: DataSource,
    private readonly place: IndexPlace,
  ) {
    const { client } = place.image;
    const blocks = new FileBlocks(database);
    this.load = new TreeLoad((some) => blocks.put(some.map((block) => ({ client, block }))));
  }

  /** @throws CorruptIndex where a folder has a name twice */
  async write(records: readonly IndexRecord[]): Promise<void> {
    await this.load.write(records);
    // PostgreSQL ends transactions that ask nothing for long, and the blocks go another way.
    await this.db.query('SELECT 1');
  }

  /** @throws CorruptIndex where a folder has a name twice */
  async finish(): Promise<void> {
    const { image, fragment } = this.place;
    const trees = await this.load.finish();
    await insertTrees(this.db, [{ image: image.number, fragment, trees }]);
  }
}
