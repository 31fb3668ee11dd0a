import { Module, type DynamicModule } from '@nestjs/common';
import { ChunkCollections } from './chunks/chunk-collections.js';
import { ChunkHandlers } from './chunks/chunk.handlers.js';
import { CatalogLink } from './commits/catalog-link.js';
import { MediaConfig, type MediaConfigValues } from './config.js';
import { CopyLink } from './duplication/copy-link.js';
import { CareHandlers } from './inventory/care.handlers.js';
import { LibraryHandlers } from './library/library.handlers.js';
import { MediaNode } from './media-node.js';
import { MediaTasks } from './tasks/media-tasks.js';
import { MediaHandlers } from './media.handlers.js';
import { MediaPresence } from './presence.js';
import { DeletionLink } from './removal/deletion-link.js';
import { MediaRemovals } from './removal/media-removals.js';
import { CopyTasks } from './tasks/copy-tasks.js';
import { ReadTasks } from './tasks/read-tasks.js';
import { WriteTasks } from './tasks/write-tasks.js';

@Module({
  controllers: [CareHandlers, ChunkHandlers, LibraryHandlers, MediaHandlers],
  providers: [
    CatalogLink,
    ChunkCollections,
    CopyLink,
    CopyTasks,
    DeletionLink,
    MediaNode,
    MediaPresence,
    MediaRemovals,
    MediaTasks,
    ReadTasks,
    WriteTasks,
  ],
})
export class MediaModule {
  static with(values: MediaConfigValues): DynamicModule {
    return {
      module: MediaModule,
      providers: [{ provide: MediaConfig, useValue: new MediaConfig(values) }],
    };
  }
}
