import { assert } from './assert.js';

/** Milliseconds of each unit in which lengths of time are written. */
export const UNIT_MS = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
} as const;

/**
 * Milliseconds of a length of time such as `250ms`, `90s`, `10m`, `24h`, `7d` or `2w`. Whoever takes one from
 * outside says first which units may be there.
 */
export function durationMs(text: string): number {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h|d|w)$/.exec(text) ?? [];
  assert(unit !== undefined, `"${text}" is no length of time`);
  return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
