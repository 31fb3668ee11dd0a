import type { Resources, ServerPool, UnitResource } from './resources.js';

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
  if (pool === undefined) return unit.full;
  if (pool.totalBytes === 0 || pool.drives !== null) return false;
  const used = pool.totalBytes - pool.freeBytes;
  const reached = (percent: number) => used * 100 >= pool.totalBytes * percent;
  return unit.full ? reached(unit.lowWaterPercent) : reached(unit.highWaterPercent);
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
