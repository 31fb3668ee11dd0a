import { describe, expect, it } from '@jest/globals';
import { backupRequest } from '#contracts/job.js';
import { after, answers, BACKOFF, imageOf, later, logOf, NOW } from '../testing/sample-jobs.js';
import { decide } from './decide.js';
import { backupDraft } from './draft.js';
import type { Input } from './input.js';
import type { BackupJob, ImageOfChain } from './job.js';
import { participants } from './participants.js';
import { resourceRequest } from './resource-request.js';
import { tasksOf } from './tasks.js';
import { viewOf } from './view.js';

const its = answers();
const job = {
  ...backupDraft(
    backupRequest.parse({ client: 'web1', selections: ['/etc'], synthetic: true, tries: 2 }),
    BACKOFF,
  ),
  job: 7,
};
const chain: ImageOfChain[] = [
  { imageId: 'web1_1', kind: 'full', media: ['m1', 'm2'], anyOf: [['m1', 'm2'], ['m1']] },
  { imageId: 'web1_5', kind: 'differential', media: ['m2'], anyOf: [['m2']] },
];
const planned: Input = { type: 'planned', attempt: 1, client: 'web1', chain };
const details = { ...imageOf().details, syntheticOf: 'web1_5' };
const begun = its.begun({ ...imageOf(), imageId: 'web1_6', details });
const running = after(job, planned, its.granted('m2', 'm1'), begun);
const written = its.reported('media', { kind: 'full' }, 'm2');

describe('a synthetic full', () => {
  it('is a backup that learns first what it is made from', () => {
    expect(viewOf(job, NOW)).toMatchObject({ type: 'backup', state: 'queued', kind: 'full' });
    expect(job.step).toBe('planning');
    expect(logOf(job, planned)).toBe(
      'synthesizing from web1_1 (full), web1_5 (differential)\nrequesting resource default',
    );
  });

  it('asks for its unit and for one server of each set that holds a fragment', () => {
    expect(resourceRequest(after(job, planned))).toMatchObject({
      ...{ purpose: 'write', unit: 'default', client: 'web1', policy: 'on-demand' },
      anyOf: [['m1', 'm2'], ['m1'], ['m2']],
    });
  });

  it('asks for all servers where there are more sets than the broker takes', () => {
    const media = Array.from({ length: 50 }, (_, n) => `m${n}`);
    const pairs = media.flatMap((one) => media.map((other) => [one, other]));
    const wide: Input = { ...planned, chain: [{ ...chain[0]!, media, anyOf: pairs }] };
    expect(resourceRequest(after(job, wide))).toMatchObject({ anyOf: media.map((one) => [one]) });
  });

  it('has one server write, the others let it read, and no agent do anything', () => {
    let next = 0;
    const { media, agent } = tasksOf(running, () => `token-${(next += 1)}-of-this-test`);
    expect(agent).toBeNull();
    expect(participants(running).map(({ from }) => from)).toEqual(['media', 'media']);
    const [reader, writer] = media;
    const images = ['web1_1', 'web1_5'];
    expect(reader).toMatchObject({ mediaId: 'm1', task: { type: 'read', images } });
    expect(writer).toMatchObject({
      mediaId: 'm2',
      task: {
        ...{ type: 'synthesize', chain: images, resume: { nextNumber: 1 } },
        image: { imageId: 'web1_6', kind: 'full', details: { syntheticOf: 'web1_5' } },
        sources: [{ mediaId: 'm1' }],
      },
    });
  });

  it('waits for the writer only, tells the readers, and is done when the catalog has counted', () => {
    expect(after(running, its.silent('media', true, 'm1'))).toEqual(running);
    const { job: verifying, effects } = decide(running, written, NOW);
    expect(verifying.step).toBe('verifying');
    expect(effects).toContainEqual({ type: 'cancel-tasks' });
    const done = after(verifying, its.complete, its.released);
    expect(viewOf(done, NOW)).toMatchObject({ state: 'done', status: 0 });
  });

  it('plans anew after a failure, and goes on with its image', () => {
    const failed = after(running, its.reported('media', { status: 40, message: 'cut' }, 'm2'));
    expect(failed.retry?.drain).toEqual({ mediaId: 'm2', imageId: 'web1_6', copy: 1 });
    const second = after(failed, its.letGo, [its.drained(), later(5_000)]) as BackupJob;
    expect(second).toMatchObject({ step: 'planning', attempt: 2, image: { imageId: 'web1_6' } });
  });

  it('ends where there is nothing to make it from', () => {
    const refused = { type: 'refused', attempt: 1, step: 'planning', status: 607, message: 'no' };
    expect(after(job, refused as Input)).toMatchObject({ outcome: { status: 607 } });
  });
});
