import type { PoolView, StoragePool } from '#contracts/broker/configuration.js';
import type { MediaServer, StorageUnit } from '#contracts/broker.js';

/** Pools that were declared, and those that only a volume or a unit names: these are primary ones. */
export function poolViews(
  declared: readonly StoragePool[],
  volumes: MediaServer['volumes'],
  units: readonly Pick<StorageUnit, 'name' | 'pool'>[],
): PoolView[] {
  const known = new Map(declared.map((pool) => [pool.name, pool]));
  const names = [...known.keys(), ...[...volumes, ...units].map(({ pool }) => pool)];
  return [...new Set(names)].sort().map((name) => {
    const own = volumes.filter(({ pool }) => pool === name);
    return {
      ...(known.get(name) ?? { name, class: 'primary', description: '' }),
      declared: known.has(name),
      units: units.filter(({ pool }) => pool === name).map((unit) => unit.name),
      volumes: own.length,
      freeBytes: own.reduce((sum, { freeBytes }) => sum + freeBytes, 0),
      totalBytes: own.reduce((sum, { totalBytes }) => sum + totalBytes, 0),
    };
  });
}
