import { mediaDown, mediaUp, unitFull } from '#contracts/broker/configuration.js';
import type { Work } from '#outbox/unit-of-work.js';
import type { Resources, UnitResource } from './domain/resources.js';
import { markChanges } from './domain/water-marks.js';
import { Hosts } from './persistence/hosts.js';
import { StorageUnits } from './persistence/storage-units.js';

/** Takes down and announces which servers came up or went down, and which units are full or not. */
export async function announceStates(work: Work, resources: Resources, now: Date): Promise<void> {
  for (const { mediaId, state, lastSeenAt } of await new Hosts(work.db).changedStates(now)) {
    const event = state === 'up' ? mediaUp : mediaDown;
    work.announce(event, mediaId, { mediaId, lastSeenAt: lastSeenAt.toISOString() });
  }
  for (const unit of markChanges(resources)) await announceFull(work, unit);
}

/** Takes down and announces that a unit is full, or no longer. */
export async function announceFull(
  work: Work,
  { name, mediaId, full }: Pick<UnitResource, 'name' | 'mediaId' | 'full'>,
): Promise<void> {
  await new StorageUnits(work.db).setFull(name, full);
  work.announce(unitFull, name, { unit: name, mediaId, full });
}
