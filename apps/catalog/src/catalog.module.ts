import { Module, type DynamicModule } from '@nestjs/common';
import { CommitBatches } from './commit-batches.js';
import { CommitConsumer } from './commit-consumer.js';
import { CatalogConfig, type CatalogConfigValues } from './config.js';
import { CopyChanges } from './copies/copy-changes.js';
import { CopyHandlers } from './copies/copy.handlers.js';
import { CopyQueryHandlers } from './copies/copy-query.handlers.js';
import { Pinning } from './copies/pinning.js';
import { FileQueryHandlers } from './file-query.handlers.js';
import { FragmentHandlers } from './fragment.handlers.js';
import { ImageChanges } from './image-changes.js';
import { ImageQueryHandlers } from './image-query.handlers.js';
import { ImageHandlers } from './image.handlers.js';
import { IndexLoader } from './file-index/index-loader.js';
import { IndexLoads } from './file-index/index-loads.js';
import { IndexSource } from './file-index/index-source.js';
import { CatalogEpoch } from './persistence/catalog-epoch.js';

@Module({
  controllers: [
    ImageHandlers,
    ImageQueryHandlers,
    CopyHandlers,
    CopyQueryHandlers,
    FragmentHandlers,
    FileQueryHandlers,
  ],
  providers: [
    CatalogEpoch,
    CommitBatches,
    CommitConsumer,
    CopyChanges,
    ImageChanges,
    IndexLoader,
    IndexLoads,
    IndexSource,
    Pinning,
  ],
})
export class CatalogModule {
  static with(values: CatalogConfigValues): DynamicModule {
    return {
      module: CatalogModule,
      providers: [{ provide: CatalogConfig, useValue: new CatalogConfig(values) }],
    };
  }
}
