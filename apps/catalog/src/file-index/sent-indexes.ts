import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { FragmentCommit } from '#contracts/fragment.js';
import { failureKind } from '#kernel/database-failure.js';
import type { Work } from '#outbox/unit-of-work.js';
import { countImage } from '../completion.js';
import { CorruptIndex } from '../domain/files/corrupt-index.js';
import { readIndexRecords, type IndexRecord } from '../domain/files/index-record.js';
import type { BuiltTree } from '../domain/files/tree-builder.js';
import { tryShareBlocks } from '../persistence/files/block-locks.js';
import { FileBlocks, type ClientBlock } from '../persistence/files/file-blocks.js';
import { FileNames } from '../persistence/files/file-names.js';
import { insertTrees } from '../persistence/files/file-trees.js';
import { TreeLoad } from '../persistence/files/tree-load.js';
import { Images, type HeldImage } from '../persistence/images.js';
import { indexTexts } from './index-text.js';

/** What an index holds that came with its commit. All paths in it are in the dictionary. */
interface Sent {
  readonly blocks: readonly ClientBlock[];
  readonly trees: readonly BuiltTree[];
}

/** The indexes that came with their commits. */
export type SentTrees = ReadonlyMap<FragmentCommit, Sent>;

/** Commits without their indexes, and what was in these. */
export interface Unpacked {
  readonly offers: readonly FragmentCommit[];
  readonly trees: SentTrees;
}

/** Indexes whose blocks stay while they are loaded, and their images. */
interface Loadable {
  readonly trees: SentTrees;
  readonly images: ReadonlyMap<string, HeldImage>;
}

/**
 * Small file indexes come with the commits of their fragments and are loaded in the same transaction:
 * nothing has to be fetched, and nobody has to look for what is to load. What cannot be loaded so is left
 * to the loader, as if it had not come.
 */
@Injectable()
export class SentIndexes {
  constructor(private readonly database: DataSource) {}

  /** Of an index that is not what its commit says there are no trees: the loader will find out. */
  async unpack(commits: readonly FragmentCommit[]): Promise<Unpacked> {
    const offers: FragmentCommit[] = [];
    const trees = new Map<FragmentCommit, Sent>();
    for (const { index, ...offer } of commits) {
      offers.push(offer);
      const sent = index === undefined ? undefined : await this.read(offer, index);
      if (sent) trees.set(offer, sent);
    }
    return { offers, trees };
  }

  /**
   * What of it can be loaded now, with its images locked: images are locked before fragments, by everybody. While a
   * client's blocks are swept its indexes are left to the loader: the commits of all others would wait with its own.
   */
  async hold(unit: Work, sent: SentTrees): Promise<Loadable> {
    if (sent.size === 0) return { trees: sent, images: new Map() };
    const clients = [...sent.keys()].map(({ imageId }) => clientOf(imageId));
    const shared = await tryShareBlocks(unit.db, clients);
    const trees = new Map([...sent].filter(([{ imageId }]) => shared.has(clientOf(imageId))));
    const imageIds = [...trees.keys()].map(({ imageId }) => imageId);
    return { trees, images: await new Images(unit.db).holdAll(imageIds) };
  }

  /**
   * Loads the trees of fragments that have just gone in; returns the images that are complete by that.
   * Their blocks go in by one statement, in one order: none of two such transactions can wait for the other
   * while the other waits for it.
   */
  async load(
    unit: Work,
    news: readonly FragmentCommit[],
    { trees, images }: Loadable,
  ): Promise<string[]> {
    if (news.length === 0) return [];
    const blocks = news.flatMap((commit) => trees.get(commit)!.blocks);
    await new FileBlocks(unit.db).insert(blocks);
    await insertTrees(
      unit.db,
      news.map((commit) => ({
        ...{ image: images.get(commit.imageId)!.number, fragment: commit.number },
        trees: trees.get(commit)!.trees,
      })),
    );
    const complete: string[] = [];
    for (const { imageId } of news) {
      const { isFinished } = images.get(imageId)!;
      if (isFinished && (await countImage(unit, imageId)).complete) complete.push(imageId);
    }
    return complete;
  }

  /**
   * Paths are learnt now: a transaction that waits for a second connection may wait for others that do
   * the same. No index stops a commit, whatever is in it; only an outage does.
   */
  private async read(offer: FragmentCommit, index: string): Promise<Sent | undefined> {
    const client = clientOf(offer.imageId);
    const blocks: ClientBlock[] = [];
    const load = new TreeLoad((some) => {
      blocks.push(...some.map((block) => ({ client, block })));
      return Promise.resolve();
    });
    try {
      for await (const text of indexTexts(oneOf(Buffer.from(index, 'base64')), offer)) {
        const records: IndexRecord[] = [];
        readIndexRecords(text, records);
        await load.write(records);
      }
      const trees = await load.finish();
      await new FileNames(this.database).learn(blocks);
      return { blocks, trees };
    } catch (error) {
      if (error instanceof CorruptIndex || failureKind(error) !== 'outage') return undefined;
      throw error;
    }
  }
}

/** An image's id is its client's name and its backup time. */
function clientOf(imageId: string): string {
  return imageId.slice(0, imageId.lastIndexOf('_'));
}

// eslint-disable-next-line require-await
async function* oneOf(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}
