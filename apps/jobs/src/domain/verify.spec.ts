import { describe, expect, it } from '@jest/globals';
import { after, answers, later, NOW, verify } from '../testing/sample-jobs.js';
import { heardFrom } from './participants.js';
import { tasksOf } from './tasks.js';
import { viewOf } from './view.js';

const its = answers();
const running = after(verify, its.located('m1', 'm2'), its.granted('m1', 'm2'), its.pinned);
const token = () => 'a-token-of-twenty-characters';

describe('a verification', () => {
  it('has every media server read what lies with it', () => {
    const { media, agent } = tasksOf(running, token);
    expect(agent).toBeNull();
    expect(media.map(({ mediaId, task }) => [mediaId, task.type])).toEqual([
      ['m1', 'verify'],
      ['m2', 'verify'],
    ]);
  });

  it('ends when all have reported, whatever one of them has found', () => {
    const damage = { status: 1057, message: 'fragment 3 of copy 1 is damaged' };
    const first = after(running, its.reported('media', damage, 'm1'));
    expect(first.step).toBe('running');
    const job = after(first, its.reported('media', {}, 'm2'), its.released);
    expect(viewOf(job, NOW)).toMatchObject({
      ...{ status: 1057, message: 'm1: fragment 3 of copy 1 is damaged' },
    });
    const good = after(running, its.reported('media'), its.reported('media', {}, 'm2'));
    expect(good.outcome).toEqual({ status: 0, message: '' });
  });

  it('is repeated once for a media server that died', () => {
    const gone = [its.reported('media'), its.silent('media', true, 'm2')];
    const failed = after(running, ...gone);
    expect(failed).toMatchObject({ step: 'retrying', retry: { drain: null } });
    const second = after(failed, its.letGo, [its.drained(), later(5_000)]);
    expect(second).toMatchObject({ step: 'planning', attempt: 2 });
    const its2 = answers(2);
    const job = after(
      second,
      ...[its2.located('m1', 'm2'), its2.granted('m1', 'm2'), its2.pinned],
      ...[its2.reported('media'), its2.silent('media', true, 'm2')],
    );
    expect(job).toMatchObject({ step: 'releasing', outcome: { status: 82 } });
  });

  it('adds up what the servers have read', () => {
    const say = (instance: string, fragments: number) => (job: typeof running) =>
      heardFrom(
        job,
        { from: 'media', instance },
        { now: 1, progress: { fragments, fragmentsTotal: 5, bytes: 10 } },
      );
    const job = say('m1', 3)(say('m2', 2)(say('m1', 1)(running)));
    expect(job.progress).toMatchObject({ fragments: 5, fragmentsTotal: 10, bytes: 20 });
    expect(viewOf(job, NOW).operation).toBe('verifying fragments 5 of 10');
  });
});
