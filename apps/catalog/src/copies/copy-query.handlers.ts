import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { catalogCopies, catalogFragmentSources } from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
import { unknownImage } from '../domain/chains/chain.js';
import { bestFirst } from '../domain/copy-state.js';
import { Copies } from '../persistence/copies/copies.js';
import { FragmentSources } from '../persistence/copies/fragment-sources.js';

/** Looking at copies. */
@Controller()
export class CopyQueryHandlers {
  constructor(private readonly database: DataSource) {}

  @Answers(catalogCopies)
  async copies(
    request: RequestOf<typeof catalogCopies>,
  ): Promise<ResponseOf<typeof catalogCopies>> {
    const found = await this.require(request.imageId);
    return { copies: found.map(({ view }) => view) };
  }

  @Answers(catalogFragmentSources)
  async sources(
    request: RequestOf<typeof catalogFragmentSources>,
  ): Promise<ResponseOf<typeof catalogFragmentSources>> {
    const found = await this.require(request.imageId);
    const page = await new FragmentSources(this.database).page(request);
    return {
      fragments: page.map(({ number, sources }) => ({
        number,
        sources: bestFirst(sources, found),
      })),
    };
  }

  private async require(imageId: string) {
    const found = await new Copies(this.database).of(imageId);
    // An image has one copy from its first moment on.
    if (found.length === 0) throw unknownImage(imageId);
    return found;
  }
}
