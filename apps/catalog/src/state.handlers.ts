import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { catalogState } from '#contracts/catalog/care.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
import { CatalogEpoch } from './persistence/catalog-epoch.js';
import { countCatalog } from './persistence/deletion/catalog-counts.js';

/** How the catalog as a whole is. */
@Controller()
export class StateHandlers {
  constructor(
    private readonly database: DataSource,
    private readonly epoch: CatalogEpoch,
  ) {}

  @Answers(catalogState)
  async state(_request: RequestOf<typeof catalogState>): Promise<ResponseOf<typeof catalogState>> {
    return { catalogEpoch: await this.epoch.get(), ...(await countCatalog(this.database)) };
  }
}
