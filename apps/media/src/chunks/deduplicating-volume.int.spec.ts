import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { blake3 } from '@napi-rs/blake-hash';
import { SystemClock } from '#kernel/clock.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { MediaConfig, mediaConfig } from '../config.js';
import { checkFragment } from '../inventory/fragment-check.js';
import type { MediaNode } from '../media-node.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { MemorySources } from '../testing/memory-sources.js';
import { TestMediaServer } from '../testing/media-server.js';
import { sampleBackup, sendBackup, type SampleFragment } from '../testing/sample-backup.js';
import { randomChunk, sampleRecipes, sendChunk, sendRecipes } from '../testing/sample-recipe.js';
import { ChunkCollections } from './chunk-collections.js';

const SHAPE = { fragments: 2, framesEach: 8, frameBytes: 400_000 };
const OTHER_IMAGE = 'web1_1790000009';

describe('A media server with a volume that deduplicates', () => {
  let folder: TestFolder;
  let catalog: MemoryCatalog;
  let media: TestMediaServer;
  let backup: SampleFragment[];
  let said: string[];
  beforeEach(async () => {
    said = [];
    const keep = (...words: unknown[]) => void said.push(words.join(' '));
    Logger.overrideLogger({ log: keep, warn: keep, error: keep, fatal: keep });
    folder = testFolder();
    catalog = new MemoryCatalog();
    media = await TestMediaServer.start({
      ...{ folder: join(folder.path, 'disk'), kind: 'chunks', catalog },
      more: [{ path: join(folder.path, 'vault'), pool: 'vault', kind: 'chunks' }],
    });
    backup = await sampleBackup(SHAPE);
  });
  afterEach(async () => {
    Logger.overrideLogger(['error', 'warn', 'log']);
    await media.stop();
    folder.dispose();
  });

  const write = async (task: Parameters<TestMediaServer['write']>[0] = {}) => {
    const { writer, outcome } = await media.write(task);
    await sendBackup(writer, backup);
    expect(await outcome).toMatchObject({ status: 0, fragments: 2 });
  };
  const containers = (name: string) =>
    readdirSync(join(folder.path, name, 'chunks'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.chunks'))
      .map((path) => join(folder.path, name, 'chunks', path));
  const bytesOf = (name: string) =>
    containers(name).reduce((sum, path) => sum + statSync(path).size, 0);
  const commits = () => [...catalog.committed.values()];
  const states = async () => {
    const holdings = await media.holdings();
    const found: string[] = [];
    for (const { fragmentId, copy, number } of commits()) {
      const { bytes } = await checkFragment(holdings.find(fragmentId)!);
      found.push(`${copy}/${number} ${bytes}`);
    }
    return found.sort();
  };
  const collections = () => {
    const config = { HOLDFAST_MEDIA_ID: 'media1', HOLDFAST_MEDIA_VOLUMES: 'disk=dedup:/none' };
    const node = { volumes: media.volumes } as MediaNode;
    return new ChunkCollections(
      node,
      new SystemClock(),
      new MediaConfig(mediaConfig.parse(config)),
    );
  };
  /** Deletes what the catalog has of an image, for good. */
  const expire = async (imageId: string) => {
    for (const { fragmentId } of commits().filter((one) => one.imageId === imageId)) {
      await media.removals.onGrant(catalog.grant(fragmentId));
    }
    return media.emptyOldTrash({ graceMs: 0, now: new Date(Date.now() + 1_000) });
  };

  it('takes a backup as it comes, gives it back, and stores it once', async () => {
    await write();
    const before = bytesOf('disk');
    await write({ imageId: OTHER_IMAGE });
    expect(bytesOf('disk')).toBe(before);
    expect(await states()).toEqual(['1/1 whole', '1/1 whole', '1/2 whole', '1/2 whole']);
    const [first] = commits();
    const { reader, outcome } = await media.read();
    const pieces: Buffer[] = [];
    const range = { fragmentId: first!.fragmentId, object: 'data' as const, offset: 0 };
    for await (const piece of reader.read({ ...range, length: first!.storedBytes })) {
      pieces.push(Buffer.from(piece));
    }
    expect(blake3(Buffer.concat(pieces)).toString('hex')).toBe(first!.digest);
    await reader.close();
    expect(await outcome).toMatchObject({ status: 0, reads: 1 });
  });

  it('duplicates from one such volume to another by what is missing', async () => {
    await write();
    const sources = new MemorySources();
    sources.add(commits());
    const run = media.duplicate(sources, { pool: 'vault' });
    expect(await run.run()).toMatchObject({ status: 0, fragments: 2 });
    expect(await states()).toEqual(['1/1 whole', '1/2 whole', '2/1 whole', '2/2 whole']);
    const [near, far] = [1, 2].map((copy) =>
      commits()
        .filter((one) => one.copy === copy)
        .map(({ digest, indexDigest, storedBytes }) => ({ digest, indexDigest, storedBytes })),
    );
    expect(far).toEqual(near);
    expect(bytesOf('vault')).toBe(bytesOf('disk'));
  });

  it('is a source for another media server like any other, and a target', async () => {
    await write();
    const sources = new MemorySources();
    sources.add(commits());
    const far = await TestMediaServer.start({
      ...{ folder: join(folder.path, 'far'), kind: 'chunks', catalog: new MemoryCatalog() },
      mediaId: 'far',
    });
    const tokens = media.expectReaders(3);
    const from = [{ mediaId: 'media1', address: media.address, tokens }];
    const run = far.duplicate(sources, { sources: from });
    expect(await run.run()).toMatchObject({ status: 0, fragments: 2 });
    const holdings = await far.holdings();
    for (const made of far.catalog.committed.values()) {
      const source = commits().find(({ number }) => number === made.number)!;
      expect(made).toMatchObject({ digest: source.digest, storedBytes: source.storedBytes });
      expect(await checkFragment(holdings.find(made.fragmentId)!)).toMatchObject({
        bytes: 'whole',
      });
    }
    expect(far.catalog.committed.size).toBe(2);
    await far.stop();
  });

  it('takes no chunk from another media server that is not what its id says', async () => {
    const chunks = Array.from({ length: 4 }, () => randomChunk());
    const forged = { ...chunks[2]!, bytes: randomChunk().bytes };
    const { writer } = await media.write();
    await sendChunk(writer, forged);
    await sendRecipes(writer, await sampleRecipes([chunks]));
    const sources = new MemorySources();
    sources.add(commits());
    const far = await TestMediaServer.start({
      ...{ folder: join(folder.path, 'far'), kind: 'chunks', catalog: new MemoryCatalog() },
      mediaId: 'far',
    });
    const tokens = media.expectReaders(3);
    const from = [{ mediaId: 'media1', address: media.address, tokens }];
    const run = far.duplicate(sources, { sources: from });
    expect(await run.run()).toMatchObject({ status: 85, fragments: 0 });
    expect(sources.suspects).toEqual(commits().map(({ fragmentId }) => fragmentId));
    expect(far.catalog.committed.size).toBe(0);
    const later = await far.write();
    const [isThere] = await later.writer.ask([forged.id]);
    expect(isThere).toBe(false);
    later.writer.close();
    await later.outcome;
    await far.stop();
  });

  it('gives back the room of what was deleted, and nothing that is shared', async () => {
    await write();
    const one = bytesOf('disk');
    backup = await sampleBackup(SHAPE);
    await write({ imageId: OTHER_IMAGE });
    const chunks = collections();
    chunks.start();
    await expire('web1_1790000000');
    const [disk] = await chunks.collect();
    expect(disk).toMatchObject({ pool: 'disk', damaged: [], problem: null });
    expect(disk!.gone).toBeGreaterThan(0);
    expect(disk!.freedBytes).toBeGreaterThan(one * 0.9);
    expect(bytesOf('disk')).toBeLessThan(one * 1.1);
    expect(said.join('\n')).toMatch(/of pool "disk" was collected: \d+ containers became \d+/);
    const left = commits().filter(({ imageId }) => imageId === OTHER_IMAGE);
    const holdings = await media.holdings();
    for (const { fragmentId } of left) {
      expect(await checkFragment(holdings.find(fragmentId)!)).toMatchObject({ bytes: 'whole' });
    }
    expect(await expire(OTHER_IMAGE)).toBe(2);
    await chunks.collect();
    expect(containers('disk')).toEqual([]);
    await chunks.stop();
  });

  it('gives up the rest of the trash where a recipe in it cannot be read, and says what to do', async () => {
    await write();
    for (const { fragmentId } of commits()) {
      await media.removals.onGrant(catalog.grant(fragmentId));
    }
    const trash = join(folder.path, 'disk', '.trash');
    const [recipe] = readdirSync(trash, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.recipe.zst'))
      .map((path) => join(trash, path));
    writeFileSync(recipe!, 'nothing');
    const late = { graceMs: 0, now: new Date(Date.now() + 1_000) };
    expect(await media.emptyOldTrash(late)).toBe(1);
    expect(media.removalLog.join()).toMatch(/stays in the trash: .*remove .*recipe\.zst/);
    expect(await media.emptyOldTrash(late)).toBe(0);
    rmSync(recipe!);
    expect(await media.emptyOldTrash(late)).toBe(1);
  });

  it('says which fragment is damaged, and that of a container it cannot read', async () => {
    await write();
    const [path] = containers('disk');
    const bytes = readFileSync(path!);
    bytes[1_000]! ^= 1;
    writeFileSync(path!, bytes);
    expect((await states()).filter((one) => one.endsWith('damaged'))).toHaveLength(1);
    const holdings = await media.holdings();
    const checks = await Promise.all(
      commits().map(({ fragmentId }) => checkFragment(holdings.find(fragmentId)!)),
    );
    expect(checks.map(({ reason }) => reason).join()).toMatch(/needs a chunk that is lost/);
  });
});
