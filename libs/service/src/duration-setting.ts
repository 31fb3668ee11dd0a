import { z } from 'zod';
import { durationMs } from '#kernel/duration.js';
import { settingFacts } from './settings/setting-facts.js';

/** What such a setting takes, in words. */
export const DURATION_ALLOWED = 'a number and ms, s, m, h or d, such as "24h"';
const DURATION = /^\d{1,9}(ms|s|m|h|d)$/;

/** A setting such as `250ms`, `90s`, `10m`, `24h` or `7d`; its value is in milliseconds. */
export const durationSetting = z
  .string()
  .refine((text) => DURATION.test(text), `is no duration; that is ${DURATION_ALLOWED}`)
  .transform(durationMs);

/** One that holds from the start of its process to its end. */
export function fixedDuration(
  preset: string,
  said: { readonly name: string; readonly description: string },
) {
  const facts = { ...said, unit: '', settable: false, allowed: DURATION_ALLOWED };
  return durationSetting.prefault(preset).register(settingFacts, facts);
}
