import { brokerAllocate, brokerRelease, storageUnit, type Allocation } from '#contracts/broker.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { uuidOf } from '#kernel/ids.js';
import { plan } from '../../../../apps/broker/src/domain/plan/plan.js';
import type { Grant } from '../../../../apps/broker/src/domain/plan/walk.js';
import { refusal, superseded } from '../../../../apps/broker/src/domain/refusal.js';
import type { WaitingRequest } from '../../../../apps/broker/src/domain/resource-request.js';
import type { Resources } from '../../../../apps/broker/src/domain/resources.js';
import type { Life } from '../../kernel/host.js';
import type { Row, Transaction } from '../../parts/database.js';
import type { Cluster } from '../cluster.js';
import { Link } from '../link.js';
import { ALLOCATION, WAITING } from '../tables.js';

const JOBS_MAX = 2;
const LEASE_MS = 86_400_000;

type Request = RequestOf<typeof brokerAllocate>;

/** One life of the resource broker: the real plan, under one lock, in transactions. */
export class ResourceProgram {
  private readonly link: Link;

  constructor(
    private readonly life: Life,
    private readonly cluster: Cluster,
  ) {
    this.link = new Link(life, cluster);
    this.link.serve(brokerAllocate, (request) =>
      this.locked('allocates', (db) => this.allocate(db, request)),
    );
    this.link.serve(brokerRelease, ({ job, attempt }) =>
      this.locked('releases', async (db) => {
        const key = `${job}/${attempt}`;
        const held = await db.remove(ALLOCATION, key);
        const waited = await db.remove(WAITING, key);
        await this.grantWaiting(db);
        return { released: held || waited };
      }),
    );
  }

  private locked<T>(what: string, work: (db: Transaction) => Promise<T>): Promise<T> {
    return this.link.transaction(({ run }) =>
      run(what, async (db) => {
        await db.lock(ALLOCATION, 'the lock of all', 'update');
        return work(db);
      }),
    );
  }

  private async allocate(
    db: Transaction,
    request: Request,
  ): Promise<ResponseOf<typeof brokerAllocate>> {
    const { job, attempt } = request;
    const key = `${job}/${attempt}`;
    for (const table of [ALLOCATION, WAITING]) {
      for (const { key: other, row } of await db.select(table, { job })) {
        const known = Number(row['attempt']);
        if (known > attempt) throw superseded(request, known);
        if (known < attempt) await db.remove(table, other);
      }
    }
    if (!(await db.read(ALLOCATION, key))) {
      const wrong = refusal(request, await this.resources(db));
      if (wrong) throw wrong;
      const arrival = await db.next('arrival');
      // Rows hold plain values: the time of the world, as a number.
      await db.insert(WAITING, key, { ...request, arrival, queuedAt: this.life.world.now });
    }
    const waits = await this.grantWaiting(db);
    const held = await db.read(ALLOCATION, key);
    if (held) return { state: 'granted', allocation: held as unknown as Allocation };
    const wait = waits.find(({ request: other }) => other.job === job);
    return { state: 'queued', reason: wait?.reason ?? 'it waits' };
  }

  /** Grants what can be granted; returns who goes on waiting. */
  private async grantWaiting(db: Transaction) {
    const queue = (await db.select(WAITING, {})).map(({ row }) => ({
      ...(row as unknown as WaitingRequest),
      queuedAt: new Date(Number(row['queuedAt'])),
    }));
    const { now } = this.life.world;
    const { grants, waits } = plan(queue, await this.resources(db), new Date(now));
    for (const grant of grants) {
      const key = `${grant.job}/${grant.attempt}`;
      await db.remove(WAITING, key);
      await db.insert(ALLOCATION, key, this.allocationOf(grant) as unknown as Row);
    }
    return waits;
  }

  private allocationOf(grant: Grant): Allocation {
    const { job, attempt, purpose, client, place } = grant;
    const { now } = this.life.world;
    const unit = place.unit;
    const pool = unit === null ? null : this.cluster.poolOf(unit);
    return {
      allocationId: uuidOf(`allocation ${job}/${attempt}`),
      ...{ job, attempt, purpose, client, unit, pool, fragmentBytesMax: 1_000_000 },
      media: place.media.map((mediaId) => ({ mediaId, address: { host: mediaId, port: 1 } })),
      grantedAt: new Date(now).toISOString(),
      leaseUntil: new Date(now + LEASE_MS).toISOString(),
    };
  }

  /** Each media server has one unit, named after it. */
  private async resources(db: Transaction): Promise<Resources> {
    const held = (await db.select(ALLOCATION, {})).map(({ row }) => row);
    const mediaIds = [...this.cluster.disks.keys()];
    const size = { freeBytes: 0, totalBytes: 0, drives: null };
    const servers = mediaIds.map((mediaId) => {
      const pools = new Map([[this.cluster.poolOf(mediaId), size]]);
      const lastSeenAt = this.cluster.lastSeenAt(mediaId);
      return [mediaId, { mediaId, pools, lastSeenAt, drained: false }] as const;
    });
    const units = mediaIds.map((mediaId) => {
      const jobsActive = held.filter((row) => row['unit'] === mediaId).length;
      const pool = this.cluster.poolOf(mediaId);
      const unit = storageUnit.parse({ name: mediaId, mediaId, pool, jobsMax: JOBS_MAX });
      const state = { jobsActive, drained: false, full: false, chosen: 0 };
      return [mediaId, { ...unit, ...state }] as const;
    });
    return {
      ...{ servers: new Map(servers), units: new Map(units), groups: new Map() },
      ...{ poolUse: new Map(), clientLimits: new Map(), clientJobsMax: JOBS_MAX * units.length },
      ...{ clientJobs: new Map(), policyJobs: new Map() },
    };
  }
}
