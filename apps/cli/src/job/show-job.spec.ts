import { describe, expect, it } from '@jest/globals';
import type { LogLine } from '#contracts/job.js';
import { formatTime } from '../output/time.js';
import { attemptBlocks, nextFields } from './show-job.js';

const at = '2026-01-01T00:00:02.000Z';
const line = (attempt: number, text: string, more: Partial<LogLine> = {}): LogLine => ({
  ...{ at, attempt, process: 'agent', pid: 9, severity: 'info', text },
  ...more,
});

describe('the attempts of a job', () => {
  it('have a block each, with how they ended and who said what on which host', () => {
    const ended = {
      attempt: 1,
      startedAt: at,
      endedAt: at,
      status: 41,
      message: '',
      mediaId: 'm1',
    };
    const log = [
      line(1, 'begin', { host: 'web1' }),
      line(2, 'going on'),
      line(1, 'it broke', { severity: 'error' }),
    ];
    const time = formatTime(at);
    expect(attemptBlocks([ended], log)).toEqual([
      '',
      `Attempt 1 on m1: ${time} to ${time}, status 41, network connection timed out`,
      `${time}  agent@web1(9)  begin`,
      `${time}  agent(9)  error: it broke`,
      '',
      'Attempt 2',
      `${time}  agent(9)  going on`,
    ]);
  });
});

describe('the next run of a job', () => {
  const due = {
    ...{ policy: 'p', schedule: 's', client: 'web1', dueAt: at, reason: 'why' },
    ...{ closesAt: null, running: 7, goesOn: 7 as number | null, suspended: false },
  };
  const incomplete = { job: 7, parent: null, state: 'incomplete' } as const;
  const time = formatTime(at);

  it('of one that has failed is another job, of one that is incomplete the same', () => {
    expect(nextFields({ ...incomplete, state: 'done' }, due)).toEqual([
      ['Run again', `${time}: why`],
    ]);
    expect(nextFields(incomplete, due)).toEqual([['Goes on', `${time}: why`]]);
    expect(nextFields({ ...incomplete, job: 8, parent: 7 }, due)).toEqual([
      ['Goes on', `${time}: why`],
    ]);
  });

  it('is none where its policy goes on with nothing, or nobody can say', () => {
    const never = [['Goes on', 'not by itself: why']];
    expect(nextFields(incomplete, { ...due, goesOn: null })).toEqual(never);
    expect(nextFields(incomplete, { ...due, dueAt: null, goesOn: null })).toEqual(never);
    expect(nextFields(incomplete, null)).toEqual([]);
  });
});
