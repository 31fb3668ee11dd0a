import { Module, type DynamicModule } from '@nestjs/common';
import { CareHandlers } from './care/care.handlers.js';
import { CatalogCopies } from './care/catalog-copies.js';
import { Comparisons } from './care/comparisons.js';
import { Healer } from './care/healer.js';
import { MediaServers } from './care/media-servers.js';
import { ReconcileParts, ReconcileWatch } from './care/reconcile-watch.js';
import { Reconciler } from './care/reconciler.js';
import { StorageImport } from './care/storage-import.js';
import { CommitBatches } from './commit-batches.js';
import { CommitConsumer } from './commit-consumer.js';
import { CatalogConfig, type CatalogConfigValues } from './config.js';
import { CopyChanges } from './copies/copy-changes.js';
import { CopyHandlers } from './copies/copy.handlers.js';
import { CopyQueryHandlers } from './copies/copy-query.handlers.js';
import { Pinning } from './copies/pinning.js';
import { Damage } from './deletion/damage.js';
import { DeletionTimers } from './deletion/deletion-timers.js';
import { DeletionHandlers } from './deletion/deletion.handlers.js';
import { ExpiryHandlers } from './deletion/expiry.handlers.js';
import { Expiry } from './deletion/expiry.js';
import { FileSweeper } from './deletion/file-sweeper.js';
import { FragmentChecks } from './deletion/fragment-checks.js';
import { Grants } from './deletion/grants.js';
import { Removals } from './deletion/removals.js';
import { SecondThoughts } from './deletion/second-thoughts.js';
import { Spares } from './deletion/spares.js';
import { FileQueryHandlers } from './file-query.handlers.js';
import { FragmentHandlers } from './fragment.handlers.js';
import { ImageChanges } from './image-changes.js';
import { ImageQueryHandlers } from './image-query.handlers.js';
import { ImageHandlers } from './image.handlers.js';
import { IndexLoader } from './file-index/index-loader.js';
import { Completions } from './file-index/completions.js';
import { KeptListings } from './kept-listings.js';
import { SentIndexes } from './file-index/sent-indexes.js';
import { IndexLoads } from './file-index/index-loads.js';
import { IndexSource } from './file-index/index-source.js';
import { CatalogEpoch } from './persistence/catalog-epoch.js';
import { StateHandlers } from './state.handlers.js';

@Module({
  controllers: [
    ImageHandlers,
    ImageQueryHandlers,
    CopyHandlers,
    CopyQueryHandlers,
    FragmentHandlers,
    FileQueryHandlers,
    ExpiryHandlers,
    DeletionHandlers,
    StateHandlers,
    CareHandlers,
  ],
  providers: [
    CatalogCopies,
    CatalogEpoch,
    CommitBatches,
    CommitConsumer,
    Comparisons,
    CopyChanges,
    Damage,
    DeletionTimers,
    Expiry,
    FileSweeper,
    FragmentChecks,
    Grants,
    Healer,
    ImageChanges,
    IndexLoader,
    Completions,
    SentIndexes,
    KeptListings,
    IndexLoads,
    IndexSource,
    MediaServers,
    Pinning,
    ReconcileParts,
    ReconcileWatch,
    Reconciler,
    Removals,
    SecondThoughts,
    Spares,
    StorageImport,
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
