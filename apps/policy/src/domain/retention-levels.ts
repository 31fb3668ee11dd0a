import type { Retention } from '#contracts/schedule.js';
import { RETENTION_LEVEL_MAX } from '#contracts/schedule.js';

const FOR_EVER = 'infinite';

/** The field's periods of levels 0 to 8; months have 31 days. All further ones are for ever. */
const DEFAULT_PERIODS = ['1w', '2w', '3w', '31d', '62d', '93d', '186d', '279d', '365d'] as const;

/** What each level stands for: the defaults, but where `changed` says otherwise. */
export function retentionLevels(changed: ReadonlyMap<number, string>) {
  return Array.from({ length: RETENTION_LEVEL_MAX + 1 }, (_, level) => ({
    level,
    period: changed.get(level) ?? DEFAULT_PERIODS[level] ?? FOR_EVER,
    isDefault: !changed.has(level),
  }));
}

/** The length of time, or `infinite`, that a schedule's retention stands for. */
export function periodOf(retention: Retention, changed: ReadonlyMap<number, string>): string {
  if (typeof retention === 'string') return retention;
  return changed.get(retention) ?? DEFAULT_PERIODS[retention] ?? FOR_EVER;
}
