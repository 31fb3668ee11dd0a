import { describe, expect, it } from '@jest/globals';
import { after, answers, NOW, restore } from '../testing/sample-jobs.js';
import { decide } from './decide.js';
import type { Input } from './input.js';
import { cancelTasks, tasksOf } from './tasks.js';
import { viewOf } from './view.js';

const { granted, released, reported, silent, pinned } = answers();

describe('a restore job', () => {
  const chain = [
    { imageId: 'web1_1', kind: 'full' as const, media: ['m1'] },
    { imageId: 'web1_2', kind: 'differential' as const, media: ['m1', 'm2'] },
  ];
  const planned: Input = { type: 'planned', attempt: 1, client: 'web1', chain };

  it('plans, gets its media servers, holds what it reads, and ends with what the agent says', () => {
    expect(after(restore, planned, granted('m1')).step).toBe('beginning');
    const runs = after(restore, planned, granted('m1'), pinned);
    expect(runs.step).toBe('running');
    const done = after(runs, reported('agent', { status: 5 }), released);
    expect(viewOf(done, NOW)).toMatchObject({ status: 5, imageId: 'web1_2', client: 'web1' });
  });

  it('ends with status 1 where streams of the run have no image, and says so from the beginning', () => {
    const input: Input = { ...planned, missingStreams: 2 };
    const { effects } = decide(restore, input, NOW);
    const text = expect.stringContaining('2 streams of that run have no complete image');
    expect(effects[0]).toMatchObject({ severity: 'warning', text });
    const runs = after(restore, input, granted('m1'), pinned);
    const ok = after(runs, reported('agent', { status: 0 }));
    expect(ok).toMatchObject({ outcome: { status: 1, message: text } });
    expect(after(runs, reported('agent', { status: 5 }))).toMatchObject({ outcome: { status: 5 } });
  });

  it('is not repeated, and not ended by a media server: the agent may read elsewhere', () => {
    const runs = after(restore, planned, granted('m1', 'm2'), pinned);
    expect(after(runs, silent('media'), reported('media', { status: 85 }))).toEqual(runs);
    expect(after(runs, silent('agent'))).toMatchObject({ outcome: { status: 50 } });
  });

  it('gives each media server the tokens for its images only', () => {
    const runs = after(restore, planned, granted('m1'), pinned);
    let next = 0;
    const tasks = tasksOf(runs, () => `token-${(next += 1)}-of-this-test`);
    expect(tasks.media).toHaveLength(1);
    expect(tasks.media[0]?.task).toMatchObject({ type: 'read', images: ['web1_1', 'web1_2'] });
    expect(tasks.agent?.task).toMatchObject({
      sources: [{ mediaId: 'm1', tokens: expect.arrayContaining(['token-1-of-this-test']) }],
    });
    expect(cancelTasks(runs).media[0]?.task.type).toBe('cancel');
  });

  it('tells the agent which images belong to one stream, where there are several', () => {
    const taskFor = (streams: (number | undefined)[]) => {
      const images = streams.map((stream, at) => ({
        ...{ imageId: `web1_${at}`, kind: 'full' as const, media: ['m1'] },
        ...(stream === undefined ? {} : { stream }),
      }));
      const input: Input = { ...planned, chain: images };
      return tasksOf(after(restore, input, granted('m1'), pinned), () => 't'.repeat(20)).agent
        ?.task;
    };
    expect(taskFor([0, 1, 1])).toMatchObject({
      streams: [1, 2],
      chain: ['web1_0', 'web1_1', 'web1_2'],
    });
    expect(taskFor([0, 0])).not.toHaveProperty('streams');
    expect(taskFor([undefined, undefined])).not.toHaveProperty('streams');
  });
});
