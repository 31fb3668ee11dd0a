import { prepared } from '#outbox/prepared.js';
import type { TreeRoot } from '../../domain/files/tree-block.js';
import type { BuiltTree } from '../../domain/files/tree-builder.js';
import { arrayLiteral, byteArray } from '../array-literal.js';
import type { Queries } from '../queries.js';

/** What one fragment's index says of an image. */
export interface FragmentTrees {
  /** `image.number`. */
  readonly image: number;
  /** Its number. */
  readonly fragment: number;
  readonly trees: readonly BuiltTree[];
}

const INSERT = prepared(`
  INSERT INTO file_tree (image_number, fragment, part, root, height, entries, filter)
  SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[], $5::int[], $6::bigint[], $7::bytea[])`);

export async function insertTrees(db: Queries, of: readonly FragmentTrees[]): Promise<void> {
  const rows = of.flatMap(({ image, fragment, trees }) =>
    trees.map((tree, part) => ({ image, fragment, part, ...tree })),
  );
  if (rows.length === 0) return;
  await db.query(INSERT, [
    arrayLiteral(rows.map(({ image }) => image)),
    arrayLiteral(rows.map(({ fragment }) => fragment)),
    arrayLiteral(rows.map(({ part }) => part)),
    arrayLiteral(rows.map(({ digest }) => digest)),
    arrayLiteral(rows.map(({ height }) => height)),
    arrayLiteral(rows.map(({ entries }) => entries)),
    byteArray(rows.map(({ filter }) => filter)),
  ]);
}

interface TreeRow {
  readonly image_number: string;
  readonly root: string;
  readonly height: number;
  readonly entries: string;
}

/** The trees of images, by the images' numbers. */
export async function treesOf(
  db: Queries,
  images: readonly number[],
): Promise<ReadonlyMap<number, readonly TreeRoot[]>> {
  const rows = await db.query<TreeRow[]>(
    prepared(`SELECT image_number, root, height, entries FROM file_tree
       WHERE image_number = ANY($1::bigint[]) ORDER BY image_number, fragment, part`),
    [arrayLiteral(images)],
  );
  const trees = new Map<number, TreeRoot[]>(images.map((image) => [image, []]));
  for (const row of rows) trees.get(Number(row.image_number))!.push(toRoot(row));
  return trees;
}

export function toRoot(row: Omit<TreeRow, 'image_number'>): TreeRoot {
  const { root, height, entries } = row;
  return { digest: toDigest(root), height, entries: Number(entries) };
}

/** As blocks have it in their texts. */
export function toDigest(uuid: string): string {
  return uuid.replaceAll('-', '');
}

/**
 * Forgets what images hold, and has the blocks of their clients swept. Call it with the images locked, and
 * say in the same transaction that their indexes are not loaded.
 */
export async function removeTrees(db: Queries, imageIds: readonly string[]): Promise<void> {
  await db.query(
    `WITH gone AS (
       DELETE FROM file_tree t USING image i
       WHERE t.image_number = i.number AND i.image_id = ANY($1::text[]) RETURNING i.client
     )
     INSERT INTO file_sweep (client) SELECT DISTINCT client FROM gone ORDER BY client
     ON CONFLICT (client) DO UPDATE SET asked_at = now()`,
    [imageIds],
  );
}
