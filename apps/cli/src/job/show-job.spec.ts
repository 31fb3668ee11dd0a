import { describe, expect, it } from '@jest/globals';
import type { LogLine } from '#contracts/job.js';
import { formatTime } from '../output/time.js';
import { attemptBlocks } from './show-job.js';

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
