import type { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import type { catalogChain, catalogSynthesisChain } from '#contracts/image.js';
import type { Clock } from '#kernel/clock.js';
import { NotFound } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { latestBaseTime, selectionSet } from './domain/base.js';
import { choosePolicy, IMAGES_HINT, restoreChain } from './domain/chains/chain.js';
import {
  isWhole,
  missingStreams,
  orderedChains,
  streamSets,
  type Run,
} from './domain/chains/run-streams.js';
import { nothingSince, nothingToSynthesize } from './domain/chains/synthesis.js';
import { Images } from './persistence/images.js';
import { ImageViews, type ReadableImage } from './persistence/image-views.js';
import { Runs, type RunScope } from './persistence/runs.js';

type Request = RequestOf<typeof catalogChain>;
type AtTime = Extract<Request, { at: string }>;

/** What the answers to both requests are made from: a chain of each stream. */
interface Chosen {
  readonly chains: readonly (readonly ReadableImage[])[];
  readonly missing: number;
}

/** Runs that are looked at behind one of which not all streams have begun. */
const RUNS_MAX = 10;

/** Which images a restore reads. */
export class RestoreChains {
  private readonly views: ImageViews;
  private readonly runs: Runs;
  private readonly images: Images;

  constructor(
    database: DataSource,
    private readonly clock: Clock,
  ) {
    this.images = new Images(database.manager);
    this.views = new ImageViews(database);
    this.runs = new Runs(database);
  }

  async of(request: Request): Promise<ResponseOf<typeof catalogChain>> {
    const { chains, missing } =
      'imageId' in request
        ? { chains: [await this.chain(request.imageId, request.exact)], missing: 0 }
        : await this.chainsAt(request);
    const images = chains.flat();
    const media = await this.views.mediaOf(images.map((image) => image.imageId));
    return {
      client: images[0]!.client,
      images: images.map(({ imageId: id, kind }) => ({
        ...{ imageId: id, kind, ...(media.get(id) ?? { media: [], anyOf: [] }) },
      })),
      streams: chains.map((chain) => chain.length),
      missingStreams: missing,
    };
  }

  /** What a synthetic full is made from. A job that has begun its image is told the same again. */
  async synthesis(
    request: RequestOf<typeof catalogSynthesisChain>,
  ): Promise<ResponseOf<typeof catalogSynthesisChain>> {
    const { client, policy } = request;
    const begun = await this.images.latestOf(request);
    const lineage = { client, policy, selectionSet: selectionSet(request.selections) };
    const until = latestBaseTime(this.clock.now());
    const tip =
      begun?.syntheticOf ?? (await this.images.lastComplete(lineage, 'any', until))?.imageId;
    if (tip === undefined) throw nothingToSynthesize(client, policy);
    const { images } = await this.of({ imageId: tip, exact: false });
    if (images.length < 2) throw nothingSince(tip);
    return { images };
  }

  async requireClient(client: string): Promise<void> {
    if (await this.views.hasClient(client)) return;
    throw new NotFound('client with images', client, STATUS.clientNotConfigured, IMAGES_HINT);
  }

  private async chain(imageId: string, exact = false): Promise<ReadableImage[]> {
    return restoreChain(imageId, await this.views.withAncestors(imageId), exact);
  }

  private async chainsAt({ client, at, policy }: AtTime): Promise<Chosen> {
    await this.requireClient(client);
    const before = endOfSecond(at);
    const policies = await this.views.policiesAt(client, before);
    const chosen = choosePolicy(
      policies.filter((name) => policy === undefined || name === policy),
      at,
    );
    const scope = { client, policy: chosen };
    const runs = await this.runsAt(scope, before);
    const sets = streamSets(runs);
    const chains: ReadableImage[][] = [];
    for (const set of sets) {
      const newest = await this.runs.newestOf(scope, set, before);
      if (newest !== undefined) chains.push(await this.chain(newest));
    }
    return { chains: orderedChains(chains), missing: missingStreams(runs, sets) };
  }

  /** The newest first, back to one of whose streams there are images of all. */
  private async runsAt(scope: RunScope, before: Date): Promise<Run[]> {
    const runs: Run[] = [];
    for (let until = before; runs.length < RUNS_MAX;) {
      const newest = await this.views.newestAt(scope.client, scope.policy, until);
      if (newest === undefined) break;
      const own = await this.runs.of(newest);
      const behind = await this.runs.behind(own, scope, until);
      if (behind) runs.push(await this.runs.read(behind, scope, before));
      const run = await this.runs.read(own, scope, before);
      runs.push(run);
      if (runs.some(isWhole)) break;
      until = run.since;
    }
    return runs;
  }
}

/** A time is said in seconds: what began within that one is meant, too. */
function endOfSecond(at: string): Date {
  return new Date((Math.floor(Date.parse(at) / 1_000) + 1) * 1_000);
}
