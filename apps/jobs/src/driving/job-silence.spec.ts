import { describe, expect, it } from '@jest/globals';
import { FixedClock } from '#kernel/clock.js';
import type { Nats } from '#messaging/connection.js';
import type { JobsConfig } from '../config.js';
import type { Job } from '../domain/job.js';
import { allocationOf, backup, NOW } from '../testing/sample-jobs.js';
import { JobSilence } from './job-silence.js';

const SILENCE_MS_MAX = 30_000;

const running = {
  ...backup,
  ...{ step: 'running', allocation: allocationOf(1, 'media1'), runningSince: NOW },
} as Job;

describe('a participant of a job', () => {
  function listening() {
    const clock = new FixedClock(NOW);
    const nats = { connected: true } as Nats;
    const silence = new JobSilence(nats, clock, { silenceMsMax: SILENCE_MS_MAX } as JobsConfig);
    const isMissed = () => silence.missedOf(running) !== undefined;
    const awakeFor = (ms: number) => {
      for (let passed = 0; passed < ms; passed += 1_000) {
        clock.advance(Math.min(1_000, ms - passed));
        silence.look();
      }
    };
    return { clock, silence, isMissed, awakeFor };
  }

  it('is missed when it has said nothing for too long', () => {
    const { clock, isMissed, awakeFor } = listening();
    awakeFor(SILENCE_MS_MAX);
    expect(isMissed()).toBe(false);
    clock.advance(1);
    expect(isMissed()).toBe(true);
  });

  it('is not missed for the time in which nothing that it said could be written down', () => {
    const { clock, silence, isMissed, awakeFor } = listening();
    awakeFor(2 * SILENCE_MS_MAX);
    silence.deaf();
    awakeFor(SILENCE_MS_MAX);
    expect(isMissed()).toBe(false);
    clock.advance(1);
    expect(isMissed()).toBe(true);
  });

  it('is not missed for the time in which this process was stopped, or the machine slept', () => {
    const { clock, isMissed, awakeFor } = listening();
    awakeFor(SILENCE_MS_MAX);
    clock.advance(60_000);
    expect(isMissed()).toBe(false);
    awakeFor(SILENCE_MS_MAX);
    expect(isMissed()).toBe(false);
    clock.advance(1);
    expect(isMissed()).toBe(true);
  });
});
