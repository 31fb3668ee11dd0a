import type { ServiceDefinition } from '#service/service-definition.js';
import { CatalogModule } from './catalog.module.js';
import { Healer } from './care/healer.js';
import { MediaServers } from './care/media-servers.js';
import { ReconcileWatch } from './care/reconcile-watch.js';
import { CommitConsumer } from './commit-consumer.js';
import { catalogConfig } from './config.js';
import { DeletionTimers } from './deletion/deletion-timers.js';
import { FileSweeper } from './deletion/file-sweeper.js';
import { IndexLoader } from './file-index/index-loader.js';
import { MediaVolumeRow } from './persistence/care/media-volume.entity.js';
import {
  DirectoryRow,
  FileBlockRow,
  FileNameRow,
  FileReachedRow,
  FileSweepRow,
  FileTreeRow,
} from './persistence/files/file.entity.js';
import { FragmentRow } from './persistence/entities/fragment.entity.js';
import { ImageHoldRow, PinRow } from './persistence/deletion/deletion.entity.js';
import { ImageCopyRow } from './persistence/entities/image-copy.entity.js';
import { ImageRow } from './persistence/entities/image.entity.js';
import { Catalog1764000000000 } from './persistence/migrations/1764000000000-catalog.js';
import { CopiesAndDeletion1765000000000 } from './persistence/migrations/1765000000000-copies-and-deletion.js';
import { ByMediaServer1766000000000 } from './persistence/migrations/1766000000000-by-media-server.js';
import { KeywordsAndStreams1767000000000 } from './persistence/migrations/1767000000000-keywords-and-streams.js';
import { ImagesOfJobs1768000000000 } from './persistence/migrations/1768000000000-images-of-jobs.js';
import { FileTrees1769000000000 } from './persistence/migrations/1769000000000-file-trees.js';
import { SyntheticFulls1770000000000 } from './persistence/migrations/1770000000000-synthetic-fulls.js';
import { PlacesOfVolumes1771000000000 } from './persistence/migrations/1771000000000-places-of-volumes.js';
import { CatalogStateRow } from './persistence/entities/catalog-state.entity.js';
import { ImageCompletionRow } from './persistence/entities/image-completion.entity.js';
import { ParkedMessageRow } from './persistence/entities/parked-message.entity.js';
import { RefusedFragmentRow } from './persistence/entities/refused-fragment.entity.js';

export const catalogDefinition: ServiceDefinition<typeof catalogConfig> = {
  name: 'catalog',
  description: 'Remembers images, fragments and files; commits each fragment exactly once',
  config: catalogConfig,
  module: (config) => CatalogModule.with(config),
  owns: {
    schema: 'catalog',
    entities: [
      ImageRow,
      ImageCopyRow,
      ImageCompletionRow,
      FragmentRow,
      RefusedFragmentRow,
      ParkedMessageRow,
      CatalogStateRow,
      PinRow,
      ImageHoldRow,
      MediaVolumeRow,
      DirectoryRow,
      FileNameRow,
      FileBlockRow,
      FileTreeRow,
      FileSweepRow,
      FileReachedRow,
    ],
    migrations: [
      Catalog1764000000000,
      CopiesAndDeletion1765000000000,
      ByMediaServer1766000000000,
      KeywordsAndStreams1767000000000,
      ImagesOfJobs1768000000000,
      FileTrees1769000000000,
      SyntheticFulls1770000000000,
      PlacesOfVolumes1771000000000,
    ],
  },
  starts: [
    IndexLoader,
    CommitConsumer,
    DeletionTimers,
    FileSweeper,
    ReconcileWatch,
    Healer,
    // Stops first: the others would wait for answers.
    MediaServers,
  ],
};
