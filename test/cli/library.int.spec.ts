import { beforeEach, describe, expect, it } from '@jest/globals';
import { brokerServers } from '#contracts/broker.js';
import type { Endpoint } from '#contracts/contract.js';
import {
  mediaEject,
  mediaLabel,
  mediaLibrary,
  mediaMountAnswer,
  mediaMounts,
  mediaRetire,
  mediaVolumeState,
} from '#contracts/media/library.js';
import { PermanentError } from '#kernel/errors.js';
import { useFakeCluster } from './fake-cluster.js';

const REQUEST = '01920000-0000-7000-8000-0000000000c1';
const AT = '2026-03-10T11:00:00.000Z';
const VOLUME = {
  ...{ volume: 'WEEKLY1', barcode: 'T00001', volumeId: REQUEST, state: 'filling' },
  ...{ place: 'drive 1', position: 12, writtenBytes: 3_145_728, capacityBytes: 10_485_760 },
  ...{ fragments: 4, reason: '' },
};
const LIBRARY = {
  ...{ pool: 'tape', path: '/srv/library', mail: ['T00009'], volumes: [VOLUME] },
  drives: [
    { drive: 1, volume: 'WEEKLY1' },
    { drive: 2, volume: null },
  ],
  slots: [
    { slot: 1, volume: null },
    { slot: 2, volume: null },
  ],
};

const cluster = await useFakeCluster();

/** An endpoint of the media server media1. */
const ofMedia = (endpoint: Endpoint) => ({ ...endpoint, subject: `${endpoint.subject}.media1` });

function servers(...mediaIds: string[]) {
  const volumes = [
    { pool: 'tape', path: '/srv/library', freeBytes: 1, totalBytes: 2, class: 'sequential' },
  ];
  return {
    servers: mediaIds.map((mediaId) => ({
      ...{ mediaId, host: 'h', version: '1', address: { host: 'h', port: 1 }, volumes },
      ...{ state: 'up', lastSeenAt: AT },
    })),
  };
}

beforeEach(() => {
  cluster.answer(brokerServers, () => servers('media1'));
  cluster.answer(ofMedia(mediaLibrary), () => ({ libraries: [LIBRARY] }));
  const volumes = [{ label: 'WEEKLY1', barcode: 'T00001' }];
  const request = { requestId: REQUEST, pool: 'tape', volumes, job: 12, since: AT };
  cluster.answer(ofMedia(mediaMounts), () => ({ requests: [request] }));
});

describe('library', () => {
  it('shows drives, slots and volumes', async () => {
    const { code, out } = await cluster.run('library', 'show');
    expect(code).toBe(0);
    expect(out).toContain('Drive 1: WEEKLY1\nDrive 2: empty\nSlots: 2, 0 taken');
    expect(out).toContain('Mail slot: T00009');
    expect(out).toMatch(/WEEKLY1 +T00001 +tape +filling +drive 1 +4 +12 +3\.0 MiB +10\.0 MiB/);
  });

  it('shows mount requests and brings an answer to the media server that has it', async () => {
    const shown = await cluster.run('library', 'mounts');
    expect(shown.out).toMatch(new RegExp(`${REQUEST} +WEEKLY1 +tape +media1 +12`));
    cluster.answer(ofMedia(mediaMountAnswer), () => ({ imported: ['T00001'] }));
    const { out } = await cluster.run('library', 'answer', REQUEST, 'mounted');
    expect(out).toBe('Imported: T00001. The job looks again.\n');
    const said = { requestId: REQUEST, action: 'mounted' };
    expect(cluster.inputsOf(ofMedia(mediaMountAnswer))).toMatchObject([said]);
    const other = await cluster.run('library', 'answer', REQUEST.replace('c1', 'c2'), 'cancel');
    expect([other.code, other.err]).toEqual([2, expect.stringContaining('no mount request')]);
    expect(await cluster.run('library', 'answer', REQUEST, 'perhaps')).toMatchObject({ code: 64 });
  });

  it('labels, ejects and suspends, and says what is refused', async () => {
    cluster.answer(ofMedia(mediaLabel), () => {
      throw new PermanentError(97, 'Cartridge T00001 holds 4 fragments.', 'slot');
    });
    const refused = await cluster.run('library', 'label', '2', 'WEEKLY2');
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('holds 4 fragments')]);
    expect(cluster.inputsOf(ofMedia(mediaLabel))).toEqual([{ slot: 2, label: 'WEEKLY2' }]);
    cluster.answer(ofMedia(mediaEject), () => ({ barcode: 'T00001' }));
    const ejected = await cluster.run('library', 'eject', 'WEEKLY1', '--pool', 'tape');
    expect(ejected.out).toContain('Cartridge T00001 is in the mail slot');
    const volume = { ...VOLUME, state: 'suspended' };
    cluster.answer(ofMedia(mediaVolumeState), () => ({ volume }));
    const { out } = await cluster.run('library', 'suspend', 'WEEKLY1', '--reason', 'worn');
    expect(out).toBe('Volume WEEKLY1 is suspended.\n');
  });

  it('takes a cartridge out of use, and says where it is', async () => {
    cluster.answer(ofMedia(mediaRetire), () => ({ barcode: 'T00003', place: 'mail' }));
    const { out } = await cluster.run('library', 'retire', 'T00003');
    expect(out).toBe(
      'Cartridge T00003 is out of use. It is in the mail slot: take it out there.\n',
    );
    cluster.answer(ofMedia(mediaRetire), () => ({ barcode: 'T00004', place: 'outside' }));
    const away = await cluster.run('library', 'retire', 'T00004', '--pool', 'tape');
    expect(away.out).toBe('Cartridge T00004 is out of use.\n');
    expect(cluster.inputsOf(ofMedia(mediaRetire))).toEqual([
      { volume: 'T00003' },
      { volume: 'T00004', pool: 'tape' },
    ]);
  });

  it('shows the mount requests of one pool alone', async () => {
    const { out } = await cluster.run('library', 'mounts', '--media', 'media1', '--pool', 'other');
    expect(out).toBe('No job waits for a volume.\n');
  });

  it('wants the media server named where several have one', async () => {
    cluster.answer(brokerServers, () => servers('media1', 'media2'));
    const { code, err } = await cluster.run('library', 'eject', 'WEEKLY1');
    expect([code, err]).toEqual([64, expect.stringContaining('--media: media1, media2')]);
    cluster.answer(brokerServers, () => servers());
    expect(await cluster.run('library', 'import')).toMatchObject({ code: 2 });
  });
});
