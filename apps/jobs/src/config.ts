import { z } from 'zod';
import { durationSetting } from '#service/duration-setting.js';
import { settingFacts } from '#service/settings/setting-facts.js';
import type { Backoff } from './domain/job.js';

const DAY_MS = 86_400_000;

const count = z.coerce.number().int();

export const jobsConfig = z.object({
  HOLDFAST_SILENCE_MS_MAX: count.min(1_000).max(DAY_MS).default(30_000).register(settingFacts, {
    name: 'jobs.silence-seconds',
    unit: 'seconds',
    description: 'a participant of a job that says nothing for so long has died',
    settable: true,
    scale: 1_000,
  }),
  HOLDFAST_RETRY_FIRST_MS: count.min(0).max(3_600_000).default(5_000).register(settingFacts, {
    name: 'jobs.retry-first-seconds',
    unit: 'seconds',
    description: "the wait before a new job's second attempt",
    settable: true,
    scale: 1_000,
  }),
  HOLDFAST_RETRY_FACTOR: z.coerce.number().min(1).max(10).default(3).register(settingFacts, {
    name: 'jobs.retry-factor',
    unit: 'times',
    description: 'each further wait is so many times the one before',
    settable: true,
  }),
  HOLDFAST_RETRY_MAX_MS: count.min(0).max(DAY_MS).default(300_000).register(settingFacts, {
    name: 'jobs.retry-max-seconds',
    unit: 'seconds',
    description: 'no wait between two attempts is longer',
    settable: true,
    scale: 1_000,
  }),
  /** Then the next attempt begins without it. */
  HOLDFAST_DRAIN_TRIES: count.min(1).max(1_000).default(10).register(settingFacts, {
    name: 'jobs.drain-tries',
    unit: 'tries',
    description:
      'how often the media server of a failed attempt is asked whether all that it has sealed is in the catalog',
    settable: true,
  }),
  HOLDFAST_DRAIN_PAUSE_MS: count.min(10).max(60_000).default(1_000).register(settingFacts, {
    name: 'jobs.drain-pause-seconds',
    unit: 'seconds',
    description: 'the pause between two of these questions',
    settable: true,
    scale: 1_000,
  }),
  HOLDFAST_JOBS_SUSPENDED_MAX: durationSetting.prefault('168h').register(settingFacts, {
    name: 'jobs.suspended-hours',
    unit: 'hours',
    description: 'how long a job may stay suspended; then it is incomplete',
    settable: true,
    duration: 'h',
  }),
  HOLDFAST_JOBS_INCOMPLETE_MAX: durationSetting.prefault('3h').register(settingFacts, {
    name: 'jobs.incomplete-hours',
    unit: 'hours',
    description:
      'how long a job may stay incomplete (the field: 1 to 72 hours); then it ends with the status it had',
    settable: true,
    duration: 'h',
  }),
  HOLDFAST_JOBS_KEEP: durationSetting.prefault('30d').register(settingFacts, {
    name: 'jobs.keep-days',
    unit: 'days',
    description: 'how long jobs are listed that are done',
    settable: true,
    duration: 'd',
  }),
});
export type JobsConfigValues = z.output<typeof jobsConfig>;

/**
 * The configuration in the units that the code uses; its own injection token. Each value is read
 * anew: `holdfast config set` changes it while the service runs.
 */
export class JobsConfig {
  constructor(private readonly values: JobsConfigValues) {}

  get silenceMsMax(): number {
    return this.values.HOLDFAST_SILENCE_MS_MAX;
  }

  get drainPauseMs(): number {
    return this.values.HOLDFAST_DRAIN_PAUSE_MS;
  }

  get suspendedMsMax(): number {
    return this.values.HOLDFAST_JOBS_SUSPENDED_MAX;
  }

  get incompleteMsMax(): number {
    return this.values.HOLDFAST_JOBS_INCOMPLETE_MAX;
  }

  get keepMs(): number {
    return this.values.HOLDFAST_JOBS_KEEP;
  }

  /** A job keeps the one that it was made with. */
  get backoff(): Backoff {
    return {
      firstMs: this.values.HOLDFAST_RETRY_FIRST_MS,
      factor: this.values.HOLDFAST_RETRY_FACTOR,
      maxMs: this.values.HOLDFAST_RETRY_MAX_MS,
      drainsMax: this.values.HOLDFAST_DRAIN_TRIES,
    };
  }
}
