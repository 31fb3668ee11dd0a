import { z } from 'zod';
import { durationSetting } from '#service/duration-setting.js';
import type { Backoff } from './domain/job.js';

export const jobsConfig = z.object({
  /** A participant that says nothing for so long has died. It speaks every second or so. */
  HOLDFAST_SILENCE_MS_MAX: z.coerce.number().int().min(1_000).default(30_000),
  /** The wait before a job's second attempt. Each further wait is so many times the one before ... */
  HOLDFAST_RETRY_FIRST_MS: z.coerce.number().int().min(0).max(3_600_000).default(5_000),
  HOLDFAST_RETRY_FACTOR: z.coerce.number().min(1).max(10).default(3),
  /** ... up to this. */
  HOLDFAST_RETRY_MAX_MS: z.coerce.number().int().min(0).max(86_400_000).default(300_000),
  /**
   * How often the media server of a failed attempt is asked whether all that it has sealed is in the
   * catalog, and the pause in between. Then the next attempt begins without it.
   */
  HOLDFAST_DRAIN_TRIES: z.coerce.number().int().min(1).max(1_000).default(10),
  HOLDFAST_DRAIN_PAUSE_MS: z.coerce.number().int().min(10).max(60_000).default(1_000),
  /** How long a job may stay suspended; then it is incomplete ... */
  HOLDFAST_JOBS_SUSPENDED_MAX: durationSetting.prefault('168h'),
  /** ... and how long incomplete (the field: 1 to 72 hours); then it ends with the status it had. */
  HOLDFAST_JOBS_INCOMPLETE_MAX: durationSetting.prefault('3h'),
  /** How long jobs are listed that are done. */
  HOLDFAST_JOBS_KEEP: durationSetting.prefault('30d'),
});
export type JobsConfigValues = z.infer<typeof jobsConfig>;

/** The configuration as an injection token. */
export class JobsConfig {
  readonly silenceMsMax: number;
  readonly drainPauseMs: number;
  readonly suspendedMsMax: number;
  readonly incompleteMsMax: number;
  readonly keepMs: number;
  /** A job keeps the one that it was made with. */
  readonly backoff: Backoff;

  constructor(values: JobsConfigValues) {
    this.silenceMsMax = values.HOLDFAST_SILENCE_MS_MAX;
    this.drainPauseMs = values.HOLDFAST_DRAIN_PAUSE_MS;
    this.suspendedMsMax = values.HOLDFAST_JOBS_SUSPENDED_MAX;
    this.incompleteMsMax = values.HOLDFAST_JOBS_INCOMPLETE_MAX;
    this.keepMs = values.HOLDFAST_JOBS_KEEP;
    this.backoff = {
      firstMs: values.HOLDFAST_RETRY_FIRST_MS,
      factor: values.HOLDFAST_RETRY_FACTOR,
      maxMs: values.HOLDFAST_RETRY_MAX_MS,
      drainsMax: values.HOLDFAST_DRAIN_TRIES,
    };
  }
}
