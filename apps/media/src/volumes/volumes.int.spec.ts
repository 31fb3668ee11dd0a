import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#kernel/clock.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { sampleManifest } from '../testing/sample-manifest.js';
import { Volumes } from './volumes.js';

describe('The volumes of a media server', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = testFolder();
  });
  afterEach(() => folder.dispose());

  const open = (names: readonly string[], mediaId = 'media1') =>
    Volumes.open({
      mediaId,
      volumes: names.map((name) => ({ path: join(folder.path, name), pool: 'disk' })),
      volumeReserveBytes: 0,
      clock: new SystemClock(),
    });

  it('are made of new folders and keep their identity', async () => {
    const first = await open(['a', 'b']);
    const ids = [...first].map(({ volumeId }) => volumeId);
    await first.close();
    const again = await open(['a', 'b']);
    expect([...again].map(({ volumeId }) => volumeId)).toEqual(ids);
    await again.close();
    expect(JSON.parse(readFileSync(join(folder.path, 'a/volume.json'), 'utf8'))).toMatchObject({
      version: 1,
      mediaId: 'media1',
    });
  });

  it('are not opened for another media server, nor twice, nor as a copy', async () => {
    const first = await open(['a']);
    await expect(open(['a'])).rejects.toMatchObject({
      status: 83,
      message: expect.stringMatching(/another media server process/),
    });
    await first.close();
    await expect(open(['a'], 'media2')).rejects.toThrow(/belongs to media server "media1"/);
    cpSync(join(folder.path, 'a'), join(folder.path, 'b'), { recursive: true });
    await expect(open(['a', 'b'])).rejects.toThrow(/copy of another/);
    await (await open(['a'])).close();
  });

  it.each([
    ['is a file', (path: string) => writeFileSync(path, '')],
    ['is below nothing', (path: string) => rmSync(join(path, '..'), { recursive: true })],
    [
      'has a damaged identity',
      (path: string) => {
        execFileSync('mkdir', [path]);
        writeFileSync(join(path, 'volume.json'), '{"version":2}');
      },
    ],
  ])('say clearly when a folder %s', async (_, prepare) => {
    const path = join(folder.path, 'below');
    execFileSync('mkdir', [path]);
    prepare(join(path, 'volume'));
    const opening = open(['below/volume']);
    await expect(opening).rejects.toMatchObject({ status: 83, name: 'VolumeUnusable' });
  });

  it('say clearly when a folder is read only', async () => {
    execFileSync('mkdir', [join(folder.path, 'ro')]);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', join(folder.path, 'ro')], {
        stdio: 'ignore',
      });
    } catch {
      return;
    }
    try {
      await expect(open(['ro'])).rejects.toThrow(/may write to/);
    } finally {
      execFileSync('umount', [join(folder.path, 'ro')]);
    }
  });

  it('write down a fragment that was sealed just before the process died', async () => {
    const volumes = await open(['a']);
    const [volume] = [...volumes];
    const manifest = { ...sampleManifest(1), storedBytes: 4, indexBytes: 0 };
    const { fragmentId, imageId, copy, number, attempt } = manifest;
    await volume!.ledger.intent({ fragmentId, imageId, copy, number, attempt });
    const writer = await volume!.store.create({ fragmentId, imageId, copy, number });
    await writer.writeData([Buffer.from('data')]);
    await writer.seal(manifest);
    await volumes.close();
    const again = await open(['a']);
    expect(again.volumeOf(fragmentId)?.ledger.find(fragmentId)).toMatchObject({
      phase: 'SEALED',
      manifest,
    });
    await again.close();
  });

  it('are chosen by pool and room', async () => {
    const volumes = await open(['a', 'b']);
    expect((await volumes.roomiest('disk')).pool).toBe('disk');
    await expect(volumes.roomiest('tape')).rejects.toMatchObject({ status: 213 });
    await volumes.close();
  });
});
