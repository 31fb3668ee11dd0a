import { jobView, type JobView } from '#contracts/job.js';

/** A backup job for tests. */
export function jobViewOf(change: Partial<JobView> = {}): JobView {
  return jobView.parse({
    job: 7,
    type: 'backup',
    state: 'active',
    status: null,
    statusText: '',
    message: '',
    policy: 'on-demand',
    schedule: 'user',
    client: 'web1',
    kind: 'full',
    imageId: 'web1_1790000000',
    storage: 'default',
    mediaId: 'media1',
    attempt: 1,
    retryAt: null,
    operation: 'writing',
    createdAt: '2026-01-01T00:00:00.000Z',
    startedAt: '2026-01-01T00:00:01.000Z',
    endedAt: null,
    progress: {
      files: 1_200,
      bytes: 5_242_880,
      storedBytes: 1_048_576,
      currentPath: '/etc/passwd',
      waitedForEmpty: 0,
      waitedForFull: 0,
      fragments: 0,
      fragmentsTotal: 0,
    },
    ...change,
  });
}

/** The same, ended. */
export function doneJob(status: number, change: Partial<JobView> = {}): JobView {
  return jobViewOf({
    state: 'done',
    status,
    statusText: 'so it is',
    endedAt: '2026-01-01T00:00:03.000Z',
    ...change,
  });
}
