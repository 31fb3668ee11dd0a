import { describe, expect, it } from '@jest/globals';
import { sleep } from '#kernel/backoff.js';
import { until } from '../../../../test/support/until.js';
import { DriveQueue, type Again } from './drive-queue.js';

/** Work that ends when the test says so. */
function heldWork() {
  const begun: number[] = [];
  const ends = new Map<number, (again?: Again) => void>();
  const queue = new DriveQueue((job) => {
    begun.push(job);
    return new Promise((resolve) => ends.set(job, resolve));
  });
  const end = async (job: number, again?: Again) => {
    ends.get(job)!(again);
    await sleep(1);
  };
  return { begun, end, queue };
}

describe('the queue of jobs that are driven', () => {
  it('works on a job alone, and once more when it was asked for meanwhile', async () => {
    const { begun, end, queue } = heldWork();
    queue.add(1, 'urgent');
    queue.add(1, 'urgent');
    queue.add(1, 'soon');
    await sleep(1);
    expect(begun).toEqual([1]);
    await end(1);
    expect(begun).toEqual([1, 1]);
    await end(1);
    expect(begun).toEqual([1, 1]);
  });

  it('has room for what somebody waits for, however many others there are', async () => {
    const { begun, queue } = heldWork();
    for (let job = 1; job <= 10_000; job += 1) queue.add(job, 'soon');
    await sleep(1);
    expect(begun).toHaveLength(32);
    queue.add(9_000, 'urgent');
    queue.add(20_000, 'urgent');
    await sleep(1);
    expect(begun.slice(32)).toEqual([9_000, 20_000]);
    expect(queue.waiting).toBe(10_000 - 32 - 1);
  });

  it('wakes a job that rests when its time has come, or when it is urgent', async () => {
    const { begun, end, queue } = heldWork();
    queue.add(1, 'soon');
    await sleep(1);
    await end(1, { afterMs: 3_600_000, urgency: 'soon' });
    queue.add(1, 'soon');
    await sleep(1);
    expect(begun).toEqual([1]);
    queue.add(1, 'urgent');
    await sleep(1);
    expect(begun).toEqual([1, 1]);
    await end(1, { afterMs: 20, urgency: 'soon' });
    await until(() => begun.length > 2);
    expect(begun).toEqual([1, 1, 1]);
  });

  it('begins nothing any more when it is stopped, and waits for what runs', async () => {
    const { begun, end, queue } = heldWork();
    queue.add(1, 'urgent');
    await sleep(1);
    const stopped = queue.stop();
    queue.add(2, 'urgent');
    await end(1, { afterMs: 0, urgency: 'urgent' });
    await stopped;
    expect(begun).toEqual([1]);
  });
});
