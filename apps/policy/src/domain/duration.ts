import { UNIT_MS } from '#kernel/duration.js';

/** A length of time for people: `10m`, `12h`, `7d`. */
export function durationText(ms: number): string {
  for (const unit of ['w', 'd', 'h', 'm'] as const) {
    if (ms >= UNIT_MS[unit] && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`;
  }
  return `${Math.round(ms / 1_000)} s`;
}
