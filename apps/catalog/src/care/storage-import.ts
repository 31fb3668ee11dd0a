import { Injectable } from '@nestjs/common';
import { manifestSchema, type Manifest } from '#archive/manifest.js';
import type { catalogImport } from '#contracts/catalog/care.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import type { FragmentCommit } from '#contracts/fragment.js';
import { mediaManifests } from '#contracts/media.js';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { countImage } from '../completion.js';
import { copyKey } from '../domain/commit-messages.js';
import { commitOfManifest, imageOf, type ImportedImage } from '../domain/imported-image.js';
import { ImportedImages } from '../persistence/care/imported-images.js';
import { Fragments } from '../persistence/fragments.js';
import { Images } from '../persistence/images.js';
import { MediaServers } from './media-servers.js';

type Page = RequestOf<typeof catalogImport>;
type Answer = ResponseOf<typeof catalogImport>;
type Found = ResponseOf<typeof mediaManifests>['manifests'][number];
type Refused = Answer['refused'];

interface Readable {
  readonly image: ImportedImage;
  readonly commit: FragmentCommit;
}

/**
 * Puts images into the catalog from the manifests beside their fragments: all that a catalog needs
 * lies on the media. What the catalog knows stays as it is; asking again adds nothing.
 */
@Injectable()
export class StorageImport {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly media: MediaServers,
    private readonly clock: Clock,
  ) {}

  async page({ mediaId, after, dryRun }: Page): Promise<Answer> {
    const { manifests, next } = await this.media.ask(mediaManifests, mediaId, { after });
    const refused: Refused = [];
    const readable = manifests.flatMap((found) => this.read(found, mediaId, refused));
    const counts = await this.unitOfWork.run((unit) => take(unit, readable, { refused, dryRun }));
    if (next === null && !dryRun) {
      await this.unitOfWork.run(({ db }) => new ImportedImages(db).mendChains());
    }
    return { ...counts, refused, next };
  }

  private read(found: Found, mediaId: string, refused: Refused): Readable[] {
    const { pool } = found;
    const fragmentId = String(found.manifest['fragmentId'] ?? 'unknown');
    try {
      const manifest: Manifest = manifestSchema.parse(found.manifest);
      const now = this.clock.now();
      const commit = commitOfManifest(manifest, { mediaId, pool }, now);
      return [{ image: imageOf(manifest, now), commit }];
    } catch (error) {
      refused.push({ fragmentId, reason: messageOf(error).slice(0, 500) });
      return [];
    }
  }
}

async function take(
  unit: Work,
  readable: readonly Readable[],
  { refused, dryRun }: { refused: Refused; dryRun: boolean },
): Promise<{ images: number; fragments: number }> {
  const imported = new ImportedImages(unit.db);
  const known = await imported.known(readable.map(({ commit }) => commit.fragmentId));
  const fresh = readable.filter(({ commit }) => !known.has(commit.fragmentId));
  if (dryRun) {
    return {
      images: new Set(fresh.map(({ image }) => image.imageId)).size,
      fragments: fresh.length,
    };
  }
  let images = 0;
  for (const client of [...new Set(fresh.map(({ image }) => image.client))].sort()) {
    await new Images(unit.db).lockClient(client);
  }
  for (const { image, commit } of fresh) {
    if (await imported.add(image)) images += 1;
    await imported.addCopy(commit);
  }
  const imageIds = [...new Set(readable.map(({ image }) => image.imageId))].sort();
  for (const imageId of imageIds) await new Images(unit.db).lock(imageId);
  const taken = await takeFragments(unit, fresh, refused);
  // What is known may have been offered while its image was being put back: it counts all the same.
  for (const { image, commit } of readable) {
    const isIn = taken.has(commit.fragmentId) || known.has(commit.fragmentId);
    if (isIn) await imported.finish(image, commit);
  }
  for (const imageId of imageIds) await countImage(unit, imageId);
  return { images, fragments: taken.size };
}

/** Of the fragments of a number the latest attempt's counts, on whatever page it comes. */
async function takeFragments(
  unit: Work,
  fresh: readonly Readable[],
  refused: Refused,
): Promise<ReadonlySet<string>> {
  const imported = new ImportedImages(unit.db);
  const fenced = await imported.fenced(fresh.map(({ commit }) => commit));
  const latest = new Map<string, FragmentCommit>();
  for (const { commit } of fresh) {
    const key = `${copyKey(commit)}/${commit.number}`;
    if (fenced.has(commit.fragmentId)) continue;
    if ((latest.get(key)?.attempt ?? 0) < commit.attempt) latest.set(key, commit);
  }
  const commits = [...latest.values()];
  await imported.supersede(commits);
  const taken = await new Fragments(unit.db).insertNew(commits, () => false);
  const known = await imported.known(fresh.map(({ commit }) => commit.fragmentId));
  for (const { commit } of fresh) {
    const { fragmentId, attempt, number, copy, imageId } = commit;
    if (known.has(fragmentId)) continue;
    const reason = fenced.has(fragmentId)
      ? `attempt ${attempt} at copy ${copy} of ${imageId} is not the one that may commit`
      : `another fragment holds number ${number} of copy ${copy} of ${imageId}`;
    refused.push({ fragmentId, reason });
  }
  return taken;
}
