import { z } from 'zod';
import { settingFacts } from '#service/settings/setting-facts.js';
import type { RetryRule } from './domain/due/retry.js';

const count = z.coerce.number().int();

export const policyConfig = z.object({
  HOLDFAST_POLICY_TICK_SECONDS: count.min(1).max(3_600).default(15).register(settingFacts, {
    name: 'scheduler.tick-seconds',
    unit: 'seconds',
    description: 'how often the scheduler looks for what is due',
    settable: true,
  }),
  HOLDFAST_POLICY_TRIES: count.min(1).max(10).default(2).register(settingFacts, {
    name: 'retry.tries',
    unit: 'tries',
    description:
      'jobs that a schedule of a client gets, or times that one is gone on with, within the period (Backup Tries)',
    settable: true,
  }),
  HOLDFAST_POLICY_TRY_HOURS: count.min(1).max(168).default(12).register(settingFacts, {
    name: 'retry.period-hours',
    unit: 'hours',
    description: 'the period in which tries are counted',
    settable: true,
  }),
  HOLDFAST_POLICY_RETRY_MINUTES: count.min(1).max(1_440).default(10).register(settingFacts, {
    name: 'retry.delay-minutes',
    unit: 'minutes',
    description: 'the pause between two tries (Job Retry Delay)',
    settable: true,
  }),
  HOLDFAST_POLICY_ASK_SECONDS: count.min(1).max(86_400).default(600).register(settingFacts, {
    name: 'scheduler.ask-seconds',
    unit: 'seconds',
    description: 'after how long without news of a job the job manager is asked',
    settable: true,
  }),
});

export type PolicyConfigValues = z.output<typeof policyConfig>;

/**
 * The configuration in the units that the code uses; its own injection token. Each value is read
 * anew: `holdfast config set` changes it while the service runs.
 */
export class PolicyConfig {
  constructor(private readonly values: PolicyConfigValues) {}

  get tickMs(): number {
    return this.values.HOLDFAST_POLICY_TICK_SECONDS * 1_000;
  }

  get askMs(): number {
    return this.values.HOLDFAST_POLICY_ASK_SECONDS * 1_000;
  }

  get retry(): RetryRule {
    return {
      triesMax: this.values.HOLDFAST_POLICY_TRIES,
      windowMs: this.values.HOLDFAST_POLICY_TRY_HOURS * 3_600_000,
      delayMs: this.values.HOLDFAST_POLICY_RETRY_MINUTES * 60_000,
    };
  }
}
