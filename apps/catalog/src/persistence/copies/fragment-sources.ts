import type { FragmentView } from '#contracts/image.js';
import { EVERY_FRAGMENT, toFragmentView, type FragmentRecord } from '../fragment-view.js';
import type { Queries } from '../queries.js';

export interface SourcesOfNumber {
  readonly number: number;
  /** In no order. */
  readonly sources: FragmentView[];
}

const SOURCES = `
  WITH total AS (
    SELECT coalesce(i.fragments_expected,
      (SELECT max(f.number) FROM fragment f WHERE f.image_id = i.image_id
         AND f.state IN ('ACTIVE', 'TO_BE_DELETED')), 0) AS numbers
    FROM image i WHERE i.image_id = $1
  ), wanted AS (
    SELECT n.number FROM total, generate_series($2::int + 1, total.numbers) n(number)
    WHERE $3::int IS NULL OR NOT EXISTS (
      SELECT 1 FROM fragment f WHERE f.image_id = $1 AND f.copy = $3 AND f.number = n.number
        AND f.state IN ('ACTIVE', 'TO_BE_DELETED'))
    ORDER BY n.number LIMIT $4
  )
  SELECT w.number AS wanted, s.* FROM wanted w
  LEFT JOIN LATERAL (
    SELECT f.* FROM image_copy c
    CROSS JOIN LATERAL (
      SELECT * FROM ${EVERY_FRAGMENT} e
      WHERE e.image_id = c.image_id AND e.copy = c.copy AND e.number = w.number
        AND (e.state = 'ACTIVE'
          OR $3 IS NULL AND e.state = 'DAMAGED' AND e.given_up_at IS NULL)
    ) f
    WHERE c.image_id = $1 AND ($3 IS NULL OR c.copy <> $3)
  ) s ON true
  ORDER BY w.number`;

/** Where fragments can be read. */
export class FragmentSources {
  constructor(private readonly db: Queries) {}

  /** A page of numbers, each with all that can be read of it; with `missingIn` only what is ACTIVE. */
  async page(of: {
    readonly imageId: string;
    readonly missingIn?: number | undefined;
    readonly afterNumber: number;
    readonly limit: number;
  }): Promise<SourcesOfNumber[]> {
    const rows = await this.db.query<(Nullable<FragmentRecord> & { wanted: number })[]>(SOURCES, [
      of.imageId,
      of.afterNumber,
      of.missingIn ?? null,
      of.limit,
    ]);
    const byNumber = new Map<number, FragmentView[]>();
    for (const row of rows) {
      const sources = byNumber.get(row.wanted) ?? [];
      byNumber.set(row.wanted, sources);
      if (row.fragment_id !== null) sources.push(toFragmentView(row as FragmentRecord));
    }
    return [...byNumber].map(([number, sources]) => ({ number, sources }));
  }

  /** How many fragments a copy lacks, and which media servers have them: most of them first. */
  async missing(imageId: string, copy: number): Promise<{ missing: number; media: string[] }> {
    const rows = await this.db.query<{ media_id: string | null; missing: string }[]>(
      `WITH lacking AS (
         SELECT n.number FROM image i, generate_series(1, i.fragments_expected) n(number)
         WHERE i.image_id = $1 AND NOT EXISTS (
           SELECT 1 FROM fragment f WHERE f.image_id = $1 AND f.copy = $2
             AND f.number = n.number AND f.state IN ('ACTIVE', 'TO_BE_DELETED'))
       )
       SELECT m.media_id, (SELECT count(*) FROM lacking) AS missing
       FROM (SELECT 1) one LEFT JOIN (
         SELECT f.media_id, count(DISTINCT f.number) AS numbers
         FROM fragment f JOIN lacking l ON l.number = f.number
         WHERE f.image_id = $1 AND f.copy <> $2 AND f.state = 'ACTIVE' GROUP BY f.media_id
       ) m ON true
       ORDER BY m.numbers DESC, m.media_id`,
      [imageId, copy],
    );
    const media = rows.flatMap((row) => row.media_id ?? []);
    return { missing: Number(rows[0]?.missing ?? 0), media };
  }
}

type Nullable<T> = { readonly [K in keyof T]: T[K] | null };
