import type { EntityManager } from 'typeorm';
import type { UnitGroup } from '#contracts/broker/configuration.js';
import type { Allocation, MediaServer } from '#contracts/broker.js';
import { prepared } from '#outbox/prepared.js';
import { serverPools } from '../domain/liveness.js';
import {
  poolKey,
  type PoolUse,
  type Resources,
  type ServerResource,
  type UnitResource,
} from '../domain/resources.js';
import type { AllocationEntity } from './entities/allocation.entity.js';

/** A media server as its last heartbeat left it. */
export interface ServerRow extends Omit<MediaServer, 'state' | 'lastSeenAt'> {
  readonly lastSeenAt: Date;
  readonly drained: boolean;
}

/** What the queue is like, without what stands in it. */
export interface WaitingAtAll {
  /** Since when the request has waited that came first; null where none waits. */
  readonly since: Date | null;
  /** None waits for a pool, or to read. */
  readonly onlyForUnits: boolean;
}

/** In one statement: it is read for each grant, and each round trip holds up the next one. */
const READ = prepared(`
  WITH held AS MATERIALIZED (
    SELECT purpose, client, policy, unit, pool, multiplexing, media[1] AS media, count(*) AS jobs,
      sum(estimated_bytes) AS bytes
    FROM allocation WHERE unit IS NOT NULL
    GROUP BY purpose, client, policy, unit, pool, multiplexing, media[1])
  SELECT
    (SELECT coalesce(json_agg(json_build_object('name', name, 'mediaId', media_id, 'pool', pool,
        'jobsMax', jobs_max, 'fragmentBytesMax', fragment_bytes_max,
        'highWaterPercent', high_water_percent, 'lowWaterPercent', low_water_percent,
        'onDemandOnly', on_demand_only, 'maxStreamsPerDrive', max_streams_per_drive, 'drained', drained, 'full', is_full, 'chosen', chosen,
        'jobsActive', coalesce(busy.jobs, 0)) ORDER BY name), '[]')
      FROM storage_unit LEFT JOIN
        (SELECT unit, sum(jobs) AS jobs FROM held GROUP BY unit) AS busy ON busy.unit = name) AS units,
    (SELECT coalesce(json_agg(json_build_object('mediaId', media_id, 'host', host,
        'version', version, 'address', address, 'volumes', volumes, 'lastSeenAt', last_seen_at,
        'drained', drained) ORDER BY media_id), '[]') FROM media_server) AS servers,
    (SELECT coalesce(json_agg(json_build_object('name', name, 'units', units,
        'selection', selection) ORDER BY name), '[]') FROM unit_group) AS groups,
    (SELECT coalesce(json_object_agg(client, jobs_max), '{}') FROM client_limit) AS limits,
    (SELECT coalesce(json_agg(row_to_json(used)), '[]') FROM
      (SELECT media AS "mediaId", held.pool, sum(jobs) AS jobs, sum(bytes) AS bytes,
         least(max_streams_per_drive, multiplexing) AS streams
       FROM held JOIN storage_unit ON name = unit
       GROUP BY media, held.pool, least(max_streams_per_drive, multiplexing)) AS used) AS pools,
    (SELECT coalesce(json_object_agg(client, jobs), '{}') FROM
      (SELECT client, sum(jobs) AS jobs FROM held WHERE purpose = 'write'
       GROUP BY client) AS of_client) AS clients,
    (SELECT coalesce(json_object_agg(policy, jobs), '{}') FROM
      (SELECT policy, sum(jobs) AS jobs FROM held WHERE purpose = 'write' AND policy IS NOT NULL
       GROUP BY policy) AS of_policy) AS policies,
    (SELECT queued_at FROM waiting ORDER BY arrival LIMIT 1) AS "waitingSince",
    NOT EXISTS (SELECT FROM waiting WHERE unit IS NULL) AS "onlyForUnits"`);

/** Jobs of a pool that allow so many streams on their drive. */
interface PoolRow {
  readonly mediaId: string;
  readonly pool: string;
  readonly streams: number;
  readonly jobs: number;
  readonly bytes: number;
}

interface Read {
  readonly units: UnitResource[];
  readonly servers: (Omit<ServerRow, 'lastSeenAt'> & { readonly lastSeenAt: string })[];
  readonly groups: UnitGroup[];
  readonly limits: Record<string, number>;
  readonly pools: readonly PoolRow[];
  readonly clients: Record<string, number>;
  readonly policies: Record<string, number>;
  readonly waitingSince: Date | null;
  readonly onlyForUnits: boolean;
}

/** What is no table of this service. */
export interface Defaults {
  /** Backups of a client without a limit of its own. */
  readonly clientJobsMax: number;
}

/** Everything there is to hand out, read at one moment, by name. */
export class ResourceTable implements Resources {
  readonly units: ReadonlyMap<string, UnitResource>;
  readonly rows: ReadonlyMap<string, ServerRow>;
  readonly servers: ReadonlyMap<string, ServerResource>;
  readonly groups: ReadonlyMap<string, UnitGroup>;
  readonly poolUse: ReadonlyMap<string, PoolUse>;
  readonly clientLimits: ReadonlyMap<string, number>;
  readonly clientJobs: ReadonlyMap<string, number>;
  readonly policyJobs: ReadonlyMap<string, number>;
  readonly clientJobsMax: number;
  readonly waiting: WaitingAtAll;

  private constructor(read: Read, { clientJobsMax }: Defaults) {
    const rows = read.servers.map((row) => ({ ...row, lastSeenAt: new Date(row.lastSeenAt) }));
    this.units = new Map(read.units.map((unit) => [unit.name, unit]));
    this.rows = new Map(rows.map((row) => [row.mediaId, row]));
    this.servers = new Map(rows.map((row) => [row.mediaId, toResource(row)]));
    this.groups = new Map(read.groups.map((group) => [group.name, group]));
    this.poolUse = poolUses(read.pools);
    this.clientLimits = new Map(Object.entries(read.limits));
    this.clientJobs = new Map(Object.entries(read.clients));
    this.policyJobs = new Map(Object.entries(read.policies));
    this.clientJobsMax = clientJobsMax;
    this.waiting = { since: read.waitingSince, onlyForUnits: read.onlyForUnits };
  }

  static async read(db: EntityManager, defaults: Defaults): Promise<ResourceTable> {
    const [row]: Read[] = await db.query(READ);
    return new ResourceTable(row!, defaults);
  }

  /** An allocation as callers see it, with where its media servers are now. */
  describe(row: AllocationEntity): Allocation {
    const { media, grantedAt, leaseUntil, estimatedBytes: _, multiplexing: __, ...fields } = row;
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

function poolUses(rows: readonly PoolRow[]): Map<string, PoolUse> {
  const uses = new Map<string, PoolUse>();
  for (const row of rows) {
    const { streams, bytes } = uses.get(poolKey(row)) ?? { streams: [], bytes: 0 };
    const more = Array.from({ length: row.jobs }, () => row.streams);
    uses.set(poolKey(row), { streams: [...streams, ...more], bytes: bytes + row.bytes });
  }
  return uses;
}

function toResource({ mediaId, lastSeenAt, volumes, drained }: ServerRow): ServerResource {
  return { mediaId, lastSeenAt, drained, pools: serverPools(volumes) };
}
