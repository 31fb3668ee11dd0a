import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  after,
  allocationOf,
  answers,
  backup,
  copyOf,
  duplicate,
  imageOf,
  later,
  logOf,
  NOW,
  restore,
  verify,
} from '../testing/sample-jobs.js';
import { decide } from './decide.js';
import type { Input } from './input.js';
import type { BegunImage, Job } from './job.js';
import { tasksOf } from './tasks.js';
import { stateOf, viewOf } from './view.js';

const { granted, begun, media, agent, complete, waiting, released, reported, silent } = answers();
const running = [granted('m1'), begun()];

describe('a backup job', () => {
  it('goes from queued over active to done', () => {
    expect(stateOf(backup)).toBe('queued');
    expect(stateOf(after(backup, granted('m1')))).toBe('active');
    const done = after(backup, ...running, media, agent, complete, released);
    expect(viewOf(done, NOW)).toMatchObject({ state: 'done', status: 0, imageId: 'web1_1' });
  });

  it('says why it becomes a full', () => {
    const request = { ...backup.request, kind: 'differential' as const };
    const job = after({ ...backup, request }, granted('m1'));
    const logged = (over: Partial<BegunImage>) => logOf(job, begun({ ...imageOf(), ...over }));
    expect(logged({})).toMatch(/^there is no earlier backup that it can build on: .* a full$/m);
    expect(logged({ brokenBase: 'web1_0' })).toMatch(
      /^something that web1_0 builds on is missing/m,
    );
  });

  it('is not done before the catalog has all of it', () => {
    const job = after(backup, ...running, agent, media, waiting);
    expect(job.step).toBe('verifying');
    expect(viewOf(job, NOW).operation).toBe('fragment 3');
  });

  it('waits for an index as long as it takes, and not for ever for what was committed and is lost', () => {
    const job = after(backup, ...running, agent, media, waiting);
    expect(after(job, [waiting, later(86_400_000)]).step).toBe('verifying');
    const lost = { ...waiting, uncommitted: 1 } as Input;
    const other = { ...lost, waitsFor: 'fragment 4' } as Input;
    const misses = after(job, lost);
    expect(after(misses, [lost, later(1_800_000)]).step).toBe('verifying');
    expect(after(misses, [other, later(1_800_001)]).step).toBe('verifying');
    const over = after(misses, [lost, later(1_800_001)]);
    expect(over).toMatchObject({ step: 'releasing', outcome: { status: 1057 } });
  });

  it('needs the word of both, the media server and the agent', () => {
    expect(after(backup, ...running, agent).step).toBe('running');
    expect(after(backup, ...running, agent, media).step).toBe('verifying');
  });

  it('does not take the word of a media server that it was not given', () => {
    const other = reported('media', {}, 'm9');
    expect(after(backup, ...running, agent, other).step).toBe('running');
  });

  it('ends as partial when files were left out', () => {
    const partial = reported('agent', { status: 1 });
    const done = after(backup, ...running, media, partial, complete, released);
    expect(viewOf(done, NOW)).toMatchObject({ status: 1 });
  });

  it('ends with what failed behind it, when all of it is in the catalog', () => {
    const afterwards = { status: 77, message: 'The hook thaw.sh ended with exit status 1.' };
    const thawless = reported('agent', { afterwards });
    const whole = after(backup, ...running, media, thawless);
    expect(whole).toMatchObject({ step: 'verifying', outcome: null });
    const done = after(whole, complete, released);
    expect(viewOf(done, NOW)).toMatchObject({ ...afterwards, state: 'done', imageId: 'web1_1' });
  });

  it('hands its hooks to the agent', () => {
    const hooks = { after: { script: 'thaw.sh', timeoutSeconds: 60 } };
    const job = after({ ...backup, request: { ...backup.request, hooks } }, ...running);
    expect(tasksOf(job, () => 't'.repeat(20)).agent?.task).toMatchObject({ hooks });
  });

  it('gives its resources back and tells the others when one of them fails', () => {
    const full = reported('media', { status: 129, message: 'x' });
    const { job, effects } = decide(after(backup, ...running), full, NOW);
    expect(job).toMatchObject({ step: 'releasing', outcome: { status: 129 } });
    expect(effects).toContainEqual({ type: 'cancel-tasks' });
    expect(viewOf(after(job, released), NOW)).toMatchObject({ state: 'done', status: 129 });
  });

  it('ends when a participant falls silent and no tries are left', () => {
    const last = { ...backup, failures: 2 };
    const { letGo, drained, weighed } = answers();
    const ends = (missed: Input) => {
      const job = after(last, ...running, missed, letGo, drained());
      expect(job.step).toBe('weighing');
      return after(job, weighed(0)).outcome?.status;
    };
    expect(ends(silent('agent'))).toBe(50);
    expect(ends(silent('agent', false))).toBe(49);
    expect(ends(silent('media'))).toBe(82);
  });

  it('does not miss a participant that has spoken since it was judged', () => {
    const job = { ...after(backup, ...running), heard: { agent: 5_000 } };
    const judgedBy = (heard: number): Input => ({
      ...{ type: 'silent', attempt: 1, from: 'agent', instance: 'web1', heard },
    });
    expect(after(job, judgedBy(4_999))).toBe(job);
    expect(after(job, judgedBy(5_000)).step).toBe('retrying');
  });

  it('can be cancelled at every step', () => {
    const gone = silent('media');
    for (const inputs of [[], [granted('m1')], running, [...running, agent, media]]) {
      const done = after(backup, ...inputs, { type: 'cancel' }, released);
      expect(viewOf(done, NOW)).toMatchObject({ state: 'done', status: 150 });
    }
    const retrying = after(backup, ...running, gone);
    expect(retrying.step).toBe('retrying');
    expect(after(retrying, { type: 'cancel' }, released).outcome?.status).toBe(150);
  });

  it('says what it waits for, once', () => {
    const wait: Input = { type: 'must-wait', attempt: 1, reason: 'unit default is full' };
    const first = decide(backup, wait, NOW);
    expect(first.effects).toHaveLength(1);
    expect(decide(first.job, wait, NOW).job).toBe(first.job);
  });
});

/** Any input, once it is said of which attempt it is. */
type OfAttempt = (attempt: number) => Input;
const anyStatus = fc.constantFrom(0, 1, 40, 71, 82, 85, 129, 150);
const anyAnswer = fc.constantFrom<OfAttempt>(
  (attempt) => answers(attempt).planned,
  (attempt) => answers(attempt).located('m1', 'm2'),
  (attempt) => answers(attempt).granted('m1', 'm2'),
  (attempt) => answers(attempt).granted('m2'),
  (attempt) => answers(attempt).begun(imageOf(attempt, attempt)),
  (attempt) => answers(attempt).copyBegun(),
  (attempt) => answers(attempt).copyBegun(copyOf(0)),
  (attempt) => answers(attempt).pinned,
  (attempt) => answers(attempt).complete,
  (attempt) => answers(attempt).waiting,
  (attempt) => answers(attempt).letGo,
  (attempt) => answers(attempt).drained(),
  (attempt) => answers(attempt).released,
  (attempt) => answers(attempt).weighed(attempt % 2),
  (attempt) => ({ type: 'must-wait', attempt, reason: 'r' }),
);
const anyFailure = fc.constantFrom<OfAttempt>(
  (attempt) => answers(attempt).silent('agent'),
  (attempt) => answers(attempt).silent('media'),
  (attempt) => answers(attempt).silent('media', true, 'm2'),
);
const anyEnd = fc.constantFrom<OfAttempt>(
  (attempt) => ({ type: 'refused', attempt, step: 'allocating', status: 213, message: 'm' }),
  (attempt) => ({ type: 'refused', attempt, step: 'beginning', status: 227, message: 'm' }),
  () => ({ type: 'cancel' }),
);
const anyDecree = fc.constantFrom<OfAttempt>(
  () => ({ type: 'suspend' }),
  () => ({ type: 'resume' }),
  () => ({ type: 'continue', failedAt: later(200_000), closesAt: later(300_000) }),
  () => ({ type: 'priority', priority: 9 }),
  () => ({ type: 'window-closed' }),
  () => ({ type: 'waited-out', step: 'suspended' }),
  () => ({ type: 'waited-out', step: 'incomplete' }),
  (attempt) => ({ type: 'unanswered', attempt, step: 'allocating', message: 'nobody answers' }),
  (attempt) => ({ type: 'unanswered', attempt, step: 'weighing', message: 'nobody answers' }),
);
const anyReport = fc
  .tuple(fc.constantFrom('media' as const, 'agent' as const), anyStatus, fc.boolean())
  .map(
    ([from, status, cannotResume]): OfAttempt =>
      (attempt) =>
        answers(attempt).reported(from, { status, cannotResume }),
  );
const anyInput = fc.oneof(
  { weight: 6, arbitrary: anyAnswer },
  { weight: 4, arbitrary: anyFailure },
  { weight: 6, arbitrary: anyReport },
  { weight: 2, arbitrary: anyEnd },
  { weight: 3, arbitrary: anyDecree },
);
const anyJob = fc.constantFrom<Job>(backup, restore, duplicate, verify);
const anyMoment = fc.integer({ min: 0, max: 400_000 }).map(later);

/** The input that takes a job on, so that random courses reach every step. */
function onward(job: Job): Input {
  const its = answers(job.attempt);
  switch (job.step) {
    case 'planning':
      return job.type === 'restore' ? its.planned : its.located('m1', 'm2');
    case 'allocating':
      return its.granted('m1', 'm2');
    case 'beginning':
      if (job.type === 'backup') return its.begun(imageOf(job.attempt, job.attempt));
      return job.type === 'duplicate' ? its.copyBegun() : its.pinned;
    case 'running':
      return its.media;
    case 'verifying':
      return its.complete;
    case 'retrying':
      return job.retry?.isLetGo ? its.drained() : its.letGo;
    case 'weighing':
      if (!job.retry?.isLetGo) return its.letGo;
      return job.retry.drain ? its.drained() : its.weighed(1);
    case 'suspended':
    case 'incomplete':
      return job.pause?.isLetGo ? { type: 'resume' } : its.letGo;
    case 'gathering':
    case 'releasing':
    case 'done':
      return its.released;
    default:
      return job.step satisfies never;
  }
}

/** Most of it takes the job on, so that jobs come far; the rest is noise, now and then outdated. */
const anyPlay = fc.array(
  fc.record({
    helps: fc.boolean(),
    noise: anyInput,
    shift: fc.constantFrom(0, 0, 0, -1, 1),
    at: anyMoment,
  }),
  { maxLength: 80, size: 'max' },
);
type Play = typeof anyPlay extends fc.Arbitrary<infer T> ? T : never;

type Look = (before: Job, input: Input, after: Job, at: Date) => void;

function play(start: Job, course: Play, look: Look) {
  let job = start;
  for (const { helps, noise, shift, at } of course) {
    const input = helps ? onward(job) : noise(job.attempt + shift);
    const next = decide(job, input, at).job;
    look(job, input, next, at);
    job = next;
  }
}

describe('any job', () => {
  it('is the same after an input that comes twice in a row', () => {
    fc.assert(
      fc.property(anyJob, anyPlay, (start, course) => {
        play(start, course, (_before, input, next, at) => {
          expect(decide(next, input, at).job).toEqual(next);
        });
      }),
    );
  });

  it('never changes once it is done, and never ends before its outcome is decided', () => {
    fc.assert(
      fc.property(anyJob, anyPlay, (start, course) => {
        play(start, course, (before, _, next) => {
          if (before.step === 'done') expect(next).toBe(before);
          if (next.step === 'done') expect(next.outcome).not.toBeNull();
          if (before.outcome) expect(next.outcome).toEqual(before.outcome);
        });
      }),
    );
  });

  it('has attempts whose number only rises, one by one and up to its tries', () => {
    fc.assert(
      fc.property(anyJob, anyPlay, (start, course) => {
        play(start, course, (before, _, next) => {
          expect([before.attempt, before.attempt + 1]).toContain(next.attempt);
          expect(next.failures).toBeLessThanOrEqual(10);
        });
      }),
    );
  });

  it('does not listen to another attempt', () => {
    fc.assert(
      fc.property(anyJob, anyPlay, (start, course) => {
        play(start, course, (before, input, next) => {
          if ('attempt' in input && input.attempt !== before.attempt) {
            expect(next).toBe(before);
          }
        });
      }),
    );
  });

  it('that writes is a success only when the catalog has counted it', () => {
    fc.assert(
      fc.property(fc.constantFrom<Job>(backup, duplicate), anyPlay, (start, course) => {
        let counted = false;
        play(start, course, (before, input, next) => {
          const says = input.type === 'image-state' && input.complete;
          if (before.step === 'verifying' && says) counted = input.attempt === before.attempt;
          if ((next.outcome?.status ?? 9) <= 1) expect(counted).toBe(true);
        });
      }),
    );
  });

  it('holds nothing when its next attempt begins, and shows when that will be', () => {
    fc.assert(
      fc.property(anyJob, anyPlay, (start, course) => {
        play(start, course, (before, _, next) => {
          if (next.attempt > before.attempt) {
            const { allocation, heard, results, retry } = next;
            const kept = { allocation, heard, results, retry };
            expect(kept).toEqual({ allocation: null, heard: {}, results: {}, retry: null });
          }
          const isRetrying = next.step === 'retrying';
          expect(viewOf(next, NOW).retryAt !== null).toBe(isRetrying);
        });
      }),
    );
  });

  it('that stands still is held by nobody, and ends or goes on', () => {
    fc.assert(
      fc.property(anyJob, anyPlay, (start, course) => {
        play(start, course, (before, _, next) => {
          const isPaused = next.step === 'suspended' || next.step === 'incomplete';
          expect(next.pause !== null).toBe(isPaused);
          expect(next.retry !== null).toBe(next.step === 'retrying' || next.step === 'weighing');
          if (isPaused) expect(next.outcome).toBeNull();
          if (before.pause?.isLetGo && !next.pause && !before.pause.wasVerifying) {
            expect(next.allocation).toBeNull();
          }
        });
      }),
    );
  });

  it('reaches every step in these plays', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyJob, anyPlay, (start, course) => {
        play(start, course, (before) => seen.add(`${before.type} ${before.step}`));
      }),
      { numRuns: 4_000, seed: 1 },
    );
    for (const type of ['backup', 'duplicate', 'restore', 'verify']) {
      expect([...seen]).toEqual(
        expect.arrayContaining([`${type} running`, `${type} releasing`, `${type} done`]),
      );
    }
    expect([...seen]).toEqual(
      expect.arrayContaining([
        ...['backup retrying', 'duplicate retrying', 'duplicate verifying', 'restore suspended'],
        ...['backup weighing', 'backup incomplete', 'backup suspended', 'duplicate incomplete'],
      ]),
    );
  });
});

describe('a lease', () => {
  it('is taken over when it was prolonged for the attempt that runs', () => {
    const runs = after(backup, ...running);
    const longer = { ...allocationOf(1, 'm1'), leaseUntil: later(3_600_000).toISOString() };
    const job = after(runs, { type: 'granted', attempt: 1, allocation: longer });
    expect(job.allocation?.leaseUntil).toBe(longer.leaseUntil);
  });
});
