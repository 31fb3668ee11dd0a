import { Injectable } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { Nats } from '#messaging/connection.js';
import { JobsConfig } from '../config.js';
import type { InputOfType } from '../domain/input.js';
import type { Job } from '../domain/job.js';
import { awaited, voiceOf } from '../domain/participants.js';

/** Misses those who work for a job. */
@Injectable()
export class JobSilence {
  /** Whoever could not be heard was not silent: before this moment nobody listened. */
  private listeningSince: number;

  constructor(
    private readonly nats: Nats,
    private readonly clock: Clock,
    private readonly config: JobsConfig,
  ) {
    this.listeningSince = clock.now().getTime();
  }

  /** To be called every few seconds: notes whether anybody can be heard at all. */
  listen(): void {
    if (!this.nats.connected) this.deaf();
  }

  /** What was said meanwhile could not be written down. */
  deaf(): void {
    this.listeningSince = this.clock.now().getTime();
  }

  /** The first of those awaited that has been silent for too long. */
  missedOf(job: Job): InputOfType<'silent'> | undefined {
    if (job.step !== 'running') return undefined;
    const now = this.clock.now().getTime();
    const begun = Math.max(job.runningSince?.getTime() ?? now, this.listeningSince);
    const missed = awaited(job).find((one) => {
      const voice = voiceOf(one);
      const last = Math.max(job.heard[voice] ?? 0, begun);
      return !job.results[voice] && now - last > this.config.silenceMsMax;
    });
    if (!missed) return undefined;
    const started = (job.heard[voiceOf(missed)] ?? 0) > 0;
    return { type: 'silent', attempt: job.attempt, started, ...missed };
  }
}
