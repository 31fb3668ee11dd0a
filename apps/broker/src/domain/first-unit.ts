import { storageUnit, type StorageUnit } from '#contracts/broker.js';
import type { Resources } from './resources.js';

/**
 * The unit `default` that a cluster without any unit gets, on the first volume's pool of the first
 * media server that has one; so that one machine needs no configuration. A person who makes a unit
 * first, whatever its name, gets no other.
 */
export function firstUnit({
  servers,
  units,
}: Pick<Resources, 'servers' | 'units'>): StorageUnit | undefined {
  if (units.size > 0) return undefined;
  for (const { mediaId, pools } of servers.values()) {
    for (const pool of pools.keys()) return storageUnit.parse({ name: 'default', mediaId, pool });
  }
  return undefined;
}
