import type { ResponseOf } from '#contracts/contract.js';
import type { catalogState } from '#contracts/catalog/care.js';
import type { Queries } from '../queries.js';

type Counts = Omit<ResponseOf<typeof catalogState>, 'catalogEpoch'>;

/** Counts everything; of a large catalog that takes seconds. */
export async function countCatalog(db: Queries): Promise<Counts> {
  const [row] = await db.query<Counts[]>(`
    SELECT (SELECT count(*)::int FROM image) AS images,
      (SELECT count(*)::int FROM pin) AS pins,
      (SELECT count(*)::int FROM image_hold) AS holds,
      (SELECT count(*)::int FROM parked_message) AS parked,
      (SELECT coalesce(jsonb_object_agg(state, count), '{}') FROM (
         SELECT state, count(*) FROM fragment GROUP BY state) f) AS fragments,
      (SELECT coalesce(jsonb_object_agg(verdict, count), '{}') FROM (
         SELECT verdict, count(*) FROM refused_fragment GROUP BY verdict) r) AS refused,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('mediaId', media_id, 'volumeId', volume_id,
           'pool', pool, 'path', path,
           'since', to_char(away_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
         ORDER BY away_since), '[]') FROM media_volume
         WHERE away_since IS NOT NULL) AS "volumesAway"`);
  return row!;
}
