import { copyBegin, copyFinish } from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { catalogFragmentOffer, type FragmentCommit, type Verdict } from '#contracts/fragment.js';
import { catalogImage, imageBegin, imageFinish } from '#contracts/image.js';
import type { Requests } from '#messaging/requests.js';
import { until } from '../../../../test/support/until.js';
import { OTHER_MEDIA, type CatalogHarness } from './catalog-harness.js';
import { commitOf, MEDIA } from './commit.js';
import { line } from './index-lines.js';
import { indexObject, IndexPort } from './index-port.js';

/** Archive bytes of each fragment that is made. */
export const PIECE_BYTES = 1_000;
export const OTHER_POOL = 'vault';

type Begin = RequestOf<typeof imageBegin>;
type Place = Partial<FragmentCommit> & { readonly imageId: string; readonly number: number };

/** Makes images and copies of them in a catalog, as job manager and media servers would. */
export class ImageMaker {
  private job = 0;

  private constructor(
    readonly jobs: Requests,
    readonly operator: Requests,
    private readonly media: ReadonlyMap<string, Requests>,
    private readonly ports: ReadonlyMap<string, IndexPort>,
  ) {}

  static async start(harness: CatalogHarness): Promise<ImageMaker> {
    const names = [MEDIA, OTHER_MEDIA];
    const ports = new Map(names.map((name) => [name, new IndexPort()]));
    const observer = await harness.connect('observer');
    for (const [name, port] of ports) await port.open(observer, name);
    const media = new Map<string, Requests>();
    for (const name of names) media.set(name, await harness.requests(`media-${name}`));
    const jobs = await harness.requests();
    return new ImageMaker(jobs, await harness.requests('operator'), media, ports);
  }

  async stop(): Promise<void> {
    for (const port of this.ports.values()) await port.close();
  }

  /** A number that no job has yet. */
  nextJob(): number {
    return (this.job += 1);
  }

  /** The requests of a media server. */
  as(mediaId: string): Requests {
    return this.media.get(mediaId)!;
  }

  begin(changes: Partial<Begin> = {}): Promise<ResponseOf<typeof imageBegin>> {
    return this.jobs.call(imageBegin, {
      ...{ client: 'web1', policy: 'files', schedule: 's', kind: 'full' },
      ...{ selections: ['/etc'], retention: '14d', unit: 'default', pool: 'default' },
      mediaId: MEDIA,
      ...changes,
      job: changes.job ?? this.nextJob(),
    });
  }

  /** Offers a fragment whose archive bytes follow those of the number before. */
  async commit(place: Place): Promise<{ fragmentId: string; verdict: Verdict }> {
    const { number, mediaId = MEDIA } = place;
    const index = await indexObject([line({ path: `etc/file-${number}` })]);
    const commit = commitOf({
      ...{ archiveOffset: (number - 1) * PIECE_BYTES, archiveBytes: PIECE_BYTES },
      ...{ indexBytes: index.bytes.length, indexDigest: index.digest },
      ...place,
    });
    this.ports.get(mediaId)!.objects.set(commit.fragmentId, index.bytes);
    const offer = { mediaId, commits: [commit] };
    const { receipts } = await this.as(mediaId).call(catalogFragmentOffer, offer);
    return { fragmentId: commit.fragmentId, verdict: receipts[0]!.verdict };
  }

  finish(imageId: string, fragments: number, copyAttempt = 1) {
    const totals = { fragments, files: fragments, bytes: fragments * PIECE_BYTES };
    return this.finishAs(imageId, { copyAttempt, kind: 'full', ...totals });
  }

  finishAs(
    imageId: string,
    said: Pick<RequestOf<typeof imageFinish>, 'kind' | 'fragments' | 'files' | 'bytes'> & {
      readonly copyAttempt?: number;
    },
  ) {
    return this.jobs.call(imageFinish, { imageId, copy: 1, copyAttempt: 1, ...said });
  }

  /** A COMPLETE image of so many fragments; returns their ids in order. */
  async backup(
    fragments: number,
    changes: Partial<Begin> = {},
  ): Promise<{ imageId: string; job: number; fragmentIds: string[] }> {
    const job = changes.job ?? this.nextJob();
    const { imageId } = await this.begin({ ...changes, job });
    const fragmentIds: string[] = [];
    for (let number = 1; number <= fragments; number += 1) {
      fragmentIds.push((await this.commit({ imageId, number })).fragmentId);
    }
    await this.finish(imageId, fragments);
    await this.state(imageId, 'COMPLETE');
    return { imageId, job, fragmentIds };
  }

  copyBegin(imageId: string, changes: Partial<RequestOf<typeof copyBegin>> = {}) {
    return this.jobs.call(copyBegin, {
      ...{ imageId, attempt: 1, unit: 'vault', pool: OTHER_POOL, mediaId: OTHER_MEDIA },
      ...changes,
      job: changes.job ?? this.nextJob(),
    });
  }

  copyFinish(copy: RequestOf<typeof copyFinish>) {
    return this.jobs.call(copyFinish, copy);
  }

  /** A COMPLETE further copy whose job has not ended: it still pins what it read. */
  async duplicate(
    imageId: string,
    changes: Partial<RequestOf<typeof copyBegin>> = {},
  ): Promise<ResponseOf<typeof copyBegin> & { job: number; fragmentIds: string[] }> {
    const job = changes.job ?? this.nextJob();
    const begun = await this.copyBegin(imageId, { ...changes, job });
    const { copy, copyAttempt: attempt } = begun;
    const fragmentIds: string[] = [];
    const pool = changes.pool ?? OTHER_POOL;
    const mediaId = changes.mediaId ?? OTHER_MEDIA;
    for (let number = 1; number <= begun.fragments; number += 1) {
      const place = { imageId, copy, attempt, number, pool, mediaId };
      fragmentIds.push((await this.commit(place)).fragmentId);
    }
    await this.copyFinish({ imageId, copy, copyAttempt: attempt });
    return { ...begun, job, fragmentIds };
  }

  /** Waits until an image is in that state. */
  state(imageId: string, state: 'COMPLETE' | 'INCOMPLETE' | 'IN_PROCESS') {
    return until(async () => (await this.operator.call(catalogImage, { imageId })).image, {
      is: (image) => image.state === state,
    });
  }
}
