import { Module, type DynamicModule } from '@nestjs/common';
import { CatalogLink } from './catalog-link.js';
import { MediaConfig, type MediaConfigValues } from './config.js';
import { MediaNode } from './media-node.js';
import { MediaTasks } from './media-tasks.js';
import { MediaHandlers } from './media.handlers.js';
import { MediaPresence } from './presence.js';
import { ReadTasks } from './read-tasks.js';
import { WriteTasks } from './write-tasks.js';

@Module({
  controllers: [MediaHandlers],
  providers: [CatalogLink, MediaNode, MediaPresence, MediaTasks, ReadTasks, WriteTasks],
})
export class MediaModule {
  static with(values: MediaConfigValues): DynamicModule {
    return {
      module: MediaModule,
      providers: [{ provide: MediaConfig, useValue: MediaConfig.from(values) }],
    };
  }
}
