import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { catalogImage } from '#contracts/image.js';
import { jobsGet } from '#contracts/job.js';
import { NotFound, PermanentError } from '#kernel/errors.js';
import { FakeCluster, useFakeCluster } from './fake-cluster.js';

const cluster = await useFakeCluster();

describe('errors', () => {
  it('of a service come with their status, and with --json on standard output', async () => {
    cluster.answer(jobsGet, () => {
      throw new NotFound('job', '9', 805, 'See: holdfast jobs');
    });
    expect(await cluster.run('jobs', 'show', '9')).toEqual({
      code: 2,
      out: '',
      err: 'There is no job "9". See: holdfast jobs\nStatus 805: Invalid jobid.\n',
    });
    const json = await cluster.run('jobs', 'show', '9', '--json');
    expect(json).toMatchObject({ code: 2, err: '' });
    expect(JSON.parse(json.out)).toEqual({
      error: {
        status: 805,
        statusText: 'Invalid jobid',
        message: 'There is no job "9". See: holdfast jobs',
        field: 'job',
        retryable: false,
      },
    });
  });

  it('say which service is away', async () => {
    const other = await FakeCluster.start({ deaf: true });
    try {
      const run = await other.run('broker', 'units');
      expect(run.code).toBe(69);
      expect(run.err).toBe('No broker (units) service answers: is it running?\n');
      const status = await other.run('status');
      expect(status).toMatchObject({ code: 69, err: '' });
      expect(status.out).toMatch(/^broker +down .* no answer: is it running\?$/m);
    } finally {
      await other.stop();
    }
  });

  it.each([
    [['nonsense'], 'nonsense'],
    [['jobs', 'show', 'x'], 'A job number is a whole number'],
    [['jobs', '--state', 'red'], '--state is queued, active, waiting-for-retry'],
    [['backup'], "missing required argument 'path'"],
    [['backup', '/x', '--type', 'whole'], '--type is full, differential or cumulative'],
    [['backup', '/x', '--client', 'a b'], 'client: a client name has 1 to 63 letters'],
    [['images', '--color'], "unknown option '--color'"],
  ])('of usage: %j', async (args, text) => {
    const run = await cluster.run(...args);
    expect(run).toMatchObject({ code: 64, out: '' });
    expect(run.err).toContain(text);
    expect(run.err.trim().split('\n').length).toBeLessThanOrEqual(2);
    const json = await cluster.run(...args, '--json');
    expect(json).toMatchObject({ code: 64, err: '' });
    expect(JSON.parse(json.out).error.message).toContain(text);
  });

  it('of a cluster that is not there', async () => {
    const run = await cluster.run('jobs', '--data', '/nowhere');
    expect(run.code).toBe(69);
    expect(run.err).toBe('Holdfast is not running here (/nowhere). Start it with: holdfast up\n');
    const nats = await cluster.run('jobs', '--nats', 'nats://127.0.0.1:1');
    expect(nats.code).toBe(69);
    expect(nats.err).toContain('Nothing answers at nats://127.0.0.1:1');
  });

  it('of credentials that another cluster made', async () => {
    const other = await FakeCluster.start();
    try {
      const seed = join(other.folder, 'credentials', 'operator.nk');
      const run = await cluster.run('jobs', '--credentials', seed);
      expect(run).toMatchObject({
        code: 2,
        err: expect.stringContaining('refused the credentials'),
      });
    } finally {
      await other.stop();
    }
  });

  it('of a service are shown without what could steer a terminal', async () => {
    cluster.answer(catalogImage, () => {
      throw new PermanentError(227, 'odd \u001b[2J name');
    });
    const run = await cluster.run('images', 'show', 'web1_1790000000');
    expect(run.err).toContain('odd \\x1b[2J name');
  });
});
