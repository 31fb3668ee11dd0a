import { describe, expect, it } from '@jest/globals';
import {
  after,
  allocationOf,
  answers,
  backup,
  duplicate,
  later,
  parent,
} from '../testing/sample-jobs.js';
import { revive, type SavedDocument } from './saved-job.js';
import type { Job } from './job.js';

const its = answers();
const throughJson = (job: Job) => JSON.parse(JSON.stringify(job)) as SavedDocument;

describe('a saved job', () => {
  it('is the same when it is read again', () => {
    const copying = after(duplicate, its.located('m1'), its.granted('m2', 'm1'), its.copyBegun());
    const jobs = [
      backup,
      after(backup, its.granted('m1'), [its.begun(), later(1)], its.silent('media')),
      copying,
      after(copying, its.reported('media', {}, 'm2')),
      after(copying, { type: 'suspend' }),
      after({ ...copying, failures: 9 } as Job, its.silent('media', true, 'm2')),
      after(backup, { type: 'cancel' }, its.released),
      parent,
    ];
    for (const job of jobs) expect(revive(throughJson(job), 7)).toEqual(job);
  });

  it('of the release before runs on', () => {
    const old = {
      ...{ type: 'backup', job: 0, attempt: 1, step: 'running', outcome: null, waitsFor: '' },
      ...{ allocation: allocationOf(1, 'm1'), request: backup.request, progress: backup.progress },
      ...{ startedAt: later(0).toISOString(), endedAt: null, image: null },
      ...{ heard: { media: 5, agent: 0 }, results: { media: { status: 0, message: '' } } },
    };
    const job = revive(old, 9);
    expect(job).toMatchObject({
      ...{ job: 9, failures: 0, fresh: false, retry: null },
      ...{ startedAt: later(0), runningSince: later(0), backoff: { firstMs: 5_000 } },
      ...{ pause: null, attempts: [], owed: [], parent: null, priority: 0, trouble: '' },
      heard: { 'media:m1': 5 },
      results: { 'media:m1': { status: 0 } },
    });
    expect(after(job, its.agent).step).toBe('verifying');
  });

  it('that waited for its next attempt in the release before gives back what it holds first', () => {
    const at = later(9).toISOString();
    const old = { ...backup, step: 'retrying', retry: { at, drain: null, drains: 0 } };
    const holding = revive({ ...old, allocation: allocationOf(1, 'm1') } as SavedDocument, 7);
    expect(holding.retry).toEqual({ at: later(9), drain: null, drains: 0, isLetGo: false });
    expect(after(holding, its.letGo).retry?.isLetGo).toBe(true);
    expect(revive(old as unknown as SavedDocument, 7).retry?.isLetGo).toBe(true);
  });
});
