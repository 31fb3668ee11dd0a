import { MoreThan, type EntityManager } from 'typeorm';
import type { HostHeartbeat } from '#contracts/broker.js';
import {
  serverPools,
  upSince,
  type MediaHeartbeat,
  type MediaSighting,
} from '../domain/liveness.js';
import { ClientEntity } from './entities/client.entity.js';
import type { MediaServerEntity } from './entities/media-server.entity.js';

type AgentHeartbeat = Extract<HostHeartbeat, { role: 'agent' }>;

interface Before {
  readonly seen: Date | null;
  readonly volumes: MediaServerEntity['volumes'] | null;
  readonly units: MediaSighting['units'];
}

/** The state of a media server is another one than was announced last. */
export interface Announcement {
  readonly mediaId: string;
  readonly state: 'up' | 'down';
  readonly lastSeenAt: Date;
}

/** The SQL about media servers and clients. */
export class Hosts {
  constructor(private readonly db: EntityManager) {}

  /**
   * Takes a heartbeat down and returns what was known before it. The last word counts, also where it is earlier: what
   * was heard while a clock was ahead must not keep a host up until then.
   */
  async mediaSeen(beat: MediaHeartbeat, now: Date): Promise<MediaSighting | undefined> {
    const rows: Before[] = await this.db.query(
      `WITH before AS (SELECT last_seen_at, volumes FROM media_server WHERE media_id = $1)
       INSERT INTO media_server (media_id, host, version, address, volumes, last_seen_at)
       VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (media_id) DO UPDATE SET host = EXCLUDED.host, version = EXCLUDED.version,
         address = EXCLUDED.address, volumes = EXCLUDED.volumes,
         last_seen_at = EXCLUDED.last_seen_at
       RETURNING (SELECT last_seen_at FROM before) AS seen,
         (SELECT volumes FROM before) AS volumes,
         (SELECT coalesce(json_agg(json_build_object('pool', pool, 'full', is_full,
            'highWaterPercent', high_water_percent, 'lowWaterPercent', low_water_percent)), '[]')
          FROM storage_unit WHERE storage_unit.media_id = $1) AS units`,
      [
        ...[beat.id, beat.host, beat.version],
        ...[JSON.stringify(beat.address), JSON.stringify(beat.volumes), now],
      ],
    );
    const before = rows[0];
    if (!before?.seen) return undefined;
    const pools = serverPools(before.volumes ?? []);
    return { lastSeenAt: before.seen, pools, units: before.units };
  }

  /** Takes down which servers have come up or gone down since somebody asked last. */
  async changedStates(now: Date): Promise<Announcement[]> {
    const [rows] = (await this.db.query(
      `UPDATE media_server SET announced = CASE announced WHEN 'up' THEN 'down' ELSE 'up' END
       WHERE (announced = 'up') <> (last_seen_at >= $1)
       RETURNING media_id, announced, last_seen_at`,
      [upSince(now)],
    )) as [{ media_id: string; announced: 'up' | 'down'; last_seen_at: Date }[], number];
    return rows.map((row) => ({
      ...{ mediaId: row.media_id, state: row.announced, lastSeenAt: row.last_seen_at },
    }));
  }

  async setDrained(mediaId: string, drained: boolean): Promise<void> {
    await this.db.query('UPDATE media_server SET drained = $2 WHERE media_id = $1', [
      mediaId,
      drained,
    ]);
  }

  async forgetMedia(mediaId: string): Promise<void> {
    await this.db.query('DELETE FROM media_server WHERE media_id = $1', [mediaId]);
  }

  async forgetClient(client: string): Promise<void> {
    await this.db.query('DELETE FROM client WHERE client = $1', [client]);
  }

  async agentSeen(beat: AgentHeartbeat, now: Date): Promise<void> {
    await this.db.query(
      `INSERT INTO client (client, host, version, last_seen_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (client) DO UPDATE SET host = EXCLUDED.host, version = EXCLUDED.version,
         last_seen_at = EXCLUDED.last_seen_at`,
      [beat.id, beat.host, beat.version, now],
    );
  }

  /** By name, those behind `after`. */
  clients({
    after,
    limit,
  }: {
    after?: string | undefined;
    limit: number;
  }): Promise<ClientEntity[]> {
    return this.db.find(ClientEntity, {
      ...(after === undefined ? {} : { where: { client: MoreThan(after) } }),
      order: { client: 'ASC' },
      take: limit,
    });
  }

  client(name: string): Promise<ClientEntity | null> {
    return this.db.findOneBy(ClientEntity, { client: name });
  }

  /** The first few clients and how many there are, for a message. */
  async someClients(limit: number): Promise<{ known: string[]; total: number }> {
    const [rows, total] = await this.db.findAndCount(ClientEntity, {
      order: { client: 'ASC' },
      take: limit,
    });
    return { known: rows.map(({ client }) => client), total };
  }
}
