import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { brokerServers } from '#contracts/broker.js';
import {
  catalogBackup,
  catalogForgetVolume,
  catalogImport,
  catalogReconcile,
  catalogRestore,
  catalogState,
} from '#contracts/catalog/care.js';
import { imageExpire, imageHold, imageUndelete } from '#contracts/catalog/expiry.js';
import { jobsDuplicate, jobsGet, jobsVerify } from '#contracts/job.js';
import { doneJob } from '../../apps/cli/src/testing/job-views.js';
import { useFakeCluster } from './fake-cluster.js';

const IMAGE = 'web1_1790000000';
const NEXT = '01920000-0000-7000-8000-000000000001';
const VOLUME = '01920000-0000-7000-8000-0000000000d1';
const PROGRESS = {
  ...{ files: 0, bytes: 0, currentPath: '', waitedForEmpty: 0, waitedForFull: 0 },
  ...{ storedBytes: 3_145_728, fragments: 3, fragmentsTotal: 3 },
};

const cluster = await useFakeCluster();

describe('image duplicate and verify', () => {
  it('submit a job and say how it ended', async () => {
    cluster.answer(jobsDuplicate, () => ({ job: 7 }));
    const job = doneJob(0, { type: 'duplicate', storage: 'offsite', progress: PROGRESS });
    cluster.answer(jobsGet, () => ({ job, log: [], logLines: 0 }));
    const { code, out } = await cluster.run('image', 'duplicate', IMAGE, '--to', 'offsite');
    expect(code).toBe(0);
    expect(out).toContain(`Duplicated ${IMAGE} to offsite: 3 fragments, 3.0 MiB in`);
    expect(out).toContain(`holdfast images show ${IMAGE} --long`);
    expect(cluster.inputsOf(jobsDuplicate)).toMatchObject([{ imageId: IMAGE, toPool: 'offsite' }]);
  });

  it('only submit with --no-wait', async () => {
    cluster.answer(jobsVerify, () => ({ job: 8 }));
    const run = await cluster.run('image', 'verify', IMAGE, '--copy', '2', '--no-wait', '--json');
    expect(JSON.parse(run.out)).toEqual({ job: 8 });
    expect(cluster.inputsOf(jobsVerify)).toMatchObject([{ imageId: IMAGE, copy: 2 }]);
  });

  it('refuse what cannot be, naming it', async () => {
    const { code, err } = await cluster.run('image', 'duplicate', IMAGE, '--to', 'no pool');
    expect(code).toBe(64);
    expect(err).toMatch(/toPool: a storage pool name has/);
    expect((await cluster.run('image', 'duplicate', IMAGE)).err).toMatch(/--to <pool>/);
  });
});

describe('image expire', () => {
  const decision = {
    ...{ imageId: IMAGE, copy: 1, fragments: 3, storedBytes: 1_024 },
    ...{ decision: 'delete', reasons: ['expired 2026-01-01T00:00:00.000Z'] },
  };
  const kept = { ...decision, copy: 2, decision: 'keep', reasons: ['on hold: case', 'is read'] };

  it('previews with a reason for each copy, and changes nothing', async () => {
    cluster.answer(imageExpire, () => ({ decisions: [decision, kept], deletableAt: null }));
    const { out } = await cluster.run('image', 'expire', '--dry-run');
    expect(out).toMatch(/^IMAGE +COPY +DECISION +FRAGMENTS +STORED +WHY$/m);
    expect(out).toMatch(/2 {2}keep .* on hold: case; is read$/m);
    expect(out).toContain('Would mark 1 of 2 copies (1.0 KiB) for deletion. Nothing was changed.');
    expect(cluster.inputsOf(imageExpire)).toMatchObject([{ dryRun: true }]);
  });

  it('marks, and says until when it can be taken back', async () => {
    const deletableAt = '2026-03-11T12:00:00.000Z';
    cluster.answer(imageExpire, () => ({ decisions: [decision], deletableAt }));
    const { out } = await cluster.run('image', 'expire', IMAGE, '--copy', '1', '--now');
    expect(out).toMatch(/Marked 1 of 1 copies .* Take one back until .* image undelete IMAGE/);
    expect(cluster.inputsOf(imageExpire)).toMatchObject([{ imageId: IMAGE, copy: 1, now: true }]);
  });

  it('of all goes through all pages', async () => {
    const next = `2026-01-01T00:00:00.000Z ${IMAGE}`;
    const deletableAt = '2026-03-11T12:00:00.000Z';
    cluster.answer(imageExpire, ({ after }) =>
      after === undefined
        ? { decisions: [decision], deletableAt, next }
        : { decisions: [decision, kept], deletableAt: null, next: null },
    );
    const { out } = await cluster.run('image', 'expire');
    expect(out).toMatch(/^Marked 2 of 3 copies .* until .* image undelete IMAGE/m);
    expect(cluster.inputsOf(imageExpire)).toMatchObject([{}, { after: next }]);
  });

  it('needs an image for --now', async () => {
    const { code, err } = await cluster.run('image', 'expire', '--now');
    expect(code).toBe(64);
    expect(err).toMatch(/name it/);
  });

  it('is undone by undelete, and hindered by a hold', async () => {
    cluster.answer(imageUndelete, () => ({ fragments: 3, expiresAt: '2026-01-01T00:00:00.000Z' }));
    expect((await cluster.run('image', 'undelete', IMAGE)).out).toContain('3 fragments');
    cluster.answer(imageHold, () => ({ holds: ['case-17'] }));
    const { out } = await cluster.run('image', 'hold', IMAGE, 'case-17', '--reason', 'lawsuit');
    expect(out).toBe('On hold: case-17.\n');
    expect(cluster.inputsOf(imageHold)).toMatchObject([{ hold: 'case-17', reason: 'lawsuit' }]);
  });
});

describe('catalog', () => {
  const AWAY = {
    ...{ mediaId: 'media1', volumeId: VOLUME, pool: 'disk', path: '/mnt/a' },
    since: '2026-01-01T00:00:00.000Z',
  };
  const servers = ['media1', 'media2'].map((mediaId, at) => ({
    ...{ mediaId, host: 'h', version: '1', state: at === 0 ? 'up' : 'down', volumes: [] },
    ...{ address: { host: '127.0.0.1', port: 9 }, lastSeenAt: '2026-01-01T00:00:00.000Z' },
  }));

  let refused: Record<string, number> = {};
  let volumesAway: object[] = [];
  beforeAll(() =>
    cluster.answer(catalogState, () => ({
      ...{ catalogEpoch: 'e1', images: 1, fragments: {}, pins: 0, holds: 0, parked: 0 },
      ...{ refused, volumesAway },
    })),
  );
  beforeEach(() => {
    refused = {};
    volumesAway = [];
  });

  it('reconcile goes through all pages of the servers that are up, and tells of the others', async () => {
    cluster.answer(brokerServers, () => ({ servers }));
    const finding = {
      ...{ fragmentId: NEXT, imageId: IMAGE, copy: 1, number: 2 },
      ...{ finding: 'sealed, not in the catalog', action: 'offer-again' },
    };
    cluster.answer(catalogReconcile, ({ after }) => ({
      ...{ checked: 500, findings: after ? [] : [finding], next: after ? null : NEXT },
      away: [VOLUME],
    }));
    volumesAway = [AWAY];
    const { code, out, err } = await cluster.run('catalog', 'reconcile', '--dry-run');
    expect(code).toBe(1);
    expect(err).toContain('Left out, because they are down: media2');
    expect(out).toMatch(/offer-again$/m);
    expect(out).toContain('1,000 fragments compared: 1 difference found; nothing was done.');
    expect(out).toContain(`The volume /mnt/a of pool "disk" of media1 (${VOLUME}) is away,`);
    expect(out.match(/forget-volume media1 \S+/g)).toEqual([`forget-volume media1 ${VOLUME}`]);
    expect(cluster.inputsOf(catalogReconcile)).toMatchObject([
      { mediaId: 'media1', dryRun: true },
      { mediaId: 'media1', after: NEXT, dryRun: true },
    ]);
  });

  it('reconcile says about how many differences nothing could be done', async () => {
    const finding = {
      ...{ fragmentId: NEXT, imageId: IMAGE, copy: 1, number: 2 },
      ...{ finding: 'not in the journal', action: 'mark-damaged' },
    };
    let unchecked = 1;
    cluster.answer(catalogReconcile, () => ({
      ...{ checked: 5, findings: [finding], next: null, away: [], unchecked },
    }));
    const left = await cluster.run('catalog', 'reconcile', '--media', 'media1');
    expect(left.code).toBe(1);
    expect(left.out).toContain('5 fragments compared: 1 difference found, 0 dealt with.');
    expect(left.out).toContain('1 not checked, so nothing was done');
    unchecked = 0;
    const { code, out } = await cluster.run('catalog', 'reconcile', '--media', 'media1');
    expect(code).toBe(0);
    expect(out).toContain('5 fragments compared: 1 difference found and dealt with.');
  });

  it('reconcile says what it leaves as it is, and what brings images back that are not known', async () => {
    refused = { FENCED: 4, UNKNOWN_IMAGE: 2 };
    const finding = {
      ...{ fragmentId: NEXT, imageId: IMAGE, copy: 1, number: 2 },
      ...{ finding: 'DELETING, but with another digest or size', action: 'none' },
    };
    cluster.answer(catalogReconcile, () => ({
      ...{ checked: 5, findings: [finding], next: null, away: [], unchecked: 0 },
    }));
    const { code, out } = await cluster.run('catalog', 'reconcile', '--media', 'media1');
    expect(code).toBe(0);
    expect(out).toContain(
      '5 fragments compared: 1 difference found, 0 dealt with.\n1 left as found',
    );
    expect(out).toMatch(
      /^2 fragments are refused.*UNKNOWN_IMAGE.*\nholdfast catalog import-storage$/m,
    );
  });

  it('forget-volume gives up a volume', async () => {
    cluster.answer(catalogForgetVolume, () => ({}));
    const { out } = await cluster.run('catalog', 'forget-volume', 'media1', VOLUME);
    expect(out).toContain('holdfast catalog reconcile --media media1');
    expect(cluster.inputsOf(catalogForgetVolume)).toEqual([
      { mediaId: 'media1', volumeId: VOLUME },
    ]);
  });

  it('import-storage counts, and is partial where something was refused', async () => {
    const refused = [{ fragmentId: NEXT, reason: 'its manifest is not JSON' }];
    cluster.answer(catalogImport, () => ({ images: 1, fragments: 4, refused, next: null }));
    const { code, out } = await cluster.run('catalog', 'import-storage', '--media', 'media1');
    expect(code).toBe(1);
    expect(out).toContain(`refused ${NEXT}: its manifest is not JSON`);
    expect(out).toContain('Put 4 fragments of 1 images into the catalog.');
  });

  it('backup says where it is; restore asks for a yes', async () => {
    const answer = { path: '/b/catalog.zst', images: 2, fragments: 9, bytes: 2_048 };
    cluster.answer(catalogBackup, () => answer);
    expect((await cluster.run('catalog', 'backup')).out).toContain('/b/catalog.zst (2.0 KiB)');
    expect(await cluster.run('catalog', 'restore', '/b/catalog.zst')).toMatchObject({ code: 64 });
    expect(cluster.inputsOf(catalogRestore)).toEqual([]);
    cluster.answer(catalogRestore, () => ({ images: 2, fragments: 9, catalogEpoch: 'e' }));
    const { out } = await cluster.run('catalog', 'restore', '/b/catalog.zst', '--yes');
    expect(out).toContain('2 images with 9 fragments again');
  });

  it('state counts', async () => {
    cluster.answer(catalogState, () => ({
      ...{ catalogEpoch: '7-1-ab', images: 2, fragments: { ACTIVE: 9 }, pins: 0, holds: 1 },
      ...{ parked: 0, refused: { FENCED: 2 } },
      volumesAway: [AWAY, { ...AWAY, volumeId: NEXT, pool: null, path: null }],
    }));
    const { out } = await cluster.run('catalog', 'state');
    expect(out).toMatch(/^Fragments: +ACTIVE 9$/m);
    expect(out).toMatch(/^Refused fragments: +FENCED 2$/m);
    expect(out).toMatch(
      new RegExp(`^Volume away: +/mnt/a of pool "disk" of media1 .${VOLUME}.,`, 'm'),
    );
    expect(out).toMatch(new RegExp(`^Volume away: +${NEXT} of media1, since `, 'm'));
  });
});
