import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import type { StoredFragment } from '#storage/fragment-store.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { TestMediaServer } from '../testing/media-server.js';
import { sampleBackup, sendBackup } from '../testing/sample-backup.js';
import {
  randomChunk,
  recipeTotals,
  sampleRecipes,
  sendChunk,
  sendRecipe,
  sendRecipes,
  type SampleRecipe,
} from '../testing/sample-recipe.js';

describe('A session that writes to a volume that deduplicates', () => {
  let folder: TestFolder;
  let media: TestMediaServer;
  let recipes: SampleRecipe[];
  beforeAll(async () => {
    const chunks = Array.from({ length: 9 }, () => randomChunk());
    // The second fragment has what the first one has, too.
    recipes = await sampleRecipes([
      chunks.slice(0, 4),
      [...chunks.slice(4, 6), chunks[0]!, chunks[1]!],
      chunks.slice(6),
    ]);
  });
  beforeEach(async () => {
    folder = testFolder();
    media = await TestMediaServer.start({ folder: folder.path, kind: 'chunks' });
  });
  afterEach(async () => {
    await media.stop();
    expect(media.bugs).toEqual([]);
    folder.dispose();
  });

  const stored = async () => {
    const found: StoredFragment[] = [];
    for (const volume of media.volumes) {
      for await (const one of volume.store.list()) found.push(one);
    }
    return found;
  };
  const sealedOnes = async () => (await stored()).filter(({ state }) => state === 'sealed');
  const readBack = async (imageId: string) => {
    const { reader } = await media.read([imageId]);
    const all: Buffer[] = [];
    for (const { name } of await sealedOnes()) {
      if (name.imageId !== imageId) continue;
      const length = recipes[name.number - 1]!.data.length;
      const pieces: Buffer[] = [];
      const range = { fragmentId: name.fragmentId, object: 'data', offset: 0, length } as const;
      for await (const piece of reader.read(range)) pieces.push(piece);
      all[name.number - 1] = Buffer.concat(pieces);
    }
    reader.close();
    return all;
  };

  it('says so, and is DONE when the catalog has committed what readers will get', async () => {
    const { writer, outcome } = await media.write();
    expect(writer.ready.chunks).toEqual({ idsPerAskMax: 4_096, frameBytes: 1_048_576 });
    await sendRecipes(writer, recipes);
    expect(await outcome).toMatchObject({ status: 0, fragments: 3, totals: { files: 3 } });
    expect(media.catalog.committed.size).toBe(3);
    const all = await readBack('web1_1790000000');
    expect(all.map((data, n) => data.equals(recipes[n]!.data))).toEqual([true, true, true]);
    for (const found of await stored()) {
      if (found.state !== 'sealed') throw new Error(`a fragment is ${found.state}`);
      const { data, claim } = recipes[found.name.number - 1]!;
      const content = { storedBytes: data.length, digest: blake3(data).toString('hex') };
      expect(found.manifest).toMatchObject({ ...content, frames: claim.frames });
      const commit = media.catalog.committed.get(found.name.fragmentId);
      expect(commit).toMatchObject(content);
      expect(commit).not.toHaveProperty('recipe');
    }
  });

  it('takes what is there once, also what another image has, and counts what came', async () => {
    const first = await media.write();
    await sendRecipes(first.writer, recipes);
    const archiveBytes = 11 * 300_000;
    const { chunks, storedBytes } = await first.outcome;
    expect(chunks).toMatchObject({ chunks: 11, archiveBytes, newChunks: 9 });
    expect(chunks!.newBytes).toBeGreaterThan(9 * 150_000);
    expect(storedBytes).toBe(chunks!.newBytes);
    expect(media.progress.at(-1)).toMatchObject({ archiveBytes, storedBytes });

    const second = await media.write({ imageId: 'web1_1790000001' });
    await sendRecipes(second.writer, recipes);
    const none = { chunks: 11, archiveBytes, newChunks: 0, newBytes: 0 };
    expect(await second.outcome).toMatchObject({ status: 0, storedBytes: 0, chunks: none });
    const all = await readBack('web1_1790000001');
    expect(all.map((data, n) => data.equals(recipes[n]!.data))).toEqual([true, true, true]);
  });

  it('gives nobody what another client has', async () => {
    const { writer } = await media.write();
    await sendRecipes(writer, recipes);
    const other = await media.write({ imageId: 'web2_1790000000', client: 'web2' });
    const ids = recipes[0]!.chunks.map(({ id }) => id);
    expect(await other.writer.ask(ids)).toEqual([false, false, false, false]);
    other.writer.close();
    expect(await other.outcome).toMatchObject({ status: 40, fragments: 0 });
  });

  it('goes on behind what earlier attempts have committed, with what they sent', async () => {
    const first = await media.write();
    await sendRecipe(first.writer, recipes[0]!);
    await first.writer.seal(recipes[0]!.claim);
    await sendRecipe(first.writer, recipes[1]!);
    first.writer.close();
    expect(await first.outcome).toMatchObject({ status: 40, fragments: 1 });
    expect((await stored()).map(({ state }) => state)).toEqual(['sealed']);
    const resume = { nextNumber: 2, archiveOffset: recipes[0]!.claim.archiveBytes };
    const { writer, outcome } = await media.write({ attempt: 2, resume });
    expect(await writer.ask(recipes[0]!.chunks.map(({ id }) => id))).not.toContain(false);
    for (const recipe of recipes.slice(1)) {
      await sendRecipe(writer, recipe);
      await writer.seal(recipe.claim);
    }
    await writer.finish(recipeTotals(recipes));
    expect(await outcome).toMatchObject({ status: 0, fragments: 2, totals: { fragments: 3 } });
    const all = await readBack('web1_1790000000');
    expect(all.map((data, n) => data.equals(recipes[n]!.data))).toEqual([true, true, true]);
  });

  it('can be cancelled, and keeps what was sealed', async () => {
    const { writer, outcome } = await media.write();
    await sendRecipe(writer, recipes[0]!);
    await writer.seal(recipes[0]!.claim);
    await sendRecipe(writer, recipes[1]!);
    media.session!.cancel();
    const asking = writer.ask([Buffer.alloc(32)]);
    await expect(asking).rejects.toMatchObject({ status: 150 });
    expect(await outcome).toMatchObject({ status: 150, fragments: 1 });
    expect(await sealedOnes()).toHaveLength(1);
  });

  it('answers questions, and takes chunks, while a fragment is sealed', async () => {
    const { writer, outcome } = await media.write();
    await sendRecipe(writer, recipes[0]!);
    const sealing = writer.seal(recipes[0]!.claim);
    const others = Array.from({ length: 20 }, () => randomChunk(20_000));
    const asked = Promise.all(others.map(({ id }) => writer.ask([id])));
    for (const chunk of others) await sendChunk(writer, chunk);
    expect((await asked).flat()).not.toContain(true);
    await sealing;
    expect(await writer.ask(others.map(({ id }) => id))).not.toContain(false);
    writer.close();
    expect(await outcome).toMatchObject({ status: 40, fragments: 1 });
  });

  describe('refuses, and seals nothing of it,', () => {
    const refuses = (
      what: string,
      status: number,
      change: (recipe: SampleRecipe) => Partial<SampleRecipe>,
      task = {},
    ) =>
      it(what, async () => {
        const { writer, outcome } = await media.write(task);
        const bad = { ...recipes[0]!, ...change(recipes[0]!) };
        await expect(sendRecipes(writer, [bad, recipes[1]!])).rejects.toMatchObject({ status });
        expect(await outcome).toMatchObject({ status, fragments: 0 });
        expect(await sealedOnes()).toEqual([]);
      });
    const table = (recipe: SampleRecipe, spoil: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(recipe.index[1]!.bytes);
      spoil(bytes);
      return { index: [recipe.index[0]!, { bytes, digest: blake3(bytes) }] };
    };

    refuses('an index without its frame table', 229, ({ index }) => ({ index: [index[0]!] }));
    refuses('a table of frames that are not raw', 1057, (recipe) =>
      table(recipe, (bytes) => void (bytes[8]! ^= 1)),
    );
    refuses('a table of frames of another size', 1057, (recipe) =>
      table(recipe, (bytes) => void (bytes[13]! ^= 1)),
    );
    refuses('a seal without the digest of its data', 229, ({ claim }) => ({
      claim: { ...claim, dataDigest: undefined },
    }));
    refuses('a seal with another number of frames', 229, ({ claim }) => ({
      claim: { ...claim, frames: claim.frames + 1 },
    }));
    refuses('a seal with other bytes than were named', 229, ({ claim }) => ({
      claim: { ...claim, archiveBytes: claim.archiveBytes - 1 },
    }));
    refuses('names of fewer bytes than the frames have', 229, ({ chunks, claim }) => ({
      chunks: chunks.slice(1),
      claim: { ...claim, archiveBytes: claim.archiveBytes - chunks[0]!.length },
    }));
    refuses('a fragment beyond the limit', 84, () => ({}), { fragmentBytesMax: 1_200_000 });

    it('a chunk that is not there', async () => {
      const { writer, outcome } = await media.write();
      const [recipe] = await sampleRecipes([[randomChunk(), randomChunk()]]);
      await sendChunk(writer, recipe!.chunks[0]!);
      await writer.recipe(recipe!.chunks);
      for (const block of recipe!.index) await writer.index(block);
      await writer.seal(recipe!.claim);
      const finished = writer.finish(recipeTotals([recipe!]));
      await expect(finished).rejects.toThrow(/chunk/);
      expect(await outcome).toMatchObject({ fragments: 0 });
      expect(await sealedOnes()).toEqual([]);
    });

    it('a frame of chunks with a wrong digest', async () => {
      const { writer, outcome } = await media.write();
      const chunks = [randomChunk()];
      await writer.chunks({ pieces: [Buffer.from('x')], digest: Buffer.alloc(32), chunks });
      expect(await outcome).toMatchObject({ status: 1057 });
    });

    it('a frame in the midst of names', async () => {
      const { writer, outcome } = await media.write();
      const chunk = randomChunk();
      await sendChunk(writer, chunk);
      await writer.recipe([chunk]);
      const bytes = Buffer.from('data');
      await writer.frame({ pieces: [bytes], digest: blake3(bytes), archiveLength: 4 });
      expect(await outcome).toMatchObject({ status: 26, message: 'A writer sent FRAME.' });
    });
  });

  it('takes frames from an agent that knows of no chunks', async () => {
    const backup = await sampleBackup({ fragments: 2, framesEach: 4, frameBytes: 100_000 });
    const { writer, outcome } = await media.write();
    await sendBackup(writer, backup);
    const tally = { chunks: 0, archiveBytes: 0, newChunks: 0, newBytes: 0 };
    expect(await outcome).toMatchObject({ status: 0, fragments: 2, chunks: tally });
    const stored = [...media.catalog.committed.values()].map(({ storedBytes }) => storedBytes);
    expect((await outcome).storedBytes).toBe(stored[0]! + stored[1]!);
  });

  it('is the only one that knows of chunks', async () => {
    const plain = testFolder();
    const other = await TestMediaServer.start({ folder: plain.path });
    const { writer, outcome } = await other.write();
    expect(writer.ready.chunks).toBeUndefined();
    await expect(writer.ask([Buffer.alloc(32)])).rejects.toMatchObject({ status: 26 });
    expect(await outcome).toMatchObject({ status: 26, message: 'A writer sent ASK.' });
    await other.stop();
    plain.dispose();
  });
});
