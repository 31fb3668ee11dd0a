import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { catalogFragmentOffer, catalogFragmentStatus } from '#contracts/fragment.js';
import { InvalidInput } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { CommitBatches } from './commit-batches.js';
import { CatalogEpoch } from './persistence/catalog-epoch.js';
import { Fragments } from './persistence/fragments.js';

/** What media servers ask when the broker does not bring an answer. */
@Controller()
export class FragmentHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly commits: CommitBatches,
    private readonly epoch: CatalogEpoch,
  ) {}

  /** What was refused before is judged anew: its image may be known by now. */
  @Answers(catalogFragmentStatus)
  async status(
    request: RequestOf<typeof catalogFragmentStatus>,
  ): Promise<ResponseOf<typeof catalogFragmentStatus>> {
    const { mediaId, fragmentIds } = request;
    const fragments = new Fragments(this.database.manager);
    const catalogEpoch = await this.epoch.get();
    const committed = await fragments.committed(mediaId, fragmentIds);
    const rest = fragmentIds.filter((id) => !committed.includes(id));
    const refused = rest.length > 0 ? await fragments.refused(mediaId, rest) : [];
    const judged = refused.length > 0 ? await this.commits.offer(refused) : [];
    const known = new Set(judged.map(({ fragmentId }) => fragmentId));
    return {
      receipts: [
        ...committed.map((fragmentId) => ({
          ...{ fragmentId, mediaId, verdict: 'COMMITTED' as const, catalogEpoch },
        })),
        ...judged,
      ],
      unknown: rest.filter((id) => !known.has(id)),
    };
  }

  @Answers(catalogFragmentOffer)
  async offer(
    request: RequestOf<typeof catalogFragmentOffer>,
  ): Promise<ResponseOf<typeof catalogFragmentOffer>> {
    if (request.commits.some(({ mediaId }) => mediaId !== request.mediaId)) {
      throw new InvalidInput('A media server offers its own fragments only.', 'mediaId');
    }
    return { receipts: await this.commits.offer(request.commits) };
  }
}
