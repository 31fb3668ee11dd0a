import { Injectable } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { Nats } from '#messaging/connection.js';
import type { Startable } from '#service/lifecycle.js';
import { JobsConfig } from '../config.js';
import type { InputOfType } from '../domain/input.js';
import type { Job } from '../domain/job.js';
import { awaited, voiceOf } from '../domain/participants.js';

const LOOK_MS = 1_000;

/** Whoever looks at the clock every second and finds it so much later was stopped, or the machine slept. */
const ASLEEP_MS = 10_000;

/** Misses those who work for a job. */
@Injectable()
export class JobSilence implements Startable {
  /** Whoever could not be heard was not silent: before this moment nobody listened. */
  private listeningSince: number;
  private lookedAt: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly nats: Nats,
    private readonly clock: Clock,
    private readonly config: JobsConfig,
  ) {
    this.listeningSince = clock.now().getTime();
    this.lookedAt = this.listeningSince;
  }

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** To be called often: notes that this process did nothing, so heard nothing. Returns the time. */
  look(): number {
    const now = this.clock.now().getTime();
    if (now - this.lookedAt > ASLEEP_MS) this.listeningSince = now;
    this.lookedAt = now;
    return now;
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
    // The process may have slept since the job was read.
    const now = this.look();
    const begun = Math.max(job.runningSince?.getTime() ?? now, this.listeningSince);
    const missed = awaited(job).find((one) => {
      const voice = voiceOf(one);
      const last = Math.max(job.heard[voice] ?? 0, begun);
      return !job.results[voice] && now - last > this.config.silenceMsMax;
    });
    if (!missed) return undefined;
    const heard = job.heard[voiceOf(missed)] ?? 0;
    return { type: 'silent', attempt: job.attempt, heard, ...missed };
  }
}
