import { mkdirSync, writeFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { errorOf, imagesOf, jobOf, type CliResult } from '../cluster/cluster-cli.js';
import { CLIENT, TestCluster } from '../cluster/cluster.js';

let cluster: TestCluster;
let file: string;

beforeAll(async () => {
  cluster = await TestCluster.start();
  file = cluster.path('file');
  writeFileSync(file, 'text\n');
});
afterAll(() => cluster?.stop());

/** Refused with a status and a message, and without a word for programmers. */
function expectRefusal(
  result: CliResult,
  expected: { exitCode: number; status: number; message: RegExp },
): void {
  expect(result.exitCode).toBe(expected.exitCode);
  const { status, message } = errorOf(result);
  expect({ status, message }).toEqual({
    status: expected.status,
    message: expect.stringMatching(expected.message),
  });
  expectNoStack(result.stdout + result.stderr);
}

function expectNoStack(text: string): void {
  expect(text).not.toMatch(/\n\s+at \S|\.[jt]s:\d+/);
}

describe('a name that is none', () => {
  it('of a policy is refused with 230', async () => {
    const result = await cluster.cli('policy', 'run', 'nightly');
    expectRefusal(result, { exitCode: 2, status: 230, message: /policy "nightly"/ });
  });

  it('of a client is refused with 243', async () => {
    const backup = await cluster.cli('backup', '--client', 'web9', file);
    expectRefusal(backup, { exitCode: 2, status: 243, message: /client "web9"/ });
    const to = cluster.path('to');
    const restore = await cluster.cli('restore', '--client', 'web9', '--at', 'now', '--to', to);
    expectRefusal(restore, { exitCode: 2, status: 243, message: /client "web9"/ });
  });

  it('of an image is refused with 227', async () => {
    const image = `${CLIENT}_1700000000`;
    const expected = { exitCode: 2, status: 227, message: new RegExp(`image "${image}"`) };
    expectRefusal(await cluster.cli('images', 'show', image), expected);
    expectRefusal(await cluster.cli('files', image), expected);
    const to = cluster.path('to');
    const job = jobOf(await cluster.cli('restore', image, '--to', to));
    expect(job).toMatchObject({ state: 'done', status: 227 });
    expect(job.message).toMatch(expected.message);
  });

  it('of a storage unit ends the job with a status that says so', async () => {
    const job = jobOf(await cluster.cli('backup', '--storage', 'tapes', file));
    expect(job).toMatchObject({ state: 'done', status: 219 });
    expect(job.message).toContain('tapes');
  });

  it('of a job is refused with 805', async () => {
    const result = await cluster.cli('jobs', 'show', '4711');
    expectRefusal(result, { exitCode: 2, status: 805, message: /4711/ });
  });

  it('is told to a person in two lines, with what to do', async () => {
    const { exitCode, stdout, stderr } = await cluster.text('policy', 'run', 'nightly');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('There is no policy "nightly".');
    expect(stderr).toContain('Status 230');
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
  });
});

describe('a path that does not exist', () => {
  it('ends the job with 71 and leaves no image to restore', async () => {
    const result = await cluster.cli('backup', cluster.path('nowhere'));
    expect(result.exitCode).toBe(2);
    const job = jobOf(result);
    expect(job).toMatchObject({ state: 'done', status: 71 });
    expect(job.message).toContain('nowhere');
    const images = imagesOf(await cluster.cli('images'));
    expect(images.filter(({ state }) => state === 'COMPLETE')).toEqual([]);
    const { stderr } = await cluster.text('backup', cluster.path('nowhere'));
    expect(stderr).toContain('none of the files in the file list exist');
    expectNoStack(stderr);
  });

  it('beside one that does makes the backup partial', async () => {
    const result = await cluster.cli('backup', cluster.path('nowhere'), file);
    expect(result.exitCode).toBe(1);
    expect(jobOf(result)).toMatchObject({ status: 1, progress: { files: 1 } });
    expect(result.stdout).toContain('nowhere');
  });

  it('in an image ends the restore with 185', async () => {
    const backup = jobOf(await cluster.cli('backup', file));
    const to = cluster.path('to-185');
    const result = await cluster.cli('restore', backup.imageId!, '/no/such/file', '--to', to);
    expect(result.exitCode).toBe(2);
    expect(jobOf(result)).toMatchObject({ status: 185 });
    expect(jobOf(result).message).toContain('no/such/file');
  });
});

describe('a policy file', () => {
  async function create(name: string, text: string): Promise<CliResult> {
    const path = cluster.path(name);
    writeFileSync(path, text);
    return cluster.cli('policy', 'create', '-f', path);
  }

  it('that is no YAML is refused with its place', async () => {
    const result = await create('broken.yaml', 'name: p\nclients: [web1\nselections: [/etc]\n');
    expectRefusal(result, { exitCode: 64, status: 20, message: /broken\.yaml:\d+:\d+: / });
  });

  it('that is no JSON is refused with its place', async () => {
    const result = await create('broken.json', '{"name": "p",\n "clients": ["web1"\n');
    expectRefusal(result, { exitCode: 64, status: 20, message: /broken\.json:\d+:\d+: / });
  });

  it('with a wrong field is refused with its name and what is allowed', async () => {
    const head = 'name: p\nclients: [web1]\nselections: [/etc]\n';
    const wrong: [string, RegExp][] = [
      [`${head}storrage: x\n`, /:4:\d+: there is no field "storrage"; allowed are .*storage/],
      [`${head}schedules: [{name: s, type: weekly}]\n`, /type: .*full.*differential.*cumulative/],
      [`${head}compressionLevel: 99\n`, /:4:\d+: compressionLevel: .*19/],
      ['name: p\nclients: [web1]\nselections: [etc]\n', /selections\[0\]: .*absolute/],
      ['name: p\nselections: [/etc]\n', /clients: is missing/],
    ];
    for (const [text, message] of wrong) {
      const result = await create('wrong.yaml', text);
      expectRefusal(result, { exitCode: 64, status: 20, message });
    }
    const unit = cluster.path('unit.json');
    writeFileSync(
      unit,
      '{"name": "u", "mediaId": "media1", "pool": "main", "fragmentBytesMax": 5}',
    );
    const result = await cluster.cli('unit', 'put', '-f', unit);
    expectRefusal(result, { exitCode: 64, status: 20, message: /fragmentBytesMax: .*2097152/ });
  });

  it('that is right is taken, runs, and cannot be created twice', async () => {
    const text = `name: home\nclients: [${CLIENT}]\nselections: [${file}]\n`;
    expect(await create('right.yaml', text)).toMatchObject({ exitCode: 0 });
    expectRefusal(await create('right.yaml', text), { exitCode: 2, status: 226, message: /home/ });
    const { jobs } = (await cluster.cli('policy', 'run', 'home')).json as {
      jobs: { job: number }[];
    };
    const watched = await cluster.cli('jobs', 'watch', String(jobs[0]!.job));
    expect(jobOf(watched)).toMatchObject({ status: 0, policy: 'home', schedule: 'full' });
  });
});

describe('the command line', () => {
  it('refuses what it does not know with 64', async () => {
    for (const args of [
      ['bakcup'],
      ['backup'],
      ['backup', '--speed', '3', file],
      ['jobs', 'show', 'x'],
    ]) {
      const result = await cluster.cli(...args);
      expect(result.exitCode).toBe(64);
      expectNoStack(result.stdout + result.stderr);
    }
  });

  it('says that no cluster runs, and how to start one, with 69', async () => {
    const elsewhere = cluster.path('elsewhere');
    mkdirSync(elsewhere);
    const result = await cluster.cli('--data', elsewhere, 'jobs');
    expect(result.exitCode).toBe(69);
    expect(errorOf(result).message).toContain('holdfast up');
    expectNoStack(result.stdout + result.stderr);
  });
});
