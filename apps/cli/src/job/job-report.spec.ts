import { describe, expect, it } from '@jest/globals';
import type { LogLine } from '#contracts/job.js';
import { progressText } from '../output/progress.js';
import { isNews } from './follow-job.js';
import { reportLines } from './job-report.js';
import { doneJob, jobViewOf } from '../testing/job-views.js';
import { jobLine } from './watch-all-jobs.js';

const warning: LogLine = {
  at: '2026-01-01T00:00:02.000Z',
  attempt: 1,
  process: 'agent',
  pid: 9,
  severity: 'warning',
  text: '/etc/shadow cannot be read',
};
const now = new Date('2026-01-01T00:00:11Z');

describe('the last words about a job', () => {
  it('say what was made and what to do with it', () => {
    expect(reportLines(doneJob(0), [])).toEqual([
      'Job 7: status 0, the requested operation was successfully completed.',
      'Image web1_1790000000 (full): 1,200 files, 5.0 MiB in 2.0s (2.5 MiB/s), 1.0 MiB stored.',
      'Look into it with: holdfast files web1_1790000000',
      'Restore it with:   holdfast restore web1_1790000000 --to DIR',
    ]);
  });

  it('count the streams of a parent, which has no image of its own', () => {
    const parent = doneJob(0, { children: 2, imageId: null });
    expect(reportLines(parent, [])[1]).toMatch(/^2 streams \(full\): 1,200 files/);
  });

  it('begin with its warnings, and not with all of a thousand', () => {
    const lines = reportLines(doneJob(1), Array<LogLine>(1_000).fill(warning));
    expect(lines[0]).toBe('warning (agent): /etc/shadow cannot be read');
    expect(lines[20]).toBe('... and 980 more: holdfast jobs show 7');
    expect(lines[21]).toMatch(/^Job 7: status 1, the requested operation was partially/);
  });

  it('say why it failed and where to look', () => {
    const job = doneJob(71, { message: 'There is no /nowhere on web1.' });
    expect(reportLines(job, [])).toEqual([
      'Job 7: status 71, none of the files in the file list exist. There is no /nowhere on web1.',
      'Check that the paths exist on web1. Its log: holdfast jobs show 7',
    ]);
  });

  it('say how to go on with a job that is incomplete', () => {
    expect(reportLines(jobViewOf({ state: 'incomplete', message: 'It broke.' }), [])).toEqual([
      'Job 7 is incomplete: It broke.',
      'Go on from what is committed with: holdfast jobs resume 7',
    ]);
  });

  it('say where restored files are', () => {
    const lines = reportLines(doneJob(0, { type: 'restore' }), [], '/tmp/r');
    expect(lines.slice(1)).toEqual([
      'Restored 1,200 files, 5.0 MiB in 2.0s (2.5 MiB/s).',
      'The files are in /tmp/r.',
    ]);
  });
});

describe('the line of a running job', () => {
  it('keeps within the width: the path gives way first', () => {
    const at = { perSecond: 1_048_576, now, width: 65 };
    const path = '/a/very/long/path/that/does/not/fit/etc/passwd';
    const job = jobViewOf({ progress: { ...jobViewOf().progress, currentPath: path } });
    expect(progressText(job, { ...at, width: 1_000 })).toBe(
      `Job 7 backup  10s  1,200 files  5.0 MiB  1.0 MiB/s  ${path}`,
    );
    expect(progressText(job, at)).toBe(
      'Job 7 backup  10s  1,200 files  5.0 MiB  1.0 MiB/s  …t/etc/passwd',
    );
    expect(progressText(job, { ...at, width: 20 })).toHaveLength(20);
  });

  it('says what a queued job waits for', () => {
    const job = jobViewOf({ state: 'queued', attempt: 2, operation: 'unit default is busy' });
    expect(progressText(job, { perSecond: null, now, width: 80 })).toBe(
      'Job 7 queued, attempt 2  10s: unit default is busy',
    );
  });

  it('shows how far it is, and how long it takes, where the last backup of the same is known', () => {
    const job = jobViewOf({ expected: { files: 2_400, bytes: 10_485_760 } });
    const at = { perSecond: 1_048_576, now };
    expect(progressText(job, { ...at, width: 110 })).toBe(
      'Job 7 backup  10s  [##########----------] 50%  1,200 files  5.0 MiB  1.0 MiB/s  5.0s left  /etc/passwd',
    );
    expect(progressText(job, { ...at, width: Number.POSITIVE_INFINITY })).toBe(
      'Job 7 backup  10s  50%  1,200 files  5.0 MiB  1.0 MiB/s  5.0s left  /etc/passwd',
    );
    const grown = jobViewOf({ expected: { files: 1, bytes: 10 } });
    expect(progressText(grown, { ...at, width: 200 })).toContain('] 99%  1,200 files  5.0 MiB');
  });

  it('stands for each job when all are watched', () => {
    expect(jobLine(jobViewOf())).toBe(
      'job 7  backup web1  active  1,200 files, 5.0 MiB  /etc/passwd',
    );
  });
});

describe('news of a job', () => {
  it('is what leads on, in whatever order it comes', () => {
    const [job, behind] = [jobViewOf({ revision: 5 }), jobViewOf({ revision: 4 })];
    expect(isNews(undefined, job)).toBe(true);
    expect(isNews(job, behind)).toBe(false);
    expect(isNews(behind, job)).toBe(true);
    expect(isNews(job, jobViewOf({ revision: 6, state: 'suspended' }))).toBe(true);
    expect(isNews(job, doneJob(0))).toBe(true);
    expect(isNews(doneJob(0), job)).toBe(false);
  });
});
