import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Allocation } from '#contracts/broker.js';
import { decide, type Input } from './decide.js';
import { NO_PROGRESS, type BackupJob, type Job, type RestoreJob } from './job.js';
import { cancelTasks, tasksOf } from './tasks.js';
import { stateOf, viewOf } from './view.js';

const now = new Date('2026-01-01T00:00:00Z');

const base = {
  job: 7,
  attempt: 1,
  outcome: null,
  allocation: null,
  waitsFor: '',
  startedAt: null,
  endedAt: null,
  progress: NO_PROGRESS,
  heard: { media: 0, agent: 0 },
  results: {},
} as const;

const backup: BackupJob = {
  ...base,
  type: 'backup',
  step: 'allocating',
  image: null,
  request: {
    policy: 'p',
    schedule: 's',
    client: 'web1',
    kind: 'full',
    selections: ['/etc'],
    excludes: [],
    storage: 'default',
    retention: '14d',
    priority: 0,
    crossMountPoints: false,
    compressionLevel: 1,
    tries: 3,
  },
};

const restore: RestoreJob = {
  ...base,
  type: 'restore',
  step: 'planning',
  toClient: null,
  chain: [],
  request: {
    source: { imageId: 'web1_1', exact: false },
    paths: [],
    destination: '/tmp/r',
    overwrite: false,
  },
};

const allocation: Allocation = {
  allocationId: '0190a0a0-0000-7000-8000-000000000000',
  job: 7,
  attempt: 1,
  purpose: 'write',
  client: 'web1',
  unit: 'default',
  pool: 'main',
  fragmentBytesMax: 1e9,
  media: [{ mediaId: 'm1', address: { host: '127.0.0.1', port: 9 } }],
  grantedAt: now.toISOString(),
  leaseUntil: now.toISOString(),
};
const image = {
  imageId: 'web1_1',
  backupTime: 1,
  copy: 1,
  copyAttempt: 1,
  kind: 'full' as const,
  baseImageId: null,
  keepListings: [],
  nextNumber: 1,
  archiveOffset: 0,
  details: {
    ...{ job: 7, schedule: 's', retention: '14d', selections: ['/etc'], baseImageId: null },
  },
};
const ok = { status: 0, message: '', fragments: 1, files: 2, bytes: 3 };

const granted: Input = { type: 'granted', allocation };
const begun: Input = { type: 'image-begun', image };
const media: Input = { type: 'reported', from: 'media', result: ok };
const agent: Input = { type: 'reported', from: 'agent', result: ok };
const complete: Input = { type: 'image-state', complete: true, waitsFor: '' };
const released: Input = { type: 'released' };

function after(job: Job, ...inputs: Input[]): Job {
  return inputs.reduce<Job>((state, input) => decide(state, input, now).job, job);
}

describe('a backup job', () => {
  it('goes from queued over active to done', () => {
    expect(stateOf(backup)).toBe('queued');
    expect(stateOf(after(backup, granted))).toBe('active');
    const done = after(backup, granted, begun, media, agent, complete, released);
    expect(viewOf(done, now)).toMatchObject({ state: 'done', status: 0, imageId: 'web1_1' });
  });

  it('is not done before the catalog has all of it', () => {
    const waiting: Input = { type: 'image-state', complete: false, waitsFor: 'fragment 3' };
    const job = after(backup, granted, begun, agent, media, waiting);
    expect(job.step).toBe('verifying');
    expect(viewOf(job, now).operation).toBe('fragment 3');
  });

  it('needs the word of both, the media server and the agent', () => {
    expect(after(backup, granted, begun, agent).step).toBe('running');
    expect(after(backup, granted, begun, agent, media).step).toBe('verifying');
  });

  it('ends as partial when files were left out', () => {
    const partial: Input = { type: 'reported', from: 'agent', result: { ...ok, status: 1 } };
    const done = after(backup, granted, begun, media, partial, complete, released);
    expect(viewOf(done, now)).toMatchObject({ status: 1 });
  });

  it('gives its resources back and tells the others when one of them fails', () => {
    const full: Input = { type: 'reported', from: 'media', result: { status: 129, message: 'x' } };
    const { job, effects } = decide(after(backup, granted, begun), full, now);
    expect(job).toMatchObject({ step: 'releasing', outcome: { status: 129 } });
    expect(effects).toContainEqual({ type: 'cancel-tasks' });
    expect(viewOf(after(job, released), now)).toMatchObject({ state: 'done', status: 129 });
  });

  it('ends when a participant falls silent', () => {
    const running = after(backup, granted, begun);
    const agentGone: Input = { type: 'silent', from: 'agent', started: true };
    const neverCame: Input = { type: 'silent', from: 'agent', started: false };
    const mediaGone: Input = { type: 'silent', from: 'media', started: true };
    expect(after(running, agentGone).outcome?.status).toBe(50);
    expect(after(running, neverCame).outcome?.status).toBe(49);
    expect(after(running, mediaGone).outcome?.status).toBe(82);
  });

  it('can be cancelled at every step', () => {
    for (const inputs of [[], [granted], [granted, begun], [granted, begun, agent, media]]) {
      const done = after(backup, ...inputs, { type: 'cancel' }, released);
      expect(viewOf(done, now)).toMatchObject({ state: 'done', status: 150 });
    }
  });

  it('says what it waits for, once', () => {
    const wait: Input = { type: 'must-wait', reason: 'unit default is full' };
    const first = decide(backup, wait, now);
    expect(first.effects).toHaveLength(1);
    expect(decide(first.job, wait, now).job).toBe(first.job);
  });
});

describe('a restore job', () => {
  const chain = [
    { imageId: 'web1_1', kind: 'full' as const, media: ['m1'] },
    { imageId: 'web1_2', kind: 'differential' as const, media: ['m1', 'm2'] },
  ];

  it('plans, gets its media servers, runs, and ends with what the agent says', () => {
    const running = after(restore, { type: 'planned', client: 'web1', chain }, granted);
    expect(running.step).toBe('running');
    const done = after(running, { ...agent, result: { status: 5, message: 'no' } }, released);
    expect(viewOf(done, now)).toMatchObject({ status: 5, imageId: 'web1_2', client: 'web1' });
  });

  it('gives each media server the tokens for its images only', () => {
    const running = after(restore, { type: 'planned', client: 'web1', chain }, granted);
    let next = 0;
    const tasks = tasksOf(running, () => `token-${(next += 1)}-of-this-test`);
    expect(tasks.media).toHaveLength(1);
    expect(tasks.media[0]?.task).toMatchObject({ type: 'read', images: ['web1_1', 'web1_2'] });
    expect(tasks.agent.task).toMatchObject({
      sources: [{ mediaId: 'm1', tokens: expect.arrayContaining(['token-1-of-this-test']) }],
    });
    expect(cancelTasks(running).media[0]?.task.type).toBe('cancel');
  });
});

describe('any job', () => {
  const anyInput = fc.constantFrom<Input>(
    granted,
    begun,
    media,
    agent,
    complete,
    released,
    { type: 'cancel' },
    { type: 'planned', client: 'web1', chain: [] },
    { type: 'must-wait', reason: 'r' },
    { type: 'refused', status: 213, message: 'm' },
    { type: 'silent', from: 'agent', started: true },
    { type: 'reported', from: 'agent', result: { status: 71, message: 'm' } },
  );

  it('is the same after an input that comes twice in a row', () => {
    fc.assert(
      fc.property(fc.constantFrom<Job>(backup, restore), fc.array(anyInput), (start, inputs) => {
        const twice = inputs.flatMap((input) => [input, input]);
        expect(after(start, ...twice)).toEqual(after(start, ...inputs));
      }),
    );
  });

  it('never changes once it is done, and is done with success only when verified', () => {
    fc.assert(
      fc.property(fc.array(anyInput, { maxLength: 20 }), (inputs) => {
        let job: Job = backup;
        let verified = false;
        for (const input of inputs) {
          const before = job;
          job = decide(job, input, now).job;
          if (before.step === 'done') expect(job).toBe(before);
          if (before.step === 'verifying' && input === complete) verified = true;
        }
        if (job.step === 'done' && job.outcome!.status <= 1) expect(verified).toBe(true);
      }),
    );
  });
});
