import type { EntityManager } from 'typeorm';
import type { Allocation, MediaServer } from '#contracts/broker.js';
import type { Resources, ServerResource, UnitResource } from '../domain/resources.js';
import type { AllocationEntity } from './allocation.entity.js';

/** A media server as its last heartbeat left it. */
export interface ServerRow extends Omit<MediaServer, 'state' | 'lastSeenAt'> {
  readonly lastSeenAt: Date;
}

/** In one statement: it is read for each grant, and each round trip holds up the next one. */
const READ = `
  SELECT
    (SELECT coalesce(json_agg(json_build_object('name', name, 'mediaId', media_id, 'pool', pool,
        'jobsMax', jobs_max, 'fragmentBytesMax', fragment_bytes_max, 'jobsActive',
        (SELECT count(*) FROM allocation WHERE allocation.unit = storage_unit.name))
        ORDER BY name), '[]') FROM storage_unit) AS units,
    (SELECT coalesce(json_agg(json_build_object('mediaId', media_id, 'host', host,
        'version', version, 'address', address, 'volumes', volumes, 'lastSeenAt', last_seen_at)
        ORDER BY media_id), '[]') FROM media_server) AS servers`;

interface Read {
  readonly units: UnitResource[];
  readonly servers: (Omit<ServerRow, 'lastSeenAt'> & { readonly lastSeenAt: string })[];
}

/** Everything there is to hand out, read at one moment, by name. */
export class ResourceTable implements Resources {
  readonly units: ReadonlyMap<string, UnitResource>;
  readonly rows: ReadonlyMap<string, ServerRow>;
  readonly servers: ReadonlyMap<string, ServerResource>;

  private constructor({ units, servers }: Read) {
    const rows = servers.map((row) => ({ ...row, lastSeenAt: new Date(row.lastSeenAt) }));
    this.units = new Map(units.map((unit) => [unit.name, unit]));
    this.rows = new Map(rows.map((row) => [row.mediaId, row]));
    this.servers = new Map(rows.map((row) => [row.mediaId, toResource(row)]));
  }

  static async read(db: EntityManager): Promise<ResourceTable> {
    const [row]: Read[] = await db.query(READ);
    return new ResourceTable(row!);
  }

  /** An allocation as callers see it, with where its media servers are now. */
  describe(row: AllocationEntity): Allocation {
    const { media, grantedAt, leaseUntil, ...fields } = row;
    return {
      ...fields,
      media: media.map((mediaId) => ({ mediaId, address: this.addressOf(mediaId) })),
      grantedAt: grantedAt.toISOString(),
      leaseUntil: leaseUntil.toISOString(),
    };
  }

  private addressOf(mediaId: string): ServerRow['address'] {
    const row = this.rows.get(mediaId);
    if (row === undefined) throw new Error(`media server ${mediaId} has an allocation but no row`);
    return row.address;
  }
}

function toResource({ mediaId, lastSeenAt, volumes }: ServerRow): ServerResource {
  return { mediaId, lastSeenAt, pools: [...new Set(volumes.map(({ pool }) => pool))] };
}
