import { removeTrees } from '../files/file-trees.js';
import { IN_EITHER_HALF } from '../fragment-view.js';
import type { ImageRow } from '../entities/image.entity.js';
import type { Queries } from '../queries.js';

/** Fragments that were committed behind a gap, where a later attempt of the backup goes on. */
export class Gaps {
  constructor(private readonly db: Queries) {}

  /**
   * Frees the numbers from `from` on in a copy that is still being made, and marks their fragments for
   * deletion. If the index of one of these is loaded, or of one that was damaged, the image's is loaded anew
   * from the fragments that stay: other copies, and trees from before there were some for each fragment, are right then, too.
   */
  async giveUp(
    { imageId }: Pick<ImageRow, 'imageId'>,
    what: {
      readonly copy: number;
      readonly from: number;
      readonly now: Date;
      readonly deletableAt: Date;
    },
  ): Promise<void> {
    const { copy, from, now, deletableAt } = what;
    // In the order in which everybody locks fragments.
    await this.db.query(
      `SELECT 1 FROM fragment WHERE image_id = $1 AND state = 'ACTIVE'
       ORDER BY fragment_id FOR UPDATE`,
      [imageId],
    );
    const loaded = await this.db.query<unknown[]>(
      `SELECT 1 FROM fragment f WHERE f.image_id = $1 AND f.copy = $2 AND f.number >= $3
         AND f.state IN ('ACTIVE', 'DAMAGED') AND ${IN_EITHER_HALF}
         AND f.index_loaded_at IS NOT NULL LIMIT 1`,
      [imageId, copy, from],
    );
    await this.db.query(
      `UPDATE fragment SET state = 'DAMAGED', given_up_at = $4, deletable_at = $5,
         state_reason = 'a later attempt of its backup went on in front of it'
       WHERE image_id = $1 AND copy = $2 AND number >= $3 AND state = 'ACTIVE'`,
      [imageId, copy, from, now, deletableAt],
    );
    if (loaded.length > 0) await this.loadAnew([imageId]);
  }

  /** Has the file indexes of images loaded anew: of nothing it is said that it is loaded. Call it with the images locked. */
  async loadAnew(imageIds: readonly string[]): Promise<void> {
    await this.db.query(
      `UPDATE fragment f SET index_loaded_at = NULL, index_retry_at = now()
       WHERE f.image_id = ANY($1::text[]) AND f.index_loaded_at IS NOT NULL AND ${IN_EITHER_HALF}`,
      [imageIds],
    );
    await removeTrees(this.db, imageIds);
  }
}
