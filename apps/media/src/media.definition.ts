import type { ServiceDefinition } from '#service/service-definition.js';
import { ChunkCollections } from './chunks/chunk-collections.js';
import { mediaConfig } from './config.js';
import { MediaNode } from './media-node.js';
import { MediaTasks } from './tasks/media-tasks.js';
import { MediaModule } from './media.module.js';
import { MediaPresence } from './presence.js';
import { MediaRemovals } from './removal/media-removals.js';

export const mediaDefinition: ServiceDefinition<typeof mediaConfig> = {
  name: 'media',
  description: 'Writes fragments to its volumes and reads them',
  config: mediaConfig,
  instance: (config) => config.HOLDFAST_MEDIA_ID,
  module: (config) => MediaModule.with(config),
  starts: [MediaNode, ChunkCollections, MediaRemovals, MediaTasks, MediaPresence],
};
