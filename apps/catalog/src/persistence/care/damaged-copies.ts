import type { Queries } from '../queries.js';

/** A copy with damaged fragments that other copies have whole. */
export interface DamagedCopy {
  readonly imageId: string;
  readonly copy: number;
  readonly pool: string;
  /** Of what is damaged. */
  readonly fragmentIds: readonly string[];
}

/** Where a page of them ended. */
export type DamagedCursor = Pick<DamagedCopy, 'imageId' | 'copy'>;

/**
 * Copies that a duplication can mend: of each damaged number another copy has an ACTIVE fragment. So many
 * at most, by image and copy, behind `after`.
 */
export async function mendableCopies(
  db: Queries,
  page: { readonly after?: DamagedCursor | undefined; readonly limit: number },
): Promise<DamagedCopy[]> {
  const rows = await db.query<
    { image_id: string; copy: number; pool: string; fragment_ids: string[] }[]
  >(
    `SELECT f.image_id, f.copy, c.pool, array_agg(f.fragment_id ORDER BY f.fragment_id) AS fragment_ids
     FROM fragment f JOIN image_copy c ON c.image_id = f.image_id AND c.copy = f.copy
     WHERE f.state = 'DAMAGED' AND f.deletable_at IS NULL
       AND ($1::text IS NULL OR (f.image_id, f.copy) > ($1, $2::int))
       AND NOT EXISTS (SELECT 1 FROM fragment g WHERE g.image_id = f.image_id
         AND g.copy = f.copy AND g.number = f.number AND g.state IN ('ACTIVE', 'TO_BE_DELETED'))
       AND EXISTS (SELECT 1 FROM fragment o WHERE o.image_id = f.image_id
         AND o.copy <> f.copy AND o.number = f.number AND o.state = 'ACTIVE')
     GROUP BY f.image_id, f.copy, c.pool ORDER BY f.image_id, f.copy LIMIT $3`,
    [page.after?.imageId ?? null, page.after?.copy ?? null, page.limit],
  );
  return rows.map((row) => ({
    imageId: row.image_id,
    copy: row.copy,
    pool: row.pool,
    fragmentIds: row.fragment_ids,
  }));
}
