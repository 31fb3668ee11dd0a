import type { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import type { catalogChain, catalogSynthesisChain } from '#contracts/image.js';
import { NotFound } from '#kernel/errors.js';
import { selectionSet } from './domain/base.js';
import { choosePolicy, IMAGES_HINT, restoreChain } from './domain/chains/chain.js';
import { isWhole, orderedChains, streamSets, type Run } from './domain/chains/run-streams.js';
import { nothingSince, nothingToSynthesize } from './domain/chains/synthesis.js';
import { Images } from './persistence/images.js';
import { ImageViews, type ReadableImage } from './persistence/image-views.js';
import { Runs, type RunScope } from './persistence/runs.js';

type Request = RequestOf<typeof catalogChain>;
type AtTime = Extract<Request, { at: string }>;

/** Runs that are looked at behind one of which not all streams have begun. */
const RUNS_MAX = 10;

/** Which images a restore reads. */
export class RestoreChains {
  private readonly views: ImageViews;
  private readonly runs: Runs;
  private readonly images: Images;

  constructor(database: DataSource) {
    this.images = new Images(database.manager);
    this.views = new ImageViews(database);
    this.runs = new Runs(database);
  }

  async of(request: Request): Promise<ResponseOf<typeof catalogChain>> {
    const chains =
      'imageId' in request
        ? [await this.chain(request.imageId, request.exact)]
        : await this.chainsAt(request);
    const images = chains.flat();
    const media = await this.views.mediaOf(images.map((image) => image.imageId));
    return {
      client: images[0]!.client,
      images: images.map(({ imageId: id, kind }) => ({
        ...{ imageId: id, kind, ...(media.get(id) ?? { media: [], anyOf: [] }) },
      })),
      streams: chains.map((chain) => chain.length),
    };
  }

  /** What a synthetic full is made from. A job that has begun its image is told the same again. */
  async synthesis(
    request: RequestOf<typeof catalogSynthesisChain>,
  ): Promise<ResponseOf<typeof catalogSynthesisChain>> {
    const { client, policy } = request;
    const begun = await this.images.latestOf(request);
    const lineage = { client, policy, selectionSet: selectionSet(request.selections) };
    const tip = begun?.syntheticOf ?? (await this.images.lastComplete(lineage, 'any'))?.imageId;
    if (tip === undefined) throw nothingToSynthesize(client, policy);
    const { images } = await this.of({ imageId: tip, exact: false });
    if (images.length < 2) throw nothingSince(tip);
    return { images };
  }

  async requireClient(client: string): Promise<void> {
    if (await this.views.hasClient(client)) return;
    throw new NotFound('client with images', client, 243, IMAGES_HINT);
  }

  private async chain(imageId: string, exact = false): Promise<ReadableImage[]> {
    return restoreChain(imageId, await this.views.withAncestors(imageId), exact);
  }

  private async chainsAt({ client, at, policy }: AtTime): Promise<ReadableImage[][]> {
    await this.requireClient(client);
    const time = Math.floor(Date.parse(at) / 1_000);
    const policies = await this.views.policiesAt(client, time);
    const chosen = choosePolicy(
      policies.filter((name) => policy === undefined || name === policy),
      at,
    );
    const scope = { client, policy: chosen };
    const sets = streamSets(await this.runsAt(scope, time));
    const chains: ReadableImage[][] = [];
    for (const set of sets) {
      const newest = await this.runs.newestOf(scope, set, time);
      if (newest !== undefined) chains.push(await this.chain(newest));
    }
    return orderedChains(chains);
  }

  /** The newest first, back to one of whose streams there are images of all. */
  private async runsAt(scope: RunScope, at: number): Promise<Run[]> {
    const runs: Run[] = [];
    for (let until = at; runs.length < RUNS_MAX;) {
      const newest = await this.views.newestAt(scope.client, scope.policy, until);
      if (newest === undefined) break;
      const own = await this.runs.of(newest);
      const behind = await this.runs.behind(own, scope, until);
      if (behind) runs.push(await this.runs.read(behind, scope, at));
      const run = await this.runs.read(own, scope, at);
      runs.push(run);
      if (runs.some(isWhole)) break;
      until = run.since - 1;
    }
    return runs;
  }
}
