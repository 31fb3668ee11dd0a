import { describe, expect, it } from '@jest/globals';
import { brokerServers } from '#contracts/broker.js';
import { catalogCopies } from '#contracts/catalog/copy.js';
import {
  catalogFilesText,
  catalogFind,
  catalogFragments,
  catalogImage,
  catalogImages,
} from '#contracts/image.js';
import { jobsGet, jobsList } from '#contracts/job.js';
import { policyDue } from '#contracts/policy.js';
import { formatTime } from '../../apps/cli/src/output/time.js';
import { doneJob, jobViewOf } from '../../apps/cli/src/testing/job-views.js';
import { until } from '../support/until.js';
import { useFakeCluster } from './fake-cluster.js';
import { COPY, FILE, FRAGMENT, IMAGE } from './answers.js';

const cluster = await useFakeCluster();

describe('lists', () => {
  it('of jobs are a table', async () => {
    cluster.answer(jobsList, () => ({
      jobs: [doneJob(0), doneJob(71, { job: 6, imageId: null })],
    }));
    const { out, code } = await cluster.run('jobs', '--state', 'done', '--limit', '5');
    expect(code).toBe(0);
    const [titles, first, second] = out.split('\n');
    expect(titles).toMatch(/^JOB {2}TYPE {4}STATE {2}STATUS {2}CLIENT/);
    expect(first).toMatch(
      /^ {2}7 {2}backup {2}done {8}0 {2}web1 .* 1,200 {2}5\.0 MiB .*web1_1790000000$/,
    );
    expect(second).toMatch(/^ {2}6 {2}backup {2}done {7}71 .* -$/);
    expect(cluster.inputsOf(jobsList)).toEqual([{ state: 'done', limit: 5 }]);
  });

  it('longer than a page are read in pages', async () => {
    cluster.answer(jobsList, ({ before, limit }) => ({
      jobs: Array.from({ length: Number(limit) }, (_, i) =>
        doneJob(0, { job: Number(before ?? 5_000) - 1 - i }),
      ),
      more: true,
    }));
    const { out } = await cluster.run('jobs', '--limit', '1500', '--json');
    const jobs = JSON.parse(out).jobs.map(({ job }: { job: number }) => job);
    expect(jobs).toHaveLength(1_500);
    expect(jobs.at(-1)).toBe(3_500);
    expect(cluster.inputsOf(jobsList)).toEqual([{ limit: 1_000 }, { before: 4_000, limit: 500 }]);
  });

  it('of images go on behind an answer that holds fewer than were asked for', async () => {
    cluster.answer(catalogImages, ({ before }) => {
      const next = before === undefined ? 5 : Number(String(before).split('_')[1]) - 1;
      const images = [next, next - 1].map((time) => ({ ...IMAGE, imageId: `web1_${time}` }));
      return { images, more: next > 3 };
    });
    const { out, err } = await cluster.run('images');
    expect(out.match(/^web1_\d/gm)).toEqual(['web1_5', 'web1_4', 'web1_3', 'web1_2']);
    expect(err).toBe('');
  });

  it('say that there is more where they are cut', async () => {
    cluster.answer(catalogImages, () => ({ images: [IMAGE], more: true }));
    cluster.answer(jobsList, () => ({ jobs: [doneJob(0)], more: true }));
    const cut = 'There are more: narrow the list or raise --limit.';
    expect((await cluster.run('images', '--limit', '1')).err).toContain(cut);
    expect((await cluster.run('jobs', '--limit', '1')).err).toContain(cut);
    cluster.answer(jobsList, () => ({ jobs: [doneJob(0)] }));
    expect((await cluster.run('jobs', '--limit', '1')).err).toBe('');
  });

  it('of jobs have the columns of the field, if somebody wants them', async () => {
    cluster.answer(jobsList, () => ({ jobs: [doneJob(0, { origin: 'scheduled', parent: 3 })] }));
    const { out } = await cluster.run('jobs', '--columns', 'jobid,jobtype,state,subtype,parentjob');
    expect(out).toBe(
      'JOBID  JOBTYPE  STATE  SUBTYPE  PARENTJOB\n    7        0      3        1          3\n',
    );
    const all = await cluster.run('jobs', '--columns', 'all');
    expect(all.out).toMatch(
      /^JOBID +JOBTYPE +STATE +STATUS +POLICY .* QUEUEREASON +REASONSTRING\n/,
    );
    const wrong = await cluster.run('jobs', '--columns', 'jobid,nothing');
    expect(wrong).toMatchObject({ code: 64, err: expect.stringContaining('no column "nothing"') });
  });

  it('of jobs show children below their parents', async () => {
    const children = [doneJob(0, { job: 10, parent: 8 }), doneJob(0, { job: 9, parent: 8 })];
    cluster.answer(jobsList, ({ parent }) => ({
      jobs:
        parent === 8 ? children : [children[0], doneJob(0, { job: 8, children: 2 }), doneJob(0)],
    }));
    const { out } = await cluster.run('jobs', '--tree');
    expect(
      out
        .split('\n')
        .slice(1, 5)
        .map((line) => line.trim().split(' ')[0]),
    ).toEqual([...['8', '+9', '+10', '7']]);
  });

  it('of a failed backup say when its policy runs it again, and why', async () => {
    const failed = doneJob(41, { policy: 'web', schedule: 'daily' });
    cluster.answer(jobsGet, () => ({ job: failed, log: [], logLines: 0 }));
    const dueAt = '2026-01-01T00:10:00.000Z';
    const entry = { policy: 'web', client: failed.client, dueAt, reason: 'again after 10m' };
    cluster.answer(policyDue, () => ({
      due: [
        { ...entry, schedule: 'weekly' },
        { ...entry, schedule: 'daily' },
      ],
    }));
    const { out } = await cluster.run('jobs', 'show', '7');
    expect(out).toContain(`${formatTime(dueAt)}: again after 10m`);
    expect(cluster.inputsOf(policyDue)).toMatchObject([{ policy: 'web', client: failed.client }]);
    const json = await cluster.run('jobs', 'show', '7', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ next: { schedule: 'daily' } });
    cluster.answer(jobsGet, () => ({ job: { ...failed, status: 0 }, log: [], logLines: 0 }));
    expect((await cluster.run('jobs', 'show', '7')).out).not.toContain('Run again');
  });

  it('of images and one image in full', async () => {
    cluster.answer(catalogImages, () => ({ images: [IMAGE] }));
    expect((await cluster.run('images')).out).toMatch(/^IMAGE .*\nweb1_1790000000 .* COMPLETE /);
    const kept = { ...IMAGE, expiresAt: null, keyword: 'before the move' };
    cluster.answer(catalogImages, () => ({ images: [kept] }));
    const found = await cluster.run('images', '--keyword', 'before the move');
    expect(found.out).toMatch(/ never\n$/);
    expect(cluster.inputsOf(catalogImages).at(-1)).toMatchObject({ keyword: 'before the move' });
    const leaving = { state: 'TO_BE_DELETED', until: '2026-01-02T00:00:00.000Z' };
    const marked = { ...IMAGE, state: 'INCOMPLETE', leaving };
    cluster.answer(catalogImages, () => ({ images: [marked] }));
    expect((await cluster.run('images')).out).toContain(' TO_BE_DELETED ');
    cluster.answer(catalogImage, () => ({ image: marked }));
    const shown = await cluster.run('images', 'show', 'web1_1790000000');
    expect(shown.out).toMatch(/^Leaving: .*marked for deletion.* holdfast image undelete web1_/m);
    cluster.answer(catalogImage, () => ({ image: IMAGE }));
    cluster.answer(catalogCopies, () => ({ copies: [COPY] }));
    cluster.answer(catalogFragments, ({ afterNumber }) => ({
      fragments: afterNumber === 0 ? [FRAGMENT] : [],
    }));
    const { out } = await cluster.run('images', 'show', 'web1_1790000000', '--long');
    expect(out).toMatch(/^Image: +web1_1790000000$/m);
    expect(out).toMatch(/^Copy: +1\nState: +COMPLETE$/m);
    expect(out).toMatch(/^Fragments: +1 of 1$/m);
    expect(out).toMatch(/^ {2}Fragment: +1$/m);
    const json = await cluster.run('images', 'show', 'web1_1790000000', '--long', '--json');
    expect(JSON.parse(json.out)).toEqual({ image: IMAGE, copies: [COPY], fragments: [FRAGMENT] });
  });

  it('of files go through all pages and are one document in JSON', async () => {
    const passwd = 'passwd\tf644\t12\t1690000000123456789\t0\t0\t\n';
    const last = '/etc\nlast\tl777\t0\t1690000000123456789\t0\t0\tfrom/\u202ehere\n';
    cluster.answer(catalogFilesText, ({ after }) =>
      after ? { text: last, next: null } : { text: `/etc\n${passwd}`, next: '/etc/passwd' },
    );
    const { out } = await cluster.run('files', 'web1_1790000000', '/etc', '--json');
    const time = '2023-07-22T04:26:40.123456789Z';
    const ofImage = { imageId: 'web1_1790000000', mtime: time, uid: 0, gid: 0 };
    expect(JSON.parse(out).files).toEqual([
      { ...ofImage, path: '/etc/passwd', type: 'f', size: 12, mode: '0644', target: '' },
      {
        ...ofImage,
        path: '/etc/last',
        type: 'l',
        size: 0,
        mode: '0777',
        target: 'from/\u202ehere',
      },
    ]);
    expect(cluster.inputsOf(catalogFilesText)).toEqual([
      { imageId: 'web1_1790000000', prefix: '/etc' },
      { imageId: 'web1_1790000000', prefix: '/etc', after: '/etc/passwd' },
    ]);
    const lines = (await cluster.run('files', 'web1_1790000000')).out.split('\n');
    expect(lines[0]).toMatch(/^-rw-r--r-- {6}0 {6}0 +12 .* \/etc\/passwd$/);
    expect(lines[1]).toMatch(/^lrwxrwxrwx .* \/etc\/last -> from\/\\xe2\\x80\\xaehere$/);
    const one = await cluster.run('files', 'web1_1790000000', '--limit', '1');
    expect(one.out.trim().split('\n')).toEqual([lines[0]]);
    cluster.answer(catalogFilesText, () => ({ text: '', next: null }));
    expect((await cluster.run('files', 'web1_1790000000', '--json')).out).toBe('{"files":[\n]}\n');
  });

  it('of versions of a path', async () => {
    const found = { ...FILE, client: 'web1', backupTime: IMAGE.backupTime };
    cluster.answer(catalogFind, () => ({ files: [found], truncated: true }));
    const run = await cluster.run('find', '*passwd', '--client', 'web1');
    expect(run.out).toMatch(/web1_1790000000 .* -rw-r--r-- +12 B .* etc\/passwd/);
    expect(run.err).toContain('narrow the pattern');
  });

  it('of media servers, one line for each volume', async () => {
    cluster.answer(brokerServers, () => ({
      servers: [
        {
          mediaId: 'media1',
          host: 'h',
          version: '0.1.0',
          address: { host: '127.0.0.1', port: 4_000 },
          state: 'up',
          lastSeenAt: IMAGE.backupTime,
          volumes: [{ pool: 'main', path: '/srv/main', freeBytes: 1_024, totalBytes: 2_048 }],
        },
      ],
    }));
    expect((await cluster.run('broker', 'servers')).out).toMatch(
      /media1 +up +h +127\.0\.0\.1:4000 .* main +1\.0 KiB +2\.0 KiB +\/srv\/main/,
    );
  });
});

describe('events', () => {
  it('are printed from the stream, and in JSON as they are', async () => {
    const since = new Date().toISOString();
    cluster.publishJob(jobViewOf({ job: 501 }));
    cluster.publishJob(doneJob(0, { job: 501 }));
    cluster.publishJob(doneJob(0, { job: 502 }));
    await cluster.flush();
    const words = await cluster.run('events', 'job.done', '--since', since);
    expect(words.out.trim().split('\n')).toHaveLength(2);
    expect(words.out).toContain('job.done 501  state=done status=0 type=backup client=web1');
    const json = await cluster.run('events', 'job.*.501', '--json', '--since', since);
    const events = json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ type }) => type)).toEqual(['io.holdfast.job.done.v1']);
    const nothing = await cluster.run('events', 'image', '--since', since);
    expect(nothing).toEqual({ code: 0, out: '', err: '' });
  });

  it('are followed until ctrl-C', async () => {
    const running = cluster.run('events', 'job', '--follow', '--since', new Date().toISOString());
    for (const job of [503, 504]) {
      cluster.publishJob(doneJob(0, { job }));
      await until(() => cluster.said.includes(`job.done ${job}`), { what: 'it to be printed' });
    }
    await cluster.pressCtrlC();
    expect(await running).toMatchObject({ code: 130 });
  });
});
