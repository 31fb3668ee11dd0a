import { expect, it } from '@jest/globals';
import { jobOf } from './job-at-work.js';

it('A job that waits for several things shows the newest that it still waits for', () => {
  const shown: (string | undefined)[] = [];
  const reporter = {
    log: () => undefined,
    progress: ({ waitingFor }: { waitingFor?: string }) => void shown.push(waitingFor),
  };
  const job = jobOf(reporter, 7, new AbortController().signal);
  const volume = job.waitFor('volume A1');
  const room = job.waitFor('room in the spool');
  room();
  const again = job.waitFor('room in the spool');
  volume();
  again();
  again();
  const [volumeA1, spool] = ['volume A1', 'room in the spool'];
  expect(shown).toEqual([volumeA1, spool, volumeA1, spool, spool, '']);
});
