import type { VolumePlace } from '#contracts/media.js';
import type { Queries } from '../queries.js';

/**
 * The volumes that media servers have shown. A media server that starts while a disk is not mounted has
 * nothing of what is on it, and yet nothing of that is lost.
 */
export class MediaVolumes {
  constructor(private readonly db: Queries) {}

  /** Remembers what a media server shows now. */
  async see(mediaId: string, there: readonly string[]): Promise<void> {
    await this.db.query(
      `INSERT INTO media_volume (media_id, volume_id) SELECT $1, unnest($2::uuid[])
       ON CONFLICT DO NOTHING`,
      [mediaId, there],
    );
    await this.db.query(
      `UPDATE media_volume SET away_since = CASE WHEN volume_id = ANY($2::uuid[]) THEN NULL
         ELSE now() END
       WHERE media_id = $1 AND (away_since IS NULL) <> (volume_id = ANY($2::uuid[]))`,
      [mediaId, there],
    );
  }

  /** Remembers where volumes that it has shown are, to name them when they are away. */
  async locate(mediaId: string, places: readonly VolumePlace[]): Promise<void> {
    await this.db.query(
      `UPDATE media_volume v SET pool = p.pool, path = p.path
       FROM unnest($2::uuid[], $3::text[], $4::text[]) AS p (volume_id, pool, path)
       WHERE v.media_id = $1 AND v.volume_id = p.volume_id AND (v.pool, v.path) IS DISTINCT FROM (p.pool, p.path)`,
      [
        mediaId,
        places.map(({ volumeId }) => volumeId),
        places.map(({ pool }) => pool),
        places.map(({ path }) => path),
      ],
    );
  }

  /** Those that it has shown before, and does not show now. */
  async away(mediaId: string, there: readonly string[]): Promise<string[]> {
    const rows = await this.db.query<{ volume_id: string }[]>(
      `SELECT volume_id FROM media_volume WHERE media_id = $1 AND volume_id <> ALL($2::uuid[])
       ORDER BY volume_id`,
      [mediaId, there],
    );
    return rows.map((row) => row.volume_id);
  }

  /** False where it was not known. */
  async forget(mediaId: string, volumeId: string): Promise<boolean> {
    const [, count]: [unknown, number] = await this.db.query(
      'DELETE FROM media_volume WHERE media_id = $1 AND volume_id = $2',
      [mediaId, volumeId],
    );
    return count > 0;
  }
}
