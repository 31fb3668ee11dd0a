import { describe, expect, it } from '@jest/globals';
import { after, answers, copyOf, duplicate, later, logOf, NOW } from '../testing/sample-jobs.js';
import { decide } from './decide.js';
import { tasksOf } from './tasks.js';
import { viewOf } from './view.js';
import { heardFrom } from './participants.js';

const its = answers();
const ready = after(duplicate, its.located('m1', 'm3'), its.granted('m2', 'm1', 'm3'));
const running = after(ready, its.copyBegun(copyOf(7, ['m3', 'm1', 'm4', 'm2'])));
const written = its.reported('media', {}, 'm2');

describe('a duplication', () => {
  it('asks for its pool, makes the copy, and is done when the catalog has counted it', () => {
    expect(viewOf(duplicate, NOW)).toMatchObject({
      ...{ type: 'duplicate', client: 'web1', imageId: 'web1_1', storage: 'offsite' },
      ...{ state: 'queued', policy: '' },
    });
    expect(logOf(duplicate, its.located('m1'))).toBe('requesting resource offsite');
    const verifying = after(running, written);
    expect(verifying.step).toBe('verifying');
    expect(after(verifying, its.waiting).step).toBe('verifying');
    const done = after(verifying, its.waiting, its.complete, its.released);
    expect(viewOf(done, NOW)).toMatchObject({ state: 'done', status: 0 });
  });

  it('says in the words of the field what it was granted, and how long it took', () => {
    const asked = after(duplicate, its.located('m1'));
    expect(logOf(asked, its.granted('m2', 'm1'))).toBe(
      'granted resource MediaID=m2;DiskPool=main;StorageUnit=default;MediaServer=m2;Address=127.0.0.1:9\n' +
        'granted resource MediaID=m1;MediaServer=m1;Address=127.0.0.1:9',
    );
    const ending = after(running, written, its.complete);
    expect(logOf(ending, its.released, later(23_000))).toBe('end Duplicate; elapsed time 0:00:23');
  });

  it('gives the writer tokens of the servers that it may read from, the best first', () => {
    let next = 0;
    const tasks = tasksOf(running, () => `token-${(next += 1)}-of-this-test`);
    expect(tasks.agent).toBeNull();
    const writer = tasks.media.find(({ mediaId }) => mediaId === 'm2')?.task;
    expect(writer).toMatchObject({
      ...{ type: 'duplicate', pool: 'main', image: { copy: 2, copyAttempt: 1 }, missing: 7 },
      sources: [{ mediaId: 'm3' }, { mediaId: 'm1' }],
    });
    const sources = writer?.type === 'duplicate' ? writer.sources : [];
    expect(sources.map(({ tokens }) => tokens.length)).toEqual([4, 4]);
    for (const { mediaId, tokens } of sources) {
      const read = tasks.media.find((one) => one.mediaId === mediaId)?.task;
      expect(read).toMatchObject({ type: 'read', tokens, images: ['web1_1'] });
    }
    expect(tasks.media).toHaveLength(3);
  });

  it('waits for the writer only, and tells the readers when it is through', () => {
    const others = [its.silent('media', true, 'm1'), its.reported('media', { status: 85 }, 'm3')];
    expect(after(running, ...others)).toEqual(running);
    expect(decide(running, written, NOW).effects).toContainEqual({ type: 'cancel-tasks' });
  });

  it('shows how many fragments it has', () => {
    const progress = { fragments: 3, fragmentsTotal: 7 };
    const who = { from: 'media', instance: 'm2' } as const;
    const job = heardFrom(running, who, { now: 5, progress });
    expect(viewOf(job, NOW).operation).toBe('duplicating fragments 3 of 7');
    expect(heardFrom(job, who, { now: 6 }).progress).toMatchObject(progress);
  });

  it('with nothing left to copy has the catalog count at once', () => {
    const job = after(ready, its.copyBegun(copyOf(0, [])));
    expect(job.step).toBe('verifying');
    expect(after(job, its.complete)).toMatchObject({ outcome: { status: 0 } });
  });

  it('plans anew after a failure: the image may lie elsewhere by now', () => {
    const failed = after(running, its.reported('media', { status: 40, message: 'cut' }, 'm2'));
    expect(failed.retry?.drain).toEqual({ mediaId: 'm2', imageId: 'web1_1', copy: 2 });
    const second = after(failed, its.letGo, [its.drained(), later(5_000)]);
    expect(second).toMatchObject({ step: 'planning', attempt: 2 });
    const its2 = answers(2);
    const asked = after(second, its2.located('m1'), its2.granted('m2', 'm1'));
    expect(logOf(asked, its2.copyBegun(copyOf(4)))).toBe(
      'going on with copy 2 of image web1_1: 3 of 7 fragments are there',
    );
  });

  it('tries again when none of the servers that have the fragments was granted', () => {
    const job = after(ready, its.copyBegun(copyOf(2, ['m8', 'm9'])));
    expect(job).toMatchObject({ step: 'retrying', failures: 1 });
  });

  it('keeps the status that the writer ends with', () => {
    const full = its.reported('media', { status: 129, message: 'full' }, 'm2');
    expect(after(running, full, its.released)).toMatchObject({ outcome: { status: 129 } });
  });

  it('does not wait for ever for a fragment that does not come', () => {
    const waits = after(running, written, its.waiting);
    expect(after(waits, [its.waiting, later(600_000)])).toBe(waits);
    expect(after(waits, [its.waiting, later(600_001)]).step).toBe('retrying');
    const other = { ...its.waiting, waitsFor: 'fragment 4' } as typeof its.waiting;
    expect(after(waits, [other, later(600_001)]).step).toBe('verifying');
  });
});
