import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { FragmentCommit } from '#contracts/fragment.js';
import type { Work } from '#outbox/unit-of-work.js';
import { countImage } from '../completion.js';
import { failureKind } from '../domain/failure-kind.js';
import { CorruptIndex } from '../domain/files/corrupt-index.js';
import { readIndexRecords, type IndexRecord } from '../domain/files/index-record.js';
import { Directories } from '../persistence/files/directories.js';
import { FileLoad } from '../persistence/files/file-loads.js';
import { Images, type HeldImage } from '../persistence/images.js';
import { indexTexts } from './index-text.js';

/** What an index holds that came with its commit. */
interface Sent {
  readonly records: readonly IndexRecord[];
  /** All that the records lie in are known. */
  readonly directories: Directories;
}

/** The indexes that came with their commits. */
export type SentLines = ReadonlyMap<FragmentCommit, Sent>;

/** Commits without their indexes, and what was in these. */
export interface Unpacked {
  readonly offers: readonly FragmentCommit[];
  readonly lines: SentLines;
}

/**
 * Small file indexes come with the commits of their fragments and are loaded in the same transaction:
 * nothing has to be fetched, and nobody has to look for what is to load. What cannot be loaded so is left
 * to the loader, as if it had not come.
 */
@Injectable()
export class SentIndexes {
  constructor(private readonly database: DataSource) {}

  /** Of an index that is not what its commit says there are no lines: the loader will find out. */
  async unpack(commits: readonly FragmentCommit[]): Promise<Unpacked> {
    const offers: FragmentCommit[] = [];
    const lines = new Map<FragmentCommit, Sent>();
    for (const { index, ...offer } of commits) {
      offers.push(offer);
      const sent = index === undefined ? undefined : await this.read(offer, index);
      if (sent) lines.set(offer, sent);
    }
    return { offers, lines };
  }

  /** The images of what came with lines, locked: images are locked before fragments, by everybody. */
  hold(unit: Work, lines: SentLines): Promise<ReadonlyMap<string, HeldImage>> {
    return new Images(unit.db).holdAll([...lines.keys()].map(({ imageId }) => imageId));
  }

  /** Loads the lines of fragments that have just gone in; returns the images that are complete by that. */
  async load(
    unit: Work,
    news: readonly FragmentCommit[],
    { lines, images }: { lines: SentLines; images: ReadonlyMap<string, HeldImage> },
  ): Promise<string[]> {
    const complete: string[] = [];
    for (const commit of news) {
      const { imageId } = commit;
      const image = images.get(imageId)!;
      const { records, directories } = lines.get(commit)!;
      await new FileLoad(unit.db, directories, image.number).write(records);
      if (image.isFinished && (await countImage(unit, imageId)).complete) complete.push(imageId);
    }
    return complete;
  }

  /**
   * Directories are learnt now: a transaction that waits for a second connection may wait for others that do
   * the same. No index stops a commit, whatever is in it; only an outage does.
   */
  private async read(offer: FragmentCommit, index: string): Promise<Sent | undefined> {
    const records: IndexRecord[] = [];
    const directories = new Directories(this.database, clientOf(offer.imageId));
    try {
      for await (const text of indexTexts(oneOf(Buffer.from(index, 'base64')), offer)) {
        readIndexRecords(text, records);
      }
      await directories.learn(records);
    } catch (error) {
      if (error instanceof CorruptIndex || failureKind(error) !== 'outage') return undefined;
      throw error;
    }
    return { records, directories };
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
