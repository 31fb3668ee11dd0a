import type { EntityManager } from 'typeorm';
import type { Allocation } from '#contracts/broker.js';
import type { Resources } from '../domain/resources.js';
import type { AllocationEntity } from './allocation.entity.js';
import { Hosts, serverResource } from './hosts.js';
import type { MediaServerEntity } from './media-server.entity.js';
import { StorageUnits } from './storage-units.js';

/** Everything there is to hand out, read at one moment, and the addresses that go with it. */
export class ResourceTable implements Resources {
  readonly servers: Resources['servers'];

  private constructor(
    private readonly rows: ReadonlyMap<string, MediaServerEntity>,
    readonly units: Resources['units'],
  ) {
    this.servers = new Map([...rows].map(([id, row]) => [id, serverResource(row)]));
  }

  static async read(db: EntityManager): Promise<ResourceTable> {
    const units = await new StorageUnits(db).all();
    const servers = await new Hosts(db).servers();
    return new ResourceTable(
      new Map(servers.map((row) => [row.mediaId, row])),
      new Map(units.map((unit) => [unit.name, unit])),
    );
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

  private addressOf(mediaId: string): Allocation['media'][number]['address'] {
    const row = this.rows.get(mediaId);
    if (row === undefined) throw new Error(`media server ${mediaId} has an allocation but no row`);
    return row.address;
  }
}
