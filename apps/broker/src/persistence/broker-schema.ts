import type { OwnedSchema } from '#service/database.js';
import { AllocationEntity } from './allocation.entity.js';
import { ClientEntity } from './client.entity.js';
import { MediaServerEntity } from './media-server.entity.js';
import { Resources1790000000000 } from './migrations/1790000000000-resources.js';
import { Duplications1790100000000 } from './migrations/1790100000000-duplications.js';
import { StorageUnitEntity } from './storage-unit.entity.js';
import { WaitingEntity } from './waiting.entity.js';

export const brokerSchema: OwnedSchema = {
  schema: 'broker',
  entities: [MediaServerEntity, ClientEntity, StorageUnitEntity, AllocationEntity, WaitingEntity],
  migrations: [Resources1790000000000, Duplications1790100000000],
};
