import type { EntityManager } from 'typeorm';
import type { HostHeartbeat } from '#contracts/broker.js';
import type { MediaHeartbeat, MediaSighting } from '../domain/liveness.js';
import { ClientEntity } from './client.entity.js';
import type { MediaServerEntity } from './media-server.entity.js';

type AgentHeartbeat = Extract<HostHeartbeat, { role: 'agent' }>;

/** The SQL about media servers and clients. */
export class Hosts {
  constructor(private readonly db: EntityManager) {}

  /** Takes a heartbeat down and returns what was known before it. Time never runs backwards. */
  async mediaSeen(beat: MediaHeartbeat, now: Date): Promise<MediaSighting | undefined> {
    const rows: { seen: Date | null; volumes: MediaServerEntity['volumes'] | null }[] =
      await this.db.query(
        `WITH before AS (SELECT last_seen_at, volumes FROM media_server WHERE media_id = $1)
         INSERT INTO media_server AS known (media_id, host, version, address, volumes, last_seen_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (media_id) DO UPDATE SET host = EXCLUDED.host, version = EXCLUDED.version,
           address = EXCLUDED.address, volumes = EXCLUDED.volumes,
           last_seen_at = greatest(known.last_seen_at, EXCLUDED.last_seen_at)
         RETURNING (SELECT last_seen_at FROM before) AS seen,
           (SELECT volumes FROM before) AS volumes`,
        [
          beat.id,
          beat.host,
          beat.version,
          JSON.stringify(beat.address),
          JSON.stringify(beat.volumes),
          now,
        ],
      );
    const before = rows[0];
    if (!before?.seen) return undefined;
    return { lastSeenAt: before.seen, pools: (before.volumes ?? []).map(({ pool }) => pool) };
  }

  async agentSeen(beat: AgentHeartbeat, now: Date): Promise<void> {
    await this.db.query(
      `INSERT INTO client AS known (client, host, version, last_seen_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (client) DO UPDATE SET host = EXCLUDED.host, version = EXCLUDED.version,
         last_seen_at = greatest(known.last_seen_at, EXCLUDED.last_seen_at)`,
      [beat.id, beat.host, beat.version, now],
    );
  }

  clients(): Promise<ClientEntity[]> {
    return this.db.find(ClientEntity, { order: { client: 'ASC' } });
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
