import { Injectable } from '@nestjs/common';
import {
  mediaDrained,
  type ClientLimitView,
  type StoragePool,
  type UnitGroup,
} from '#contracts/broker/configuration.js';
import type { StorageUnit } from '#contracts/broker.js';
import { NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Work } from '#outbox/unit-of-work.js';
import { Allocator } from './allocator.js';
import {
  clientForgetRefusal,
  groupDeleteRefusal,
  groupRefusal,
  poolDeleteRefusal,
  serverForgetRefusal,
  poolOfLast,
  unitDeleteRefusal,
  unitRefusal,
} from './domain/configuration-refusal.js';
import { unknownServer } from './domain/refusal.js';
import { isFreedBy } from './domain/water-marks.js';
import { Allocations } from './persistence/allocations.js';
import { Configuration } from './persistence/configuration.js';
import { Hosts } from './persistence/hosts.js';
import { Queue } from './persistence/queue.js';
import type { ResourceTable } from './persistence/resource-table.js';
import { StorageUnits } from './persistence/storage-units.js';
import { announceFull } from './state-changes.js';

/** Jobs that are left on what is drained. */
export interface Left {
  readonly writing: number;
  readonly reading: number;
}

/** What people change. Each change may let waiting jobs go; what is wrong is refused as it is. */
@Injectable()
export class ConfigurationChanges {
  constructor(private readonly allocator: Allocator) {}

  putUnit(unit: StorageUnit): Promise<void> {
    return this.checked(
      async (table) => unitRefusal(unit, table),
      async (work, table) => {
        await new StorageUnits(work.db).put(unit);
        if (isFreedBy(unit, table)) await announceFull(work, { ...unit, full: false });
      },
    );
  }

  deleteUnit(name: string): Promise<void> {
    return this.checked(
      async (table, { db }) =>
        unitDeleteRefusal(
          name,
          table,
          await new Configuration(db).usesOf(name, poolOfLast(name, table)),
        ),
      ({ db }) => new StorageUnits(db).delete(name),
    );
  }

  putGroup(group: UnitGroup): Promise<void> {
    return this.checked(
      async (table) => groupRefusal(group, table),
      ({ db }) => new Configuration(db).putGroup(group),
    );
  }

  deleteGroup(name: string): Promise<void> {
    return this.checked(
      async (table, { db }) =>
        groupDeleteRefusal(name, table, await new Configuration(db).usesOf(name)),
      ({ db }) => new Configuration(db).deleteGroup(name),
    );
  }

  /** A pool says what its volumes are for; who gets what does not depend on it. */
  putPool(pool: StoragePool): Promise<void> {
    return this.allocator.change(({ db }) => new Configuration(db).putPool(pool));
  }

  deletePool(name: string): Promise<void> {
    return this.checked(
      async (table) => poolDeleteRefusal(name, table),
      async ({ db }) => {
        if (!(await new Configuration(db).deletePool(name))) throw new NotFound('pool', name);
      },
    );
  }

  /** Returns how many backups may run from now on. */
  putLimit({ client, jobsMax }: { client: string; jobsMax: number | null }): Promise<number> {
    return this.allocator.change(async ({ db }) => {
      await new Configuration(db).setLimit(client, jobsMax);
      return jobsMax ?? (await this.allocator.table(db)).clientJobsMax;
    });
  }

  drainMedia(mediaId: string, drained: boolean): Promise<Left> {
    return this.allocator.change(async (work) => {
      const { servers } = await this.allocator.table(work.db);
      const server = servers.get(mediaId);
      if (server === undefined) throw unknownServer(mediaId, [...servers.keys()]);
      await new Hosts(work.db).setDrained(mediaId, drained);
      if (server.drained !== drained) work.announce(mediaDrained, mediaId, { mediaId, drained });
      return new Allocations(work.db).countOn({ media: mediaId });
    });
  }

  drainUnit(name: string, drained: boolean): Promise<Left> {
    return this.allocator.change(async ({ db }) => {
      const { units } = await this.allocator.table(db);
      if (!units.has(name)) throw new NotFound('storage unit', name, STATUS.storageUnitUnavailable);
      await new StorageUnits(db).setDrained(name, drained);
      return new Allocations(db).countOn({ unit: name });
    });
  }

  /** One that is back is known again by its next heartbeat; its images are the catalog's. */
  forgetMedia(mediaId: string, now: Date): Promise<void> {
    return this.checked(
      async (table, { db }) => {
        const { writing, reading } = await new Allocations(db).countOn({ media: mediaId });
        const waiting = await new Configuration(db).waitingForSource(mediaId);
        return serverForgetRefusal(mediaId, table, { held: writing + reading, waiting, now });
      },
      ({ db }) => new Hosts(db).forgetMedia(mediaId),
    );
  }

  forgetClient(client: string, now: Date): Promise<void> {
    return this.checked(
      async (_, { db }) => {
        const lastSeenAt = (await new Hosts(db).client(client))?.lastSeenAt;
        return clientForgetRefusal(client, { lastSeenAt, now });
      },
      async ({ db }) => {
        await new Hosts(db).forgetClient(client);
        await new Configuration(db).setLimit(client, null);
      },
    );
  }

  /** False where the job waits for nothing. */
  setPriority(job: number, priority: number): Promise<boolean> {
    return this.allocator.change(({ db }) => new Queue(db).setPriority(job, priority));
  }

  private checked(
    check: (table: ResourceTable, work: Work) => Promise<PermanentError | undefined>,
    change: (work: Work, before: ResourceTable) => Promise<void>,
  ): Promise<void> {
    return this.allocator.change(async (work) => {
      const table = await this.allocator.table(work.db);
      const wrong = await check(table, work);
      if (wrong !== undefined) throw wrong;
      await change(work, table);
    });
  }
}

/** Clients that have a limit of their own, or backups that run. */
export function clientLimits(table: ResourceTable): ClientLimitView[] {
  const { clientLimits: limits, clientJobs, clientJobsMax } = table;
  return [...new Set([...limits.keys(), ...clientJobs.keys()])].sort().map((client) => ({
    client,
    jobsMax: limits.get(client) ?? clientJobsMax,
    own: limits.has(client),
    jobsActive: clientJobs.get(client) ?? 0,
  }));
}
