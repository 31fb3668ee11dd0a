import { readNode } from '../../domain/files/tree-block.js';
import { EVERY_FRAGMENT, IN_EITHER_HALF } from '../fragment-view.js';
import type { Queries } from '../queries.js';
import { tryBlocksAlone } from './block-locks.js';
import { ClientBlocks } from './file-blocks.js';
import { toDigest } from './file-trees.js';

/** Blocks that are looked at, or noted, by one statement. */
const BLOCKS_AT_ONCE = 500;

/**
 * There was something of it, and nothing is left. The OFFSETs lead PostgreSQL to the fragments of each image by its id:
 * without them it makes joins of these, and reads the fragments of all images four times.
 */
const IS_GONE = `EXISTS (
    SELECT 1 FROM ${EVERY_FRAGMENT} f WHERE f.image_id = i.image_id OFFSET 0)
  AND NOT EXISTS (
    SELECT 1 FROM ${EVERY_FRAGMENT} f
    WHERE f.image_id = i.image_id AND f.state <> 'DELETED' OFFSET 0)`;

interface Level {
  readonly height: number;
  readonly digests: readonly string[];
}

/** Finds what file trees are of no use any more, and removes blocks that no tree has. */
export class FileSweeps {
  constructor(private readonly db: Queries) {}

  /** Images with trees all of whose fragments have been reported deleted, in order. */
  async goneImages(limit: number): Promise<string[]> {
    const rows = await this.db.query<{ image_id: string }[]>(
      `SELECT i.image_id FROM image i
       WHERE EXISTS (SELECT 1 FROM file_tree t WHERE t.image_number = i.number) AND ${IS_GONE}
       ORDER BY i.image_id LIMIT $1`,
      [limit],
    );
    return rows.map((row) => row.image_id);
  }

  /** Whether that is still so. Call it with the image locked. */
  async isGone(imageId: string): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      `SELECT 1 FROM image i WHERE i.image_id = $1 AND ${IS_GONE}`,
      [imageId],
    );
    return rows.length > 0;
  }

  /** Should a fragment of these numbers come back, its index is loaded anew. */
  async markUnloaded(imageId: string): Promise<void> {
    await this.db.query(
      `UPDATE fragment f SET index_loaded_at = NULL, index_retry_at = now()
       WHERE f.image_id = $1 AND f.index_loaded_at IS NOT NULL AND ${IN_EITHER_HALF}`,
      [imageId],
    );
  }

  /** Clients whose blocks are to be swept, those that have waited longest first. */
  async clients(): Promise<string[]> {
    const rows = await this.db.query<{ client: string }[]>(
      'SELECT client FROM file_sweep ORDER BY asked_at, client',
    );
    return rows.map((row) => row.client);
  }

  /**
   * Removes the client's blocks that no tree leads to; returns how many. Undefined if a load is at work
   * for the client: then it stays to be done. Needs a transaction, in which all of that is one step.
   */
  async sweep(client: string): Promise<number | undefined> {
    if (!(await tryBlocksAlone(this.db, client))) return undefined;
    // Before the trees are read: who removes some from now on asks for another sweep.
    await this.db.query('DELETE FROM file_sweep WHERE client = $1', [client]);
    for (const level of await this.roots(client)) await this.reach(client, level);
    const [row] = await this.db.query<{ count: string }[]>(
      `WITH gone AS (
         DELETE FROM file_block b WHERE b.client = $1
           AND NOT EXISTS (
           SELECT 1 FROM file_reached r WHERE r.client = $1 AND r.digest = b.digest) RETURNING 1
       ) SELECT count(*) FROM gone`,
      [client],
    );
    await this.db.query('DELETE FROM file_reached WHERE client = $1', [client]);
    return Number(row!.count);
  }

  private async roots(client: string): Promise<Level[]> {
    const rows = await this.db.query<{ height: number; digests: string[] }[]>(
      `SELECT t.height, array_agg(DISTINCT t.root)::text[] AS digests
       FROM file_tree t JOIN image i ON i.number = t.image_number
       WHERE i.client = $1 GROUP BY t.height`,
      [client],
    );
    return rows.map(({ height, digests }) => ({ height, digests: digests.map(toDigest) }));
  }

  /** Notes blocks and all below them. Pages are not read. */
  private async reach(client: string, { height, digests }: Level): Promise<void> {
    for (let from = 0; from < digests.length; from += BLOCKS_AT_ONCE) {
      const some = digests.slice(from, from + BLOCKS_AT_ONCE);
      const rows = await this.db.query<{ digest: string }[]>(
        `INSERT INTO file_reached (client, digest) SELECT $1, * FROM unnest($2::uuid[])
         ON CONFLICT DO NOTHING RETURNING digest`,
        [client, some],
      );
      if (height === 0) continue;
      // What was noted before has been gone through with all below it.
      const fresh = rows.map(({ digest }) => toDigest(digest));
      const texts = await new ClientBlocks(this.db, client).read(fresh);
      const below = [...texts.values()].flatMap((text) =>
        readNode(text).map((each) => each.digest),
      );
      await this.reach(client, { height: height - 1, digests: below });
    }
  }
}
