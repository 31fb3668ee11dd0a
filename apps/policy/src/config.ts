import { z } from 'zod';
import type { RetryRule } from './domain/due/retry.js';

const count = z.coerce.number().int();

export const policyConfig = z.object({
  /** How often the scheduler looks for what is due. */
  HOLDFAST_POLICY_TICK_SECONDS: count.min(1).max(3_600).default(15),
  /** The retry rule: so many tries in so many hours, so many minutes between two of them. */
  HOLDFAST_POLICY_TRIES: count.min(1).max(10).default(2),
  HOLDFAST_POLICY_TRY_HOURS: count.min(1).max(168).default(12),
  HOLDFAST_POLICY_RETRY_MINUTES: count.min(1).max(1_440).default(10),
  /** After how long without news of a job the job manager is asked. */
  HOLDFAST_POLICY_ASK_SECONDS: count.min(1).max(86_400).default(600),
});

/** The configuration in the units that the code uses; its own injection token. */
export class PolicySettings {
  readonly tickMs: number;
  readonly askMs: number;
  readonly retry: RetryRule;

  constructor(config: z.output<typeof policyConfig>) {
    this.tickMs = config.HOLDFAST_POLICY_TICK_SECONDS * 1_000;
    this.askMs = config.HOLDFAST_POLICY_ASK_SECONDS * 1_000;
    this.retry = {
      triesMax: config.HOLDFAST_POLICY_TRIES,
      windowMs: config.HOLDFAST_POLICY_TRY_HOURS * 3_600_000,
      delayMs: config.HOLDFAST_POLICY_RETRY_MINUTES * 60_000,
    };
  }
}
