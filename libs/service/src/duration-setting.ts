import { z } from 'zod';
import { durationMs } from '#kernel/duration.js';

/** A setting such as `250ms`, `90s`, `10m`, `24h` or `7d`; its value is in milliseconds. */
export const durationSetting = z.string().transform((text, context) => {
  const ms = durationMs(text);
  if (ms !== undefined) return ms;
  context.addIssue('is no duration; a number and ms, s, m, h or d is, such as "24h"');
  return z.NEVER;
});
