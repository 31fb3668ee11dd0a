import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#kernel/clock.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { sampleManifest } from '../testing/sample-manifest.js';
import { Volumes } from './volumes.js';

describe('Volumes that cannot be used', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = testFolder();
  });
  afterEach(() => folder.dispose());

  const open = (name: string) =>
    Volumes.open({
      mediaId: 'media1',
      volumes: [{ path: join(folder.path, name), pool: 'disk' }],
      volumeReserveBytes: 0,
      clock: new SystemClock(),
    });

  it.each([
    ['is a file', (path: string) => writeFileSync(path, '')],
    ['is below nothing', (path: string) => rmSync(join(path, '..'), { recursive: true })],
    [
      'has a damaged identity',
      (path: string) => {
        mkdirSync(path);
        writeFileSync(join(path, 'volume.json'), '{"version":2}');
      },
    ],
  ])('say clearly when a folder %s', async (_, prepare) => {
    mkdirSync(join(folder.path, 'below'));
    prepare(join(folder.path, 'below/volume'));
    const opening = open('below/volume');
    await expect(opening).rejects.toMatchObject({ status: 83, name: 'VolumeUnusable' });
  });

  it('say clearly when a folder is read only', async () => {
    mkdirSync(join(folder.path, 'ro'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', join(folder.path, 'ro')], {
        stdio: 'ignore',
      });
    } catch {
      return;
    }
    try {
      await expect(open('ro')).rejects.toThrow(/may write to/);
    } finally {
      execFileSync('umount', [join(folder.path, 'ro')]);
    }
  });

  it.each([
    ['', 'volume.json is empty. It says which volume'],
    ['{"version":1,"volu', 'volume.json is damaged (Unterminated string in JSON at position 18'],
    ['{"version":1}', 'volume.json is damaged (volumeId: '],
  ])('say which file is wrong when their identity is %p', async (text, message) => {
    await (await open('a')).close();
    writeFileSync(join(folder.path, 'a/volume.json'), text);
    const opening = open('a');
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.not.toThrow(/may write to/);
  });

  it('say what to do about a journal that is damaged, and can be used when that is done', async () => {
    const volumes = await open('a');
    const [volume] = [...volumes];
    await volume!.ledger.intent(sampleManifest(1));
    await volume!.ledger.intent(sampleManifest(2));
    await volumes.close();
    const journal = join(folder.path, 'a/journal');
    const [segment] = readdirSync(journal).filter((name) => name.startsWith('journal-'));
    const bytes = readFileSync(join(journal, segment!));
    bytes[40]! ^= 1;
    writeFileSync(join(journal, segment!), bytes);
    const opening = open('a');
    await expect(opening).rejects.toMatchObject({ status: 83, name: 'VolumeUnusable' });
    await expect(opening).rejects.toThrow(`Move the folder ${journal} to another place`);
    renameSync(journal, join(folder.path, 'journal.damaged'));
    await (await open('a')).close();
  });
});
