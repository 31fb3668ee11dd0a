import type { OwnedSchema } from '#service/database.js';
import { AllocationEntity } from './entities/allocation.entity.js';
import { ClientEntity } from './entities/client.entity.js';
import { MediaServerEntity } from './entities/media-server.entity.js';
import { Resources1790000000000 } from './migrations/1790000000000-resources.js';
import { Duplications1790100000000 } from './migrations/1790100000000-duplications.js';
import { Limits1790200000000 } from './migrations/1790200000000-limits.js';
import { Settings1790500000000 } from './migrations/1790500000000-settings.js';
import { Streams1790600000000 } from './migrations/1790600000000-streams.js';
import {
  ClientLimitEntity,
  StoragePoolEntity,
  UnitGroupEntity,
} from './entities/configuration.entity.js';
import { StorageUnitEntity } from './entities/storage-unit.entity.js';
import { WaitingEntity } from './entities/waiting.entity.js';

export const brokerSchema: OwnedSchema = {
  schema: 'broker',
  entities: [
    ...[MediaServerEntity, ClientEntity, StorageUnitEntity, AllocationEntity, WaitingEntity],
    ...[UnitGroupEntity, StoragePoolEntity, ClientLimitEntity],
  ],
  migrations: [
    ...[Resources1790000000000, Duplications1790100000000, Limits1790200000000],
    ...[Settings1790500000000, Streams1790600000000],
  ],
};
