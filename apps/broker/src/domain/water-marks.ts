import type { StorageUnit } from '#contracts/broker.js';
import { poolKey, type Resources, type ServerPool, type UnitResource } from './resources.js';

export interface MarkedUnit {
  readonly full: boolean;
  readonly highWaterPercent: number;
  readonly lowWaterPercent: number;
}

/**
 * Whether a unit is full, by what its media server says of the volume: at the high water mark it
 * becomes so, below the low one it is no longer. In between it stays what it was, so that it does
 * not change with every image. Nothing is decided where the size is not known.
 */
export function isFull(unit: MarkedUnit, pool: ServerPool | undefined): boolean {
  if (pool === undefined || pool.trouble !== undefined) return unit.full;
  if (pool.totalBytes === 0 || pool.drives !== null) return false;
  const used = pool.totalBytes - pool.freeBytes;
  const reached = (percent: number) => used * 100 >= pool.totalBytes * percent;
  return unit.full ? reached(unit.lowWaterPercent) : reached(unit.highWaterPercent);
}

/**
 * Whether a unit that was full is so no longer because somebody has changed it. Which mark was crossed
 * last says nothing of another volume, nor of another high water mark.
 */
export function isFreedBy(
  unit: StorageUnit,
  { units, servers }: Pick<Resources, 'units' | 'servers'>,
): boolean {
  const before = units.get(unit.name);
  if (!before?.full) return false;
  const isOther =
    poolKey(before) !== poolKey(unit) || before.highWaterPercent !== unit.highWaterPercent;
  const pool = servers.get(unit.mediaId)?.pools.get(unit.pool);
  return isOther && !isFull({ ...unit, full: false }, pool);
}

/** The units that have become full, or no longer are. */
export function markChanges({
  units,
  servers,
}: Pick<Resources, 'units' | 'servers'>): UnitResource[] {
  return [...units.values()]
    .map((unit) => ({
      ...unit,
      full: isFull(unit, servers.get(unit.mediaId)?.pools.get(unit.pool)),
    }))
    .filter((unit) => unit.full !== units.get(unit.name)!.full);
}
